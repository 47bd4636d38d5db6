"""What runs in a process of its own: a student's file, and one of its formulas at every point.

A job comes in as bytes. Messages go out as bytes, one after the other: that the student's code starts now, that the
file has been imported, then a value or a failure in words for each point.
"""

from __future__ import annotations

import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

import torch

from torch_ref.grade.guard import Guard
from torch_ref.grade.messages import Message, packed, unpacked
from torch_ref.grade.students import StudentsCall, StudentsFormula, plain


def main(connection: Connection, job: bytes) -> None:
    """Run one formula of a student's file at every point."""
    asked = unpacked(job)
    _silence()
    torch.set_num_threads(1)
    _limit_memory(asked["memory_limit"])
    guard = Guard(asked["path"])
    guard.close_autograd()
    connection.send_bytes(packed({"started": True}))
    with torch.inference_mode(), guard:
        _answer(connection, asked, guard)


def _answer(connection: Connection, asked: Message, guard: Guard) -> None:
    importing = StudentsCall({}, asked)
    module = importing(_imported, asked["path"], asked["source"])
    if module is None or guard.refused:
        connection.send_bytes(packed({"refused": guard.refused, "imported": False, "failure": _words(importing)}))
        return
    connection.send_bytes(packed({"imported": True}))
    for point in asked["points"]:
        value = StudentsFormula(module, asked, point).value()
        connection.send_bytes(packed({"refused": guard.refused, **plain(value)}))


def _words(call: StudentsCall) -> str:
    return call.failure.text if call.failure else ""


def _imported(path: str, source: str) -> ModuleType:
    """Return the module of the source that was read and scanned, as if it had been imported from its path."""
    module = ModuleType("student")
    module.__file__ = path
    sys.modules["student"] = module
    exec(compile(source, path, "exec"), module.__dict__)
    return module


def _silence() -> None:
    """Send what the student's code prints nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def memory_can_be_limited() -> bool:
    """Tell whether this system can limit a process's memory."""
    return sys.platform == "linux"


def _limit_memory(mebibytes: int) -> None:
    """Let this process map so much more memory than it has now, and write no core file; where the system can."""
    if memory_can_be_limited():
        import resource  # not on every system

        mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        limit = mapped + (mebibytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
