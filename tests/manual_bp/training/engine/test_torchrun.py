"""What ``torchrun`` says, and ``torchrun train.py``: the run of one process by several, and after kills."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import Inside, log_of
from processes_worker import DEADLINE, ROOT, loopback
from torch import distributed as dist
from torch.distributed import is_initialized
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

import train
from manual_bp.training.command.ending import told
from manual_bp.training.command.options import read_words
from manual_bp.training.command.usage import UsageError
from manual_bp.training.engine.processes import Processes, ToldElsewhereError
from manual_bp.training.run import checkpoint

SMALL = "--hidden", 16, "--dropout", 0.1, "--augment", "elastic", "--lr-schedule", "constant"
STEPS = 80  # of an epoch


# ----------------------------------------------------------------------------------------------- what torchrun says


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment as ``torchrun`` sets it for the third of four processes, the second on its machine."""
    said = {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    return said


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(("device", "own"), [("cpu", "cpu"), ("cuda", "cuda:1"), ("cuda:0", "cuda:0")])
def test_a_process_learns_its_rank_and_takes_its_own_gpu(device: str, own: str) -> None:
    assert Processes.from_environment(device, timeout=5.0) == Processes(2, 4, own, 5.0)
    assert not Processes(2, 4).is_main
    assert Processes(0, 4).is_main


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with Processes.from_environment("cpu") as alone:
        assert alone == Processes(0, 1, "cpu")
        assert (alone.is_main, alone.any(True), alone.any(False)) == (True, True, False)
        assert alone.from_main(lambda: "made") == "made"
        assert not is_initialized()


def test_one_of_the_processes_says_what_is_wrong_with_the_options(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for rank in ("0", "1", "2"):
        monkeypatch.setenv("LOCAL_RANK", rank)
        outcomes = [inside(*words) for words in (["--epochs", 0], ["--lerning-rate", 1], ["--eval-only"])]
        assert [code for code, _, _ in outcomes] == [2, 2, 2]
        said.append([bool(errors) for _, _, errors in outcomes])
    assert said == [[True] * 3, [False] * 3, [False] * 3]


@pytest.mark.parametrize(("rank", "raised"), [(0, ToldElsewhereError), (1, KeyError), (2, ToldElsewhereError)])
def test_of_several_that_fail_the_first_says_so(
    monkeypatch: pytest.MonkeyPatch, rank: int, raised: type[Exception]
) -> None:
    """The second and the third of three processes fail; the first could go on, but must not wait for them."""
    errors = None, KeyError("second"), ValueError("third")

    def gathered(everybodys: list[object], own: Exception | None) -> None:
        assert type(own) is type(errors[rank])
        everybodys[:] = errors

    def make() -> int:
        if errors[rank] is not None:
            raise errors[rank]
        return 5

    monkeypatch.setattr(dist, "all_gather_object", gathered)
    with pytest.raises(raised) as failure:
        Processes(rank, 3).all_or_none(make)
    assert failure.value is errors[1] or failure.value.__cause__ is errors[1]


def test_what_all_can_do_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "all_gather_object", lambda everybodys, own: None)
    assert Processes(1, 2).all_or_none(lambda: "made") == "made"
    assert Processes().all_or_none(lambda: "made") == "made"


@pytest.mark.parametrize("cause", [UsageError("--x"), ValueError("x")], ids=repr)
def test_an_error_that_another_process_tells_is_only_an_exit_code(
    capsys: pytest.CaptureFixture[str], cause: Exception
) -> None:
    def fail() -> int:
        raise ToldElsewhereError from cause

    assert told(fail) == (2 if isinstance(cause, UsageError) else 1)
    assert capsys.readouterr() == ("", "")


def fails(error: BaseException, cause: BaseException | None = None) -> Callable[[], int]:
    def fail() -> int:
        raise error from cause

    return fail


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        (fails(UsageError("--x is wrong")), "--x is wrong"),
        (fails(ValueError("a file is damaged")), "a file is damaged"),
        (fails(RuntimeError("std::bad_alloc")), "out of memory: it needs more"),
        (fails(ToldElsewhereError(), ValueError("the first is at fault")), "the first is at fault"),
        (lambda: read_words(["--epochs", "0"]), "argument --epochs: expected a whole number of at least 1, got '0'"),
        (lambda: train.main(["--hidden", "4", "--lr", "1e30", "--quiet"]), "stopped in epoch 1 after step "),
    ],
    ids=range(6),
)
@pytest.mark.parametrize("rank", ["0", "1"])
def test_torchrun_ends_its_report_with_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[], int], cause: str, rank: str
) -> None:
    """It reads the file that it names, and shows the message in the place of advice for programmers."""
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    with suppress(SystemExit):
        assert told(command) in (1, 2)
    report = str(ChildFailedError("train.py", {0: ProcessFailure(0, 7, 1, str(tmp_path / "error.json"))}))
    assert f"  traceback : {cause}" in report
    assert "To enable traceback" not in report


