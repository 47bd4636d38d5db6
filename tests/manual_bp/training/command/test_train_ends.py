"""How runs end that cannot go on: damaged checkpoints, memory, pipes, signals; what they say, and what they keep."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import Inside
from places import ROOT

from manual_bp.training.command.ending import out_of_memory
from manual_bp.training.engine.step import ManualEngine
from manual_bp.training.run import checkpoint
from manual_bp.training.run.progress import Progress
from manual_bp.training.run.run_folder import RunFolder

SHORT = "--hidden", 8, "--lr-schedule", "constant"


@pytest.fixture
def damaged(kept_run: Path, tmp_path: Path) -> Path:
    """A run whose last.pt has one other bit in the middle of a weight, and whose best.pt is whole."""
    folder = shutil.copytree(kept_run, tmp_path / "run")
    content = bytearray((folder / "last.pt").read_bytes())
    weights = checkpoint.load(folder / "last.pt").parameters["0.weight"].numpy().tobytes()
    content[content.index(weights) + 1003] ^= 64
    (folder / "last.pt").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--resume", "{run}", "--epochs", "4"], "--resume {run}/best.pt --out-dir NEW goes on from it"),
        (["--resume", "auto", "--out-dir", "{run}"], "--resume {run}/best.pt --out-dir NEW goes on from it"),
        (["--resume", "{run}", "--eval-only"], "--resume {run}/best.pt tests that"),
        (["predict", "x.png", "--checkpoint", "{run}/last.pt"], "--checkpoint {run}/best.pt takes it"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_a_damaged_checkpoint_is_refused_and_the_whole_one_named(
    inside: Inside, damaged: Path, words: list[str], hint: str
) -> None:
    epoch = checkpoint.load(damaged / "best.pt").epoch
    code, out, errors = inside(*(word.format(run=damaged) for word in words))
    assert (code, out) == (1, "")
    assert f"{damaged}/last.pt is damaged" in errors
    assert f"; {damaged}/best.pt beside it is whole, of epoch {epoch}: {hint.format(run=damaged)}" in errors
    (damaged / "best.pt").write_bytes(b"damaged too")
    assert "beside it" not in inside(*(word.format(run=damaged) for word in words))[2]


def test_the_hint_can_be_followed(inside: Inside, damaged: Path, tmp_path: Path) -> None:
    hint = re.search(r"--resume (\S+) --out-dir NEW", inside("--resume", damaged)[2])
    assert inside("--resume", hint[1], "--out-dir", tmp_path / "NEW", "--epochs", 4, "--quiet")[0] == 0
    assert checkpoint.load(tmp_path / "NEW" / "last.pt").epoch == 4


def test_eval_only_refuses_a_loss_that_is_not_finite(inside: Inside, kept_run: Path, tmp_path: Path) -> None:
    for value in (3e38, 1e36):
        state = torch.load(kept_run / "last.pt", weights_only=True)
        state["parameters"]["2.weight"].fill_(value)
        state["parameters"]["2.bias"].copy_(torch.arange(10.0) / 10 * value)
        torch.save(state, tmp_path / "large.pt")
        code, out, errors = inside("--resume", tmp_path / "large.pt", "--eval-only")
        assert (code, out) == (1, "")
        assert re.search(r"error: expected a finite test loss, got (nan|inf) for .*large\.pt: ", errors)


CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"
SHORTAGES = [
    (RuntimeError(f"{CPU} 1600000000 bytes. Error code 12 (Cannot allocate memory)"), "it needs 1600000000 bytes more"),
    (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 64 bytes."), "it needs 64 bytes more"),
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.49 GiB. GPU 0 has"), "it needs 1.49 GiB more"),
    (RuntimeError("std::bad_alloc"), "it needs more than there is"),
    (MemoryError(), "it needs more than there is"),
]


@pytest.mark.long(but=4)
@pytest.mark.parametrize(("error", "what"), SHORTAGES, ids=lambda part: str(part)[:20])
@pytest.mark.parametrize("at", [0, 100])
def test_a_run_that_is_out_of_memory_says_so_and_keeps_what_is_saved(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, what: str, at: int
) -> None:
    forward, steps = ManualEngine.forward, []

    def short(engine: ManualEngine, x: torch.Tensor) -> None:
        steps.append(1)
        if len(steps) > at:
            raise error
        forward(engine, x)

    monkeypatch.setattr(ManualEngine, "forward", short)
    code, _, errors = inside(*SHORT, "--epochs", 2, "--out-dir", tmp_path / "run")
    left = f"{tmp_path / 'run' / 'last.pt'} is saved: --resume goes on from it" if at else "nothing is saved: "
    assert code == 1
    assert errors.startswith(f"stopped in epoch {1 + at // 80} after step {at}: out of memory: {what}; ")
    assert left in errors
    assert len(errors.splitlines()) == 2


def test_memory_that_is_short_before_the_first_step_is_one_line(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*arguments: object, **named: object) -> None:
        raise RuntimeError(f"{CPU} 7 bytes.")

    monkeypatch.setattr("train.make_batches", short)
    code, out, errors = inside(*SHORT)
    assert (code, out) == (1, "")
    assert errors.startswith("train.py: error: out of memory: it needs 7 bytes more; ")
    assert errors.count("\n") == 1


def test_another_error_of_torch_is_no_shortage_of_memory(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    assert out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)")) == ""

    def wrong(*arguments: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)")

    monkeypatch.setattr(ManualEngine, "forward", wrong)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        inside(*SHORT)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_saves_within_an_epoch(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    log = RunFolder.log

    def log_and_signal(folder: RunFolder, event: str, record: dict[str, float]) -> None:
        log(folder, event, record)
        if record["step"] == 30:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(RunFolder, "log", log_and_signal)
    code, _, errors = inside(*SHORT, "--log-interval", 10, "--out-dir", tmp_path / "run")
    assert code == 128 + number
    assert errors.startswith("interrupted after step 30 of 2400\n")
    assert checkpoint.load(tmp_path / "run" / "last.pt").step == 30


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        (("--momentum", 5), "a momentum of 5 only ever grows: try a --momentum below 1"),
        (("--weight-decay", 50), "each step's pull to 0 goes beyond 0: try a smaller --weight-decay or --lr"),
        (("--lr", 1e6), "try a smaller --lr"),
    ],
    ids=str,
)
def test_the_advice_is_about_the_setting_that_is_too_large(
    inside: Inside, settings: tuple[object, ...], advice: str
) -> None:
    code, _, errors = inside("--hidden", 8, "--epochs", 3, *settings)
    assert code == 1
    assert errors.splitlines()[0].endswith(f"; {advice}")


def test_what_is_printed_at_the_end_of_a_run_that_went_on_adds_up(inside: Inside, tmp_path: Path) -> None:
    assert inside(*SHORT, "--epochs", 1, "--out-dir", tmp_path / "run")[0] == 0
    state = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    torch.save(state | {"seconds": 5000.0}, tmp_path / "run" / "last.pt")
    _, out, _ = inside("--resume", tmp_path / "run", "--epochs", 2)
    seconds = (
        r"training (\d+\.\d) s \(5000\.0 s of it before this start\), \S+ s an epoch, this start (\d+\.\d) s in all"
    )
    trained, this_start = map(float, re.search(f"{seconds}$", out.splitlines()[-1]).groups())
    assert trained - 5000 < this_start


def test_a_dry_run_that_is_to_be_quiet_prints_nothing(inside: Inside) -> None:
    assert inside("--dry-run", "--quiet") == (0, "", "")


def test_rich_does_not_end_the_run_where_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would exit with 1 before the run can say what is saved."""

    class Closed:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> None:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Closed())
    with pytest.raises(BrokenPipeError):
        Progress(10).line("epoch 1")


@pytest.mark.long
def test_a_quiet_run_is_quiet_where_matplotlib_cannot_write(tmp_path: Path) -> None:
    """It would say where its cache went instead."""
    nowhere = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"), "/proc/nowhere")
    words = "--hidden", "4", "--epochs", "1", "--quiet", "--out-dir", str(tmp_path / "run")
    outcome = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *words],
        env=os.environ | nowhere, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert outcome.stderr == ""
    assert len(outcome.stdout.splitlines()) == 1
    assert (tmp_path / "run" / "curves.png").exists()


@pytest.mark.parametrize("option", ["--out-dir", "--resume", "--data-root"])
def test_a_path_that_cannot_be_is_named_in_words(inside: Inside, option: str) -> None:
    name = "x" * 300
    code, _, errors = inside("--dataset", "usps", option, name)
    assert code == 1
    assert errors == f"train.py: error: expected a path that can be used, got {name}: File name too long\n"
