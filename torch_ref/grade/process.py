"""The process in which students' code runs: started from a copy of ``inside``, asked, and read with distrust."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch

from torch_ref.grade import inside
from torch_ref.grade.inside.wire import HEAD, Message, packed, unpacked
from torch_ref.steps.step import Failure

STARTING = 120.0
"""Seconds that a process may take to import torch."""

SLACK = 20.0
"""Seconds beyond the limit of a formula after which the process that all are forked from counts as lost."""

START = """import sys
sys.path[:0] = sys.argv[1:]
from inside import zygote
zygote.warm()
del sys.path[:len(sys.argv) - 1]
zygote.serve()"""

FORKS = hasattr(os, "fork")


@dataclass(frozen=True)
class Limits:
    """What a formula may take, at all points together."""

    seconds: float = 10.0
    mebibytes: int = 1024
    """On top of what Python and torch take."""


@dataclass(frozen=True)
class Transcript:
    """The messages of a process about one part of a job, and how it ended where some of them are missing."""

    messages: tuple[Message, ...]
    ending: Failure | None = None
    """None where all of them came."""
    begins: bool = True
    """Whether the first message says if the file could be imported."""


class NotStartedError(RuntimeError):
    """The process for students' code cannot start here: no file can be graded."""


class Students:
    """A process that holds torch, numpy and no answer, from which one is forked for every class of a file."""

    def __init__(self) -> None:
        """Start nothing before there is a job."""
        self._process: subprocess.Popen[bytes] | None = None
        self._goes_on: Message | None = None

    def run(self, job: Message, part: Message, limits: Limits) -> Transcript:
        """Run one part of a job, a method at its points, and return the messages; a point says what it makes.

        The process of the part before goes on where it has answered all of that; else another one begins anew.
        """
        more = self._goes_on is job
        expected = sum(len(point["makes"]) + point.get("watched", False) for point in part["points"]) + (not more)
        asked = part | {"more": more, "expected": expected, "seconds": limits.seconds}
        asked |= {} if more else {**job, "memory_limit": limits.mebibytes}
        self._goes_on = None
        try:
            ending, written = (self._forked if FORKS else _alone)(packed(asked), limits)
        except (OSError, EOFError, TimeoutError):  # whatever it was, it was this method
            self.close()
            return Transcript((), Failure("process-ended", "the process stopped answering"), not more)
        messages, is_whole = _received(written)
        told = any("refused" in m or m.get("imported") is False for m in messages)
        if told or sum("refused" not in m for m in messages) >= expected:
            self._goes_on = job if ending.get("alive") is True and not told else None
            return Transcript(messages, begins=not more)
        return Transcript(messages, _failure(ending, limits) if is_whole else NO_ANSWER, not more)

    def close(self) -> None:
        """End the process; the next job starts another."""
        self._goes_on = None
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    assert pipe is not None
                    pipe.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    def _forked(self, job: bytes, limits: Limits) -> tuple[Message, bytes]:
        if self._process is None:
            self._process = _ready()
        assert self._process.stdin is not None
        self._process.stdin.write(job)
        self._process.stdin.flush()
        return _answer(self._process, limits.seconds + SLACK)


STUDENTS = Students()
"""The one of this process: it serves one file after the other."""

atexit.register(STUDENTS.close)


def _answer(process: subprocess.Popen[bytes], seconds: float) -> tuple[Message, bytes]:
    """Return how a job ended and what was written; raise EOFError or TimeoutError where no answer comes."""
    deadline = time.monotonic() + seconds
    of_written = int.from_bytes(_read(process, 4, deadline))
    first = _read(process, HEAD.size, deadline)
    (ending,) = unpacked(first + _read(process, sum(HEAD.unpack(first)), deadline))
    return ending, _read(process, of_written, deadline)


def _read(process: subprocess.Popen[bytes], count: int, deadline: float) -> bytes:
    assert process.stdout is not None
    pipe, found = process.stdout.fileno(), bytearray()
    while len(found) < count:
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        piece = os.read(pipe, count - len(found))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)


def _ready() -> subprocess.Popen[bytes]:
    """Return a process that takes jobs; raise NotStartedError where it cannot begin."""
    with _started() as (process, errors):
        try:
            _answer(process, STARTING)
        except (EOFError, TimeoutError):
            process.kill()
            process.communicate()
            said = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise NotStartedError(
                f"the process for students' code does not start: {said[-1] if said else ''}"
            ) from None
    return process


@contextlib.contextmanager
def _started() -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start a process that knows where torch and numpy are, and nothing else of this one; also yield its errors.

    Its code is a copy, which is gone at the end of the context.
    """
    own = (str(Path(str(module.__file__)).parent.parent) for module in (torch, numpy))
    installed = (folder for folder in sys.path if folder.rstrip("/\\").endswith("-packages"))
    folders = list(dict.fromkeys([*own, *installed]))  # all of them are gone from its path before a student's code runs
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as copied:
        code = Path(str(inside.__file__)).parent
        shutil.copytree(code, Path(copied) / "inside", ignore=shutil.ignore_patterns("__pycache__"))
        errors = Path(copied) / "errors"
        with errors.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", START, copied, *folders],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, cwd=os.sep,
                env={name: os.environ[name] for name in KEPT if name in os.environ} | THREADS,
            )  # fmt: skip
        yield process, errors


def _alone(job: bytes, limits: Limits) -> tuple[Message, bytes]:
    """Run a job where nothing can be forked, in a process that imports torch for it."""
    with _started() as (process, _):
        try:
            written, _ = process.communicate(job, timeout=STARTING + limits.seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return {"why": "no-answer"}, process.communicate()[0]
    return {"status": process.returncode}, written


KEPT = ("SYSTEMROOT", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What of the environment a process needs in order to start."""

THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


NO_ANSWER = Failure("process-ended", "the process sent something that is no answer")


def _received(written: bytes) -> tuple[tuple[Message, ...], bool]:
    """Return the messages that a process wrote, and whether there is nothing else behind them."""
    messages = list[Message]()
    try:
        messages.extend(unpacked(written))
    except ValueError:
        return tuple(messages), False
    return tuple(messages), True


def memory_can_be_limited() -> bool:
    """Tell whether this system can limit a process's memory."""
    return sys.platform == "linux"


def _failure(ending: Message, limits: Limits) -> Failure:
    """Say in words how a process ended."""
    why, code = ending.get("why"), ending.get("status")
    if why == "no-answer":
        return Failure("no-answer", f"no answer within {limits.seconds:g} s")
    if why == "too-much":
        return NO_ANSWER
    text = "the process stopped answering" if code is None else f"the process ended with exit code {code}"
    if code is not None and code < 0:
        text = f"the process ended with signal {-code} ({_signal(-code)})"
    return Failure("process-ended", text)


def _signal(number: int) -> str:
    """Return the name of a signal; those for real time have none of their own."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}" if hasattr(signal, "SIGRTMIN") else "no name"
