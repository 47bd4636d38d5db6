"""Going on with a run bit for bit, and what it refuses to go on from; ``kills.py`` tries it with ``kill -9``."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from cases import assert_identical
from conftest import Inside, interrupted_at, log_of
from kills import assert_same_end, without_seconds
from places import ROOT

from manual_bp.training.command import start
from manual_bp.training.run import checkpoint

SHORT = "--hidden", 8, "--lr-schedule", "constant"
SHIFT, AFFINE = (*SHORT, "--augment", "shift"), (*SHORT, "--augment", "affine")
LAYERS = "conv:2:3", "relu", "dropout:0.2", "max:2"
ELASTIC = "--image-size", 8, "--network", *LAYERS, "--augment", "elastic", "--lr-schedule", "constant"


@pytest.mark.long(but=("network1", "both-", "network6"))
@pytest.mark.parametrize(
    ("first", "second", "optimizer", "network"),
    [
        ("manual", "manual", "gradient-descent", AFFINE),
        ("manual", "autograd", "gradient-descent", SHIFT),
        ("autograd", "manual", "gradient-descent", SHIFT),
        ("both", "both", "gradient-descent", SHIFT),
        ("manual", "autograd", "Adam", SHIFT),
        ("autograd", "manual", "Adam", SHIFT),
        ("manual", "autograd", "gradient-descent", ELASTIC),
    ],
)
@pytest.mark.long(but=("network1", "both-"))
def test_one_and_one_epoch_equal_two(
    inside: Inside, tmp_path: Path, first: str, second: str, optimizer: str, network: tuple[object, ...]
) -> None:
    settings = *network, "--optimizer", optimizer, "--log-interval", 30
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert inside(*settings, "--epochs", 2, "--out-dir", whole)[0] == 0
    assert inside(*settings, "--epochs", 1, "--out-dir", halves, "--engine", first)[0] == 0
    assert inside("--resume", halves, "--epochs", 2, "--engine", second)[0] == 0
    assert_same_end(whole, halves)


def test_a_run_that_was_interrupted_within_an_epoch_goes_on_bit_for_bit(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while step 130 of 240 is logged: the step is finished, saved, and the exit code is 130."""
    settings = "--hidden", 8, "--dropout", 0.2, "--epochs", 3, "--augment", "elastic", "--log-interval", 10
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert inside(*settings, "--out-dir", whole)[0] == 0
    with interrupted_at(130, monkeypatch):
        code, _, errors = inside(*settings, "--out-dir", broken)
    assert code == 130
    assert errors == f"interrupted after step 130 of 240\n{broken / 'last.pt'} is saved: --resume goes on from it\n"
    assert checkpoint.load(broken / "last.pt").step == 130
    code, out, _ = inside("--resume", broken / "last.pt")
    assert code == 0
    assert out.splitlines()[2] == "goes on after step 130 of 240"
    assert_same_end(whole, broken)


@pytest.mark.long
def test_ctrl_c_exits_with_130() -> None:
    def heed() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job, and all that it starts, ignores it

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, str(ROOT / "train.py")], text=True, preexec_fn=heed, **pipes)
    assert process.stdout.readline().startswith("784-256-128-10")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(
        r"interrupted after step \d+ of 2400\nnothing is saved: --out-dir would keep checkpoints\n", errors
    )


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has loaded")
def test_ctrl_c_while_it_imports_ends_it_quietly() -> None:
    def heed() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, str(ROOT / "train.py")], preexec_fn=heed, **pipes)
    while "libtorch_cpu" not in Path(f"/proc/{process.pid}/maps").read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (-signal.SIGINT, "", "")


def test_auto_begins_where_there_is_nothing_and_goes_on_where_there_is(inside: Inside, tmp_path: Path) -> None:
    settings = *SHORT, "--epochs", 1, "--out-dir", tmp_path / "run", "--resume", "auto"
    assert "goes on" not in inside(*settings)[1]
    code, out, _ = inside(*settings)
    assert (code, "goes on after step 80 of 80" in out, "epoch  1" in out) == (0, True, False)
    assert re.fullmatch(r"test accuracy 0\.\d{4}  training .*", out.splitlines()[-1])


