"""Runs that are kept: their folder, going on bit for bit, and what stops them."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from cases import assert_identical
from conftest import Inside
from kills import assert_same_end, without_seconds
from torch import nn

from manual_bp import Linear
from manual_bp.training import checkpoint
from manual_bp.training.run_folder import RunFolder

ROOT = Path(__file__).parents[1]
SHORT = "--hidden", 8, "--lr-schedule", "constant"


def log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def kept_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three epochs, saved and logged."""
    import train

    folder = tmp_path_factory.mktemp("runs") / "kept"
    assert train.main([*map(str, SHORT), "--epochs", "3", "--log-interval", "50", "--out-dir", str(folder)]) == 0
    return folder


def test_the_folder_holds_all_of_a_run(kept_run: Path) -> None:
    names = {path.name for path in kept_run.iterdir()}
    pictures = {"curves.png", "confusion.png", "mistakes.png"}
    assert names == {"config.json", "metrics.jsonl", "last.pt", "best.pt", ".lock"} | pictures
    assert all((kept_run / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    records = log(kept_run)
    assert [(record["event"], record["step"]) for record in records] == [
        ("step", 50), ("epoch", 80), ("step", 100), ("step", 150), ("epoch", 160), ("step", 200), ("epoch", 240)
    ]  # fmt: skip
    epochs = [record for record in records if record["event"] == "epoch"]
    state = checkpoint.load(kept_run / "last.pt")
    assert [{**entry, "event": "epoch"} for entry in state.history] == epochs
    assert (state.epoch, state.step, state.loss_sum, state.seed) == (3, 240, 0.0, 0)
    assert state.data["name"] == "mnist5k"
    assert state.config == json.loads((kept_run / "config.json").read_text())
    best = checkpoint.load(kept_run / "best.pt")
    accuracies = [epoch["test_accuracy"] for epoch in epochs]
    assert best.epoch == 1 + accuracies.index(max(accuracies))


def test_the_parameters_load_into_a_plain_sequential(kept_run: Path) -> None:
    state = torch.load(kept_run / "last.pt", weights_only=True)
    model = nn.Sequential(nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10))
    model.load_state_dict(state["parameters"])
    from manual_bp.training.data import mnist5k

    _, test = mnist5k()
    x = (test.pixels.flatten(1) - state["data"]["mean"]) / state["data"]["deviation"]
    accuracy = (model(x.float()).argmax(1) == test.labels).float().mean().item()
    assert accuracy == pytest.approx(state["history"][-1]["test_accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    ("first", "second"), [("manual", "manual"), ("manual", "autograd"), ("autograd", "manual"), ("both", "both")]
)
@pytest.mark.parametrize("optimizer", ["gradient-descent", "Adam"])
def test_two_and_two_epochs_equal_four(inside: Inside, tmp_path: Path, first: str, second: str, optimizer: str) -> None:
    settings = *SHORT, "--optimizer", optimizer, "--augment", "shift", "--log-interval", 30
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert inside(*settings, "--epochs", 4, "--out-dir", whole)[0] == 0
    assert inside(*settings, "--epochs", 2, "--out-dir", halves, "--engine", first)[0] == 0
    assert inside("--resume", halves, "--epochs", 4, "--engine", second)[0] == 0
    assert_same_end(whole, halves)


def test_a_run_that_was_interrupted_within_an_epoch_goes_on_bit_for_bit(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while step 130 of 240 is logged: the step is finished, saved, and the exit code is 130."""
    settings = "--hidden", 8, "--epochs", 3, "--augment", "shift", "--log-interval", 10
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert inside(*settings, "--out-dir", whole)[0] == 0
    real = RunFolder.log

    def log_and_interrupt(folder: RunFolder, event: str, record: dict[str, float]) -> None:
        real(folder, event, record)
        if record["step"] == 130:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "log", log_and_interrupt)
        code, _, errors = inside(*settings, "--out-dir", broken)
    assert code == 130
    assert errors == f"interrupted after step 130 of 240\n{broken / 'last.pt'} is saved: --resume goes on from it\n"
    assert checkpoint.load(broken / "last.pt").step == 130
    code, out, _ = inside("--resume", broken / "last.pt")
    assert code == 0
    assert out.splitlines()[2] == "goes on after step 130 of 240"
    assert_same_end(whole, broken)


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


def test_auto_begins_where_there_is_nothing_and_goes_on_where_there_is(inside: Inside, tmp_path: Path) -> None:
    settings = *SHORT, "--epochs", 1, "--out-dir", tmp_path / "run", "--resume", "auto"
    assert "goes on" not in inside(*settings)[1]
    code, out, _ = inside(*settings)
    assert (code, "goes on after step 80 of 80" in out, "epoch  1" in out) == (0, True, False)
    assert re.fullmatch(r"test accuracy 0\.\d{4}  training .*", out.splitlines()[-1])


def test_a_run_that_has_more_epochs_than_asked_for_is_at_its_end(
    inside: Inside, kept_run: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(kept_run, tmp_path / "run")
    code, out, _ = inside("--resume", folder / "last.pt", "--epochs", 2, "--quiet", "--out-dir", folder)
    last = checkpoint.load(kept_run / "last.pt").history[-1]
    assert code == 0
    assert out.startswith(f"test accuracy {last['test_accuracy']:.4f}  ")


def test_another_folder_can_go_on_from_a_checkpoint(inside: Inside, kept_run: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in kept_run.iterdir()}
    assert inside("--resume", kept_run / "last.pt", "--epochs", 4, "--out-dir", tmp_path / "new")[0] == 0
    assert {path.name: path.read_bytes() for path in kept_run.iterdir()} == before
    steps = [record["step"] for record in log(tmp_path / "new") if record["event"] == "epoch"]
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
        ("config", "lr", -1, "argument --lr: expected a finite number of at least 0, got '-1'"),
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


def test_a_full_disk_leaves_the_checkpoint_before(inside: Inside, tmp_path: Path) -> None:
    """A limit to the size of files in the place of a small disk: the 784-8-10 network needs 60 kB twice."""
    assert inside(*SHORT, "--epochs", 1, "--out-dir", tmp_path / "run")[0] == 0
    last = tmp_path / "run" / "last.pt"
    before = last.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        code, _, errors = inside("--resume", tmp_path / "run", "--epochs", 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 1
    assert re.search(r"train.py: error: cannot write .*\.pt: File too large; what was there before is unharmed", errors)
    assert last.read_bytes() == before
    assert not list((tmp_path / "run").glob(".*unfinished"))
    assert inside("--resume", tmp_path / "run", "--epochs", 2)[0] == 0


def test_a_number_that_is_not_finite_stops_the_run(inside: Inside, tmp_path: Path) -> None:
    assert inside(*SHORT, "--epochs", 1, "--out-dir", tmp_path / "run")[0] == 0
    before = (tmp_path / "run" / "last.pt").read_bytes()
    state = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    state["parameters"]["2.weight"].fill_(1e38)
    torch.save(state, tmp_path / "run" / "last.pt")
    spoiled = (tmp_path / "run" / "last.pt").read_bytes()
    code, _, errors = inside("--resume", tmp_path / "run", "--epochs", 2)
    assert code == 1
    assert re.search(r"stopped in epoch 2 after step 81: net\^2 is (infinite|NaN); try a smaller --lr", errors)
    assert f"{tmp_path / 'run' / 'last.pt'} is saved: --resume goes on from it" in errors
    assert (tmp_path / "run" / "last.pt").read_bytes() == spoiled != before


@pytest.mark.parametrize("engine", ["manual", "autograd"])
def test_gradients_are_checked_while_it_trains(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    settings = *SHORT, "--epochs", 1, "--engine", engine, "--check-gradients", 30
    assert inside(*settings)[0] == 0
    real = Linear.gradients

    def spoiled(self, error, saved, out=None):
        gradients = real(self, error, saved, out)
        gradients["weight"].mul_(1.001)
        return gradients

    monkeypatch.setattr(Linear, "gradients", spoiled)
    code, _, errors = inside(*settings)
    assert code == 1
    assert errors.startswith("stopped before step 1: the gradients are wrong\nWrong: ∂L/∂W^2")
    assert "(E12), layer 2" in errors
    assert "Likely cause: a constant factor of 1.001" in errors


def test_kill_9_at_random_moments_changes_nothing() -> None:
    """A few kills; ``python tests/kills.py`` takes as many as one likes."""
    command = [sys.executable, str(ROOT / "tests" / "kills.py"), "--kills", "6", "--epochs", "16"]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "6 kills; every run went on" in outcome.stdout


def test_eval_only_tests_the_network_of_a_checkpoint(inside: Inside, kept_run: Path) -> None:
    before = {path.name: path.read_bytes() for path in kept_run.iterdir()}
    last = checkpoint.load(kept_run / "last.pt").history[-1]
    code, out, _ = inside("--resume", kept_run, "--eval-only")
    assert (code, out) == (
        0, f"test accuracy {last['test_accuracy']:.4f}  test loss {last['test_loss']:.4f}\n"
    )  # fmt: skip
    assert {path.name: path.read_bytes() for path in kept_run.iterdir()} == before


def test_a_dry_run_writes_nothing(inside: Inside, tmp_path: Path) -> None:
    code, out, _ = inside(*SHORT, "--dry-run", "--out-dir", tmp_path / "run")
    assert code == 0
    assert re.search(r"dry run: 2,400 steps in 30 epochs, 6,370 parameters, first loss \d\.\d{4}; nothing was", out)
    assert list(tmp_path.iterdir()) == []


def test_quiet_prints_the_result_only(inside: Inside) -> None:
    code, out, errors = inside(*SHORT, "--epochs", 1, "--quiet")
    assert (code, errors) == (0, "")
    assert re.fullmatch(r"test accuracy 0\.\d{4}  training [\d.]+ s, in all [\d.]+ s\n", out)


def test_seeds_are_runs_of_their_own(inside: Inside, tmp_path: Path) -> None:
    code, out, _ = inside(*SHORT, "--epochs", 1, "--quiet", "--seed", 3, "--seeds", 3, "--out-dir", tmp_path)
    lines = out.splitlines()
    accuracies = [float(line.split()[2]) for line in lines[:3]]
    assert code == 0
    assert len(set(accuracies)) > 1
    summary = f"{sum(accuracies) / 3:.2%} ± {torch.tensor(accuracies).double().std().item():.2%}"
    assert lines[3] == f"test accuracy {summary} (mean ± sd) of 3 seeds"
    for seed, accuracy in zip((3, 4, 5), accuracies, strict=True):
        state = checkpoint.load(tmp_path / f"seed-{seed}" / "last.pt")
        assert (state.seed, state.config["seed"]) == (seed, seed)
        assert state.history[-1]["test_accuracy"] == pytest.approx(accuracy, abs=5e-5)
    again = inside(
        *SHORT, "--epochs", 1, "--quiet", "--seed", 3, "--seeds", 3, "--out-dir", tmp_path, "--resume", "auto"
    )
    assert again[1].splitlines()[3] == lines[3]


def test_tensorboard_sees_the_log(inside: Inside, tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra 'tensorboard' is not installed"
    )
    folder = tmp_path / "run"
    assert inside(*SHORT, "--epochs", 2, "--log-interval", 50, "--tensorboard", "--out-dir", folder)[0] == 0
    assert inside("--resume", folder, "--epochs", 3, "--tensorboard")[0] == 0
    events = accumulator.EventAccumulator(str(folder / "tensorboard")).Reload()
    for event in ("epoch", "step"):
        records = [record for record in log(folder) if record["event"] == event]
        for name in ("loss", "lr"):
            shown = [(scalar.step, scalar.value) for scalar in events.Scalars(f"{event}/{name}")]
            assert [step for step, _ in shown] == [record["step"] for record in records]
            assert [value for _, value in shown] == pytest.approx([record[name] for record in records], rel=1e-6)


def test_the_log_of_a_run_is_that_of_the_same_run_by_autograd(inside: Inside, kept_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "autograd"
    inside(*SHORT, "--epochs", 3, "--log-interval", 50, "--out-dir", folder, "--engine", "autograd")
    assert without_seconds(log(folder)) == without_seconds(log(kept_run))
    for name, parameter in checkpoint.load(folder / "last.pt").parameters.items():
        assert_identical(checkpoint.load(kept_run / "last.pt").parameters[name], parameter, name)
