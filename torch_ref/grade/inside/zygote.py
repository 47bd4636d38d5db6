"""The process that all students' processes are forked from: torch and numpy are imported once, and shared.

No student's code runs in it. It reads a job, forks, passes on whatever the new process writes, and ends it in time.
Where a system cannot fork, a process like this runs one job itself, and ends.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import time

import torch

from . import wire
from .by_hand import close_autograd
from .job import limit_memory, run

LARGEST = 8 << 20
"""Bytes that a formula may write, at all points together."""

SLICE = 0.2
"""Seconds after which to look whether a process has ended, where something that it left still holds its pipe."""


def serve() -> None:
    """Answer jobs from standard input, one after the other, until it ends."""
    torch.set_num_threads(1)
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (requests, answers):
            msvcrt.setmode(descriptor, os.O_BINARY)
    close_autograd()
    if not hasattr(os, "fork"):
        _alone(requests, answers)
        return
    gc.collect()
    gc.freeze()  # a collection in a forked process would touch, and so copy, all that torch has in memory
    _written(answers, bytes(4) + wire.packed({"ready": True}))
    child: _Child | None = None
    while (job := _next(requests)) is not None:
        if child is not None and not job["more"]:
            child.end()
            child = None
        child = child or _Child((requests, answers), job)
        ending, written = child.answer(job)
        _written(answers, len(written).to_bytes(4) + wire.packed(ending) + written)
        if not ending["alive"]:
            child = None
    os._exit(0)


def warm() -> None:
    """Call what torch and numpy load more for when it is first called: later they find nothing that is not theirs."""
    x = torch.ones(2, 2, dtype=torch.float64)
    torch.testing.assert_close(x, x)
    torch.einsum("ij,jk->ik", x, x)
    torch.softmax(x @ x, 1).sum(0).numpy()
    repr(x)


def _alone(requests: int, answers: int) -> None:
    job = _next(requests)
    if job is not None:
        run(job, lambda message: _written(answers, wire.packed(message)), lambda: None)
    os._exit(0)


def _next(requests: int) -> wire.Message | None:
    """Return the next job, or part of one; None where there is none any more."""
    head = _read(requests, wire.HEAD.size)
    if len(head) < wire.HEAD.size:
        return None
    rest = _read(requests, sum(wire.HEAD.unpack(head)))
    return next(wire.unpacked(head + rest), None)


class _Child:
    """A process of its own for one class of a student's file: it is asked for one method after the other."""

    def __init__(self, ours: tuple[int, int], job: wire.Message) -> None:
        """Fork it; it runs the file and answers the first part of the job."""
        self.reading, writing = os.pipe()
        asking, self.asking = os.pipe()
        self.process, self.status, self.closing = os.fork(), None, False  # type: int, int | None, bool
        self.is_new = True
        if self.process == 0:
            with contextlib.suppress(BaseException):
                os.setsid()
                for descriptor in (*ours, self.reading, self.asking):
                    os.close(descriptor)
                del self.reading, self.asking
                limit_memory(job["memory_limit"])
                run(job, lambda message: _written(writing, wire.packed(message)), lambda: _next(asking))
                os._exit(0)
            os._exit(1)
        os.close(writing)
        os.close(asking)

    def answer(self, job: wire.Message) -> tuple[wire.Message, bytes]:
        """Return how a part of the job ended, and what was written; the process goes on where all of it came."""
        if not self.is_new:
            with contextlib.suppress(OSError):  # one that has ended says so below
                _written(self.asking, wire.packed(job))
        self.is_new = False
        written, why = self._listened(job["expected"], time.monotonic() + job["seconds"])
        if why == "all":
            return {"alive": True, "status": None, "why": ""}, written
        self.end()
        return {"alive": False, "status": None if why else self.status, "why": why}, written

    def _listened(self, expected: int, deadline: float) -> tuple[bytes, str]:
        """Return what it writes until it ends, and why no more was heard: 'all' came, or it was stopped; '' if not."""
        written, counted = bytearray(), _Counted()
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return bytes(written), "no-answer"
            if not select.select([self.reading], [], [], min(left, SLICE))[0]:
                if self._has_ended():
                    return bytes(written), ""
                continue
            piece = os.read(self.reading, 1 << 16)
            if not piece:
                self.closing = True
                return bytes(written), ""
            written += piece
            if len(written) > LARGEST:
                return bytes(written), "too-much"
            if counted.messages(written) >= expected:
                return bytes(written), "all"

    def _has_ended(self) -> bool:
        """Tell whether it has ended by itself."""
        if self.status is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if process else None
        return self.status is not None

    def end(self) -> None:
        """End it, and all that it started; let one that is just ending give its own status."""
        for descriptor in (self.reading, self.asking):
            os.close(descriptor)
        deadline = time.monotonic() + 0.5
        while not self._has_ended() and self.closing and time.monotonic() < deadline:
            time.sleep(0.001)
        for end in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(self.process, signal.SIGKILL)
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


class _Counted:
    """Counts the messages in bytes that grow."""

    def __init__(self) -> None:
        self.at, self.count = 0, 0

    def messages(self, written: bytearray) -> int:
        """Return how many are whole by now."""
        while len(written) >= self.at + wire.HEAD.size:
            end = self.at + wire.HEAD.size + sum(wire.HEAD.unpack_from(written, self.at))
            if end > len(written):
                break
            self.at, self.count = end, self.count + 1
        return self.count


def _read(descriptor: int, count: int) -> bytes:
    found = bytearray()
    while len(found) < count and (piece := os.read(descriptor, count - len(found))):
        found += piece
    return bytes(found)


def _written(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