def test_a_process_that_misses_another_is_not_taken_for_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    assert told(fails(ConnectionError("one of the processes does not answer"))) == 1
    assert not (tmp_path / "error.json").exists()


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("value", ["", "-1", "two", "1.5"])
@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "LOCAL_RANK"])
def test_a_malformed_environment_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    message = f"expected a number in the environment variable {name}, which torchrun sets, got {value!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Processes.from_environment("cpu")


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK"])
def test_an_incomplete_environment_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(ValueError, match=f"the environment variable {name}, which torchrun sets, got ''"):
        Processes.from_environment("cpu")


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(("rank", "count"), [("4", "4"), ("0", "0")])
def test_a_rank_outside_the_group_is_refused(monkeypatch: pytest.MonkeyPatch, rank: str, count: str) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", count)
    with pytest.raises(ValueError, match=f"expected a RANK from 0 to below the WORLD_SIZE {count}, got {rank}"):
        Processes.from_environment("cpu")


# --------------------------------------------------------------------------------------------- torchrun train.py


@contextmanager
def torchrun(count: int, *options: object, restarts: int = 0) -> Iterator[subprocess.Popen[str]]:
    """Start ``torchrun train.py``; in the end leave nothing of it running."""
    launcher = "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1", "--monitor-interval=0.1"
    command = [*launcher, f"--nproc-per-node={count}", f"--max-restarts={restarts}", ROOT / "train.py", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, *map(str, command)], env=loopback(), **pipes)
    try:
        yield process
    finally:
        for pid in (process.pid, *workers(process.pid).values()):  # first who would start them anew
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def workers(pid: int) -> dict[int, int]:
    """Return the processes that ``torchrun`` has started, by rank."""
    found = {}
    with suppress(FileNotFoundError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
            found |= {int(each.removeprefix(b"RANK=")): int(child) for each in variables if each.startswith(b"RANK=")}
    return found


def finished(process: subprocess.Popen[str]) -> str:
    """Return the output of a run, which must end well."""
    out, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    return out


def epochs(folder: Path) -> list[tuple[float, float, float]]:
    """Return loss, test loss and test accuracy of each epoch in the log."""
    return [(record["loss"], record["test_loss"], record["test_accuracy"]) for record in log_of(folder)]


def test_two_train_as_one(inside: Inside) -> None:
    """From end to end, in every run of the suite; the long test below adds checkpoints, a death and a second start."""
    settings = *SMALL, "--epochs", 1
    with torchrun(2, *settings) as process:
        out = finished(process)
    code, expected, _ = inside(*settings)
    assert code == 0
    assert "784-16-10, relu, dropout 0.1, cross-entropy, float32 on cpu, 2 processes\n" in out
    lines, alone = ([line for line in text.splitlines() if line.startswith("epoch")] for text in (out, expected))
    assert lines == alone
    assert len(lines) == 1


@pytest.mark.long
def test_two_go_on_from_the_checkpoint_of_one_survive_a_death_and_train_as_one(inside: Inside, tmp_path: Path) -> None:
    """The first of the two is killed, which saves and keeps the meeting; the end is that of one process left alone."""
    one, two = tmp_path / "one", tmp_path / "two"
    settings = *SMALL, "--average", 0.9
    assert inside(*settings, "--epochs", 2, "--out-dir", one)[0] == 0
    shutil.copytree(one, two)
    more = *settings, "--epochs", 8, "--resume", "auto"
    with torchrun(2, *more, "--save-interval", 10, "--out-dir", two, restarts=1) as process:
        kill(process, 0, two / "last.pt", 3 * STEPS)
        out = finished(process)
    code, expected, _ = inside(*more, "--out-dir", one)
    assert code == 0
    assert out.count("784-16-10, relu, dropout 0.1, cross-entropy, float32 on cpu, 2 processes\n") == 2
    assert "goes on after step 160 of 640\n" in out
    lines, alone = ({line for line in text.splitlines() if line.startswith("epoch")} for text in (out, expected))
    assert lines == alone  # the losses to 4 digits, the accuracies
    assert out.splitlines()[-1].split()[:3] == expected.splitlines()[-1].split()[:3]
    assert [record["step"] for record in log_of(two)] == [STEPS * epoch for epoch in range(1, 9)]
    for got, other in zip(epochs(two), epochs(one), strict=True):
        assert got == pytest.approx(other, rel=1e-3)


def kill(process: subprocess.Popen[str], rank: int, path: Path, step: int) -> None:
    """Kill the process of a rank inside an epoch, as soon as the run has saved a step, or a later one.

    The checkpoint of an epoch's end is there before the line of the epoch is, so this kills only where the newest one
    is of another step. The process is halted meanwhile: it cannot save one more.
    """
    deadline = time.monotonic() + DEADLINE
    while True:
        if path.exists() and checkpoint.load(path).step >= step:
            pid = workers(process.pid)[rank]
            os.kill(pid, signal.SIGSTOP)
            while "State:\tT" not in Path(f"/proc/{pid}/status").read_text():
                time.sleep(0.001)
            if checkpoint.load(path).step % STEPS:
                os.kill(pid, signal.SIGKILL)
                return
            os.kill(pid, signal.SIGCONT)
        assert process.poll() is None, "the run was over before the kill"
        assert time.monotonic() < deadline, f"no checkpoint of step {step}"
        time.sleep(0.005)
