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
    while (job := _next(requests)) is not None:
        ending, written = _forked(job, (requests, answers))
        _written(answers, len(written).to_bytes(4) + wire.packed(ending) + written)
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
        run(job, lambda message: _written(answers, wire.packed(message)))
    os._exit(0)


def _next(requests: int) -> wire.Message | None:
    """Return the next job; None where there is none any more."""
    head = _read(requests, wire.HEAD.size)
    if len(head) < wire.HEAD.size:
        return None
    rest = _read(requests, sum(wire.HEAD.unpack(head)))
    return next(wire.unpacked(head + rest), None)


def _forked(job: wire.Message, ours: tuple[int, int]) -> tuple[wire.Message, bytes]:
    """Run a job in a process of its own; return how that ended, and what it wrote."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        with contextlib.suppress(BaseException):
            os.setsid()
            for descriptor in (*ours, reading):
                os.close(descriptor)
            limit_memory(job["memory_limit"])
            run(job, lambda message: _written(writing, wire.packed(message)))
            os._exit(0)
        os._exit(1)
    os.close(writing)
    ended = _Ended(process)
    try:
        written, why = _listened(reading, time.monotonic() + job["seconds"], ended)
    finally:
        os.close(reading)
        ended.now()
    return {"status": None if why else ended.status, "why": why}, written


class _Ended:
    """Whether a process has ended, and with what."""

    def __init__(self, process: int) -> None:
        self.process, self.status = process, None  # type: tuple[int, int | None]

    def seen(self) -> bool:
        """Tell whether it has ended by itself."""
        if self.status is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if process else None
        return self.status is not None

    def now(self) -> None:
        """End it, and all that it started; let one that is just ending give its own status."""
        deadline = time.monotonic() + 0.5
        while not self.seen() and self.closing and time.monotonic() < deadline:
            time.sleep(0.001)
        for end in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(self.process, signal.SIGKILL)
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    closing = False
    """Whether it has closed its pipe, as a process does that ends."""


def _listened(reading: int, deadline: float, ended: _Ended) -> tuple[bytes, str]:
    """Return what a process writes until it ends, and why it was stopped; '' where it was not."""
    written = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return bytes(written), "no-answer"
        if not select.select([reading], [], [], min(left, SLICE))[0]:
            if ended.seen():
                return bytes(written), ""
            continue
        piece = os.read(reading, 1 << 16)
        if not piece:
            ended.closing = True
            return bytes(written), ""
        written += piece
        if len(written) > LARGEST:
            return bytes(written), "too-much"


def _read(descriptor: int, count: int) -> bytes:
    found = bytearray()
    while len(found) < count and (piece := os.read(descriptor, count - len(found))):
        found += piece
    return bytes(found)


def _written(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
