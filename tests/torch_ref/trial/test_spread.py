"""Trials in several processes: the same outcomes in the same order, and Ctrl-C ends them quietly."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from places import ROOT

from torch_ref.trial.processes import available, spread


def threads_of(number: int) -> tuple[int, int, int]:
    return number, os.getpid(), torch.get_num_threads()


@pytest.mark.long
def test_several_processes_give_every_outcome_in_order_with_their_own_threads() -> None:
    with spread(2, 1) as each:
        found = list(each(threads_of, range(20)))
    assert [number for number, _, _ in found] == list(range(20))
    assert os.getpid() not in {pid for _, pid, _ in found}
    assert {threads for _, _, threads in found} == {1}


def test_one_process_is_this_one() -> None:
    with spread(1, 2) as each:
        assert list(each(threads_of, [7])) == [(7, os.getpid(), 2)]


def interrupts_of(folder: Path) -> tuple[int, bool]:
    """Wait until two processes are at work, however long the second takes to start."""
    (folder / str(os.getpid())).touch()
    end = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    return os.getpid(), signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.long
def test_no_process_of_several_is_interrupted(tmp_path: Path) -> None:
    with spread(2, 1) as each:
        found = set(each(interrupts_of, [tmp_path] * 8))
    assert len(found) == 2
    assert all(is_ignored for _, is_ignored in found)


def test_as_many_as_there_are_processors() -> None:
    assert 1 <= available() <= (os.cpu_count() or 1)


SLEEPING = """
import sys, time
from torch_ref.trial.processes import spread
if __name__ == "__main__":
    try:
        with spread(2, 1) as each:
            for _ in each(time.sleep, [0.1] * 600):
                print("began", flush=True)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.long
def test_ctrl_c_is_for_the_first_process_and_leaves_none_behind(tmp_path) -> None:
    script = tmp_path / "sleeping.py"
    script.write_text(SLEEPING, encoding="utf-8")
    command = [sys.executable, str(script)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == b"began\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr.read() == b""  # to its end: every process that holds it has ended
    assert process.returncode == 130
