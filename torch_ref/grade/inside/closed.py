"""While a student's code runs, Python itself refuses what a formula has no use for (audit hooks, PEP 578).

That is files other than Python's, torch's and numpy's own, other processes, threads, the network, ctypes, the objects
of others through gc, and code put together from text. Whoever asks gets a PermissionError. It stops accidents and
short cuts; it is no sandbox.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

from .by_hand import refuse

OURS = ("manual_bp", "torch_ref")
"""Somebody else's formulas, and the reference."""

FORBIDDEN = (
    "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "os.killpg",
    "pty.spawn", "socket.", "ctypes.", "gc.", "mmap.", "sys.addaudithook", "sys.settrace",
    "sys.setprofile", "sys._current_", "code.__new__", "shutil.", "tempfile.", "sqlite3.", "urllib.", "http.",
    "ftplib.", "smtplib.", "webbrowser.", "resource.", "signal.pthread_kill",
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "os.chdir", "os.setxattr",
)  # fmt: skip
"""The beginnings of events that no formula gives rise to."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC

MAY_MAKE_CODE = ("dataclasses.py", f"collections{os.sep}__init__.py", "typing.py")
"""Files of the standard library that write functions."""


def close(readable: Sequence[str], code: CodeType) -> None:
    """Refuse from now on; ``readable`` are the folders whose files may be read, ``code`` is the student's file."""
    _close_threads()
    sys.addaudithook(_hook(tuple(os.path.realpath(folder) + os.sep for folder in readable), code))


def _close_threads() -> None:
    """Let no thread be started: what refuses derivatives belongs to the one thread there is."""
    starts = [
        getattr(_thread, name) for name in ("start_new_thread", "start_joinable_thread") if hasattr(_thread, name)
    ]
    for module in (_thread, threading):
        for name, value in list(vars(module).items()):
            if value in starts:
                setattr(module, name, _no_thread)


def _no_thread(*_: Any, **__: Any) -> None:
    raise PermissionError("a formula starts no threads")


def _hook(readable: tuple[str, ...], code: CodeType) -> Callable[[str, tuple[Any, ...]], None]:
    """Return the hook. It keeps what it needs to itself: a student's code may put others in the place of names."""
    real, absolute, text_of, frame_of, own = os.path.realpath, os.path.isabs, os.fsdecode, sys._getframe, os.getpid()
    inside, packages = os.sep + "site-packages" + os.sep, tuple(f for f in readable if "-packages" in f)
    null, path = os.devnull, code.co_filename

    def may_read(name: Any, flags: Any) -> bool:
        if isinstance(name, int):
            return True
        file = text_of(name)
        if file == null:
            return True
        whole = real(file) + os.sep
        within = whole.startswith(readable) and (inside not in whole or whole.startswith(packages))
        return within and absolute(file) and not (isinstance(flags, int) and flags & WRITING)

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event == "sys._getframe":
            return
        if event == "open":
            if not may_read(given[0], given[2]):
                raise PermissionError("a formula opens no files")
        elif event in ("os.listdir", "os.scandir"):
            if not may_read(given[0] or ".", 0):
                raise PermissionError("a formula reads no folders")
        elif event == "import":
            if given[0].partition(".")[0] in OURS:
                refuse(given[0])
        elif event in ("exec", "compile", "marshal.loads"):
            caller = frame_of(1).f_code.co_filename
            may = caller.startswith("<frozen importlib") or (event == "compile" and caller.endswith(os.sep + "ast.py"))
            may = may or (caller.endswith(MAY_MAKE_CODE) and caller.startswith(readable))
            if given[0] is not code and (caller == path or not may):
                raise PermissionError("a formula makes no code of text")
        elif event == "os.kill":
            if given[0] != own:
                raise PermissionError("a formula ends no other process")
        elif event in ("object.__setattr__", "object.__getattr__"):
            if given[1] in ("__code__", "tb_frame") and frame_of(1).f_code.co_filename == path:
                raise PermissionError(f"a formula has no use for {given[1]}")
        elif event.startswith(FORBIDDEN):
            raise PermissionError(f"a formula has no use for {event}")

    return hook
