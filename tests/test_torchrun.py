"""What ``torchrun`` says, and ``torchrun train.py``: the run of one process by several, and after kills."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import Inside, log_of
from processes_worker import DEADLINE, ROOT, loopback
from torch.distributed import is_initialized

from manual_bp.training import checkpoint
from manual_bp.training.processes import Processes

SMALL = "--hidden", 16, "--lr-schedule", "constant"
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


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two epochs by two processes: the folder and what was printed."""
    folder = tmp_path_factory.mktemp("runs") / "two"
    with torchrun(2, *SMALL, "--epochs", 2, "--out-dir", folder) as process:
        return folder, finished(process)


def test_two_processes_train_as_one(of_two: tuple[Path, str], inside: Inside, tmp_path: Path) -> None:
    folder, out = of_two
    code, expected, _ = inside(*SMALL, "--epochs", 2, "--out-dir", tmp_path / "one")
    assert code == 0
    lines, expected_lines = out.splitlines(), expected.splitlines()
    assert lines[0] == expected_lines[0].replace("engine manual", "2 processes")
    assert lines[1:-1] == expected_lines[1:-1]  # the losses to 4 digits, the accuracies
    assert lines[-1].split()[:3] == expected_lines[-1].split()[:3]
    for got, one in zip(epochs(folder), epochs(tmp_path / "one"), strict=True):
        assert got == pytest.approx(one, rel=1e-4)


def test_three_go_on_from_the_checkpoint_of_two(of_two: tuple[Path, str], inside: Inside, tmp_path: Path) -> None:
    folder, _ = of_two
    with torchrun(3, "--resume", folder / "last.pt", "--epochs", 3, "--out-dir", tmp_path / "three") as process:
        out = finished(process)
    assert "goes on after step 160 of 240" in out
    assert inside("--resume", folder / "last.pt", "--epochs", 3, "--out-dir", tmp_path / "one")[0] == 0
    assert epochs(tmp_path / "three")[-1] == pytest.approx(epochs(tmp_path / "one")[-1], rel=1e-4)
    assert checkpoint.load(tmp_path / "three" / "last.pt").step == 3 * STEPS


def test_a_run_survives_the_death_of_any_process(of_two: tuple[Path, str], tmp_path: Path) -> None:
    """Kill the second process, then the first, which saves; the epochs are those of the run left alone, bit for bit."""
    folder, more = tmp_path / "killed", ("--epochs", 12, "--save-interval", 10, "--resume", "auto")
    with torchrun(2, *SMALL, *more, "--out-dir", folder, restarts=3) as process:
        for rank, step in ((1, 10), (0, 100)):
            kill(process, rank, folder / "last.pt", step)
        out = finished(process)
    assert out.count("goes on after step") == 2
    assert [record["step"] for record in log_of(folder)] == [STEPS * epoch for epoch in range(1, 13)]
    assert epochs(folder)[:2] == epochs(of_two[0])


def kill(process: subprocess.Popen[str], rank: int, path: Path, step: int) -> None:
    """Kill the process of a rank as soon as the run has saved a step, or a later one."""
    deadline = time.monotonic() + DEADLINE
    while not path.exists() or checkpoint.load(path).step < step:
        assert process.poll() is None, "the run was over before the kill"
        assert time.monotonic() < deadline, f"no checkpoint of step {step}"
        time.sleep(0.005)
    os.kill(workers(process.pid)[rank], signal.SIGKILL)