def test_a_run_cannot_go_back(inside: Inside, kept_run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(kept_run, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, _, errors = inside("--resume", folder, "--epochs", 2)
    assert code == 2
    assert "argument --epochs: the run has 3 whole epochs already, got 2" in errors
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_without_its_last_checkpoint_is_not_begun_again(inside: Inside, kept_run: Path, tmp_path: Path) -> None:
    """Only in its first epoch may a run have a log and no last.pt: it was killed before it could write one."""
    folder = shutil.copytree(kept_run, tmp_path / "run")
    (folder / "last.pt").unlink()
    again = *SHORT, "--epochs", 1, "--out-dir", folder, "--resume", "auto"
    code, _, errors = inside(*again)
    assert code == 2
    assert f"the run of {folder} was in epoch 3, but its last.pt is gone; choose another --out-dir" in errors
    log = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(log[:2]) + log[3][:20])
    assert inside(*again)[0] == 0


@pytest.mark.long
def test_nobody_begins_where_another_begins(inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is locked before anyone looks what it holds."""
    folder, codes = tmp_path / "run", []
    real = start.starting_point

    def meanwhile(args, path):
        found = real(args, path)
        if not codes:
            codes.append(None)
            command = [
                sys.executable,
                str(ROOT / "train.py"),
                *map(str, SHORT),
                "--epochs",
                "1",
                "--out-dir",
                str(path),
            ]
            outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            codes.append((outcome.returncode, outcome.stderr))
        return found

    monkeypatch.setattr(start, "starting_point", meanwhile)
    assert inside(*SHORT, "--epochs", 1, "--out-dir", folder)[0] == 0
    code, errors = codes[1]
    assert code == 1
    assert f"another process is training in {folder}" in errors


def test_another_folder_can_go_on_from_a_checkpoint(inside: Inside, kept_run: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in kept_run.iterdir()}
    assert inside("--resume", kept_run / "last.pt", "--epochs", 4, "--out-dir", tmp_path / "new")[0] == 0
    assert {path.name: path.read_bytes() for path in kept_run.iterdir()} == before
    steps = [record["step"] for record in log_of(tmp_path / "new") if record["event"] == "epoch"]
    assert steps == [80, 160, 240, 320]
    assert json.loads((tmp_path / "new" / "config.json").read_text())["epochs"] == 4


def test_a_run_never_overwrites_another(inside: Inside, kept_run: Path) -> None:
    before = {path.name: path.read_bytes() for path in kept_run.iterdir()}
    for arguments in (["--out-dir", kept_run], ["--resume", kept_run / "best.pt", "--out-dir", kept_run]):
        code, _, errors = inside(*SHORT, *arguments)
        assert code == 2
        assert f"{kept_run} holds a run already: go on with it by --resume auto, or choose another folder" in errors
    assert {path.name: path.read_bytes() for path in kept_run.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hidden", 9], "argument --hidden: the checkpoint's run has [8], got [9]; leave it out"),
        (["--lr", 0.5], "argument --lr: the checkpoint's run has 0.05, got 0.5"),
        (["--dataset", "usps"], "argument --dataset: the checkpoint's run has mnist5k, got usps"),
        (["--seed", 1], "argument --seed: the checkpoint's run has 0, got 1"),
    ],
)
def test_a_run_goes_on_with_its_own_settings_only(
    inside: Inside, kept_run: Path, arguments: list[object], message: str
) -> None:
    code, _, errors = inside("--resume", kept_run, *arguments)
    assert code == 2
    assert message in errors


def test_a_checkpoint_of_other_data_is_named(inside: Inside, kept_run: Path, tmp_path: Path) -> None:
    state = torch.load(kept_run / "last.pt", weights_only=True)
    state["data"]["sha256"] = "0" * 64
    torch.save(state, tmp_path / "other.pt")
    code, _, errors = inside("--resume", tmp_path / "other.pt", "--epochs", 4)
    assert code == 1
    assert "network was trained on, mnist5k with checksum 000000000000..., got mnist5k with checksum" in errors


@pytest.mark.parametrize(
    ("field", "key", "value", "message"),
    [
        ("parameters", "0.bias", torch.zeros(9), "expected a checkpoint of this very run: Network expects 0.bias"),
        ("parameters", "0.bias", torch.full((8,), torch.nan), "finite parameters, got NaN or infinity in 0.bias"),
        ("optimizer", "0.bias", {}, "expected a checkpoint of this very run: GradientDescent expects the state"),
        ("generators", "cpu", torch.zeros(3), "expected a checkpoint of this very run"),
        ("config", "lr", -1, "argument --lr: expected a finite number of at least 0 and below 1e+38, got -1"),
        ("config", "hidden", [10**15], "does not fit into memory here"),
    ],
)
def test_a_checkpoint_that_was_tampered_with_is_refused(
    inside: Inside, kept_run: Path, tmp_path: Path, field: str, key: str, value: object, message: str
) -> None:
    state = torch.load(kept_run / "last.pt", weights_only=True)
    state[field][key] = value
    torch.save(state, tmp_path / "other.pt")
    code, _, errors = inside("--resume", tmp_path / "other.pt", "--epochs", 4)
    assert code in (1, 2)
    assert message in errors


def test_the_log_of_a_run_is_that_of_the_same_run_by_autograd(inside: Inside, kept_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "autograd"
    inside(*SHORT, "--epochs", 3, "--log-interval", 50, "--out-dir", folder, "--engine", "autograd")
    assert without_seconds(log_of(folder)) == without_seconds(log_of(kept_run))
    for name, parameter in checkpoint.load(folder / "last.pt").parameters.items():
        assert_identical(checkpoint.load(kept_run / "last.pt").parameters[name], parameter, name)
