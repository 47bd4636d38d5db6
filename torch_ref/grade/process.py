"""A job in a process of its own: started, timed, and ended whatever it does."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pickle import UnpicklingError
from types import ModuleType

from torch_ref.grade import worker
from torch_ref.grade.messages import Message, packed, unpacked
from torch_ref.steps.step import Failure

STARTING = 120.0
"""Seconds that a process may take before the student's code starts: where it is not forked, it imports torch first."""

LARGEST = 4 << 20
"""Bytes of a message: tensors are at most 100,000 numbers."""


@dataclass(frozen=True)
class Limits:
    """What a formula may take, at all points together."""

    seconds: float = 10.0
    mebibytes: int = 1024
    """On top of what Python and torch take."""


@dataclass(frozen=True)
class Transcript:
    """The messages of a process, and how it ended where some of them are missing."""

    messages: tuple[Message, ...]
    ending: Failure | None = None
    """None where all of them came."""


def run(job: Message, expected: int, limits: Limits) -> Transcript:
    """Run a job and return its messages; ``expected`` says how many there should be after the first, its start."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = _started(theirs, packed(job | {"memory_limit": limits.mebibytes}))
    try:
        return _listened(process, ours, expected, limits)
    finally:
        process.kill()
        process.join()
        ours.close()


def _started(theirs: Connection, job: bytes) -> BaseProcess:
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    context.set_forkserver_preload(["torch_ref.grade.ready"])  # one import of torch for all
    process: BaseProcess = context.Process(target=worker.main, args=(theirs, job), daemon=True)  # type: ignore[attr-defined]
    with _no_main_program():
        process.start()
    theirs.close()
    return process


@contextmanager
def _no_main_program() -> Iterator[None]:
    """Hide the main program from a process that starts: it would import it again, and needs nothing of it."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def _listened(process: BaseProcess, ours: Connection, expected: int, limits: Limits) -> Transcript:
    messages: list[Message] = []
    deadline = time.monotonic() + STARTING
    while len(messages) <= expected:
        if not ours.poll(max(0.0, deadline - time.monotonic())):
            return Transcript(tuple(messages[1:]), Failure("no-answer", f"no answer within {limits.seconds:g} s"))
        try:
            messages.append(unpacked(ours.recv_bytes(LARGEST)))
        except (EOFError, OSError):
            return Transcript(tuple(messages[1:]), _ending(process))
        except (RuntimeError, ValueError, UnpicklingError):
            return Transcript(
                tuple(messages[1:]), Failure("process-ended", "the process sent something that is no answer")
            )
        if len(messages) == 1:
            deadline = time.monotonic() + limits.seconds
        elif not messages[-1].get("imported", True):
            break
    return Transcript(tuple(messages[1:]))


def _ending(process: BaseProcess) -> Failure:
    process.join(5)
    code = process.exitcode
    text = "the process stopped answering" if code is None else f"the process ended with exit code {code}"
    if code is not None and code < 0:
        text = f"the process ended with signal {-code} ({signal.Signals(-code).name})"
    return Failure("process-ended", text)
