"""One job: a student's file is run, and then one method of one of its classes after the other, at every point.

Messages go out one after the other: that the file has been imported, then an array or a failure for each formula at
each point. What the next method needs, as the right y, comes only when all answers before it have gone out.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from .by_hand import refuse
from .calls import Call
from .closed import close
from .formula import Formula
from .watch import Watch
from .whole import Whole
from .wire import Message

Send = Callable[[Message], None]


def run(asked: Message, send: Send, next_part: Callable[[], Message | None]) -> None:
    """Run the methods of one class of a student's file at every point."""
    refuse.path, refuse.send = asked["path"], send
    code = compile(asked["source"], asked["path"], "exec", dont_inherit=True)
    _hide()
    importing = Call({}, asked["path"], asked["memory_limit"])
    module = ModuleType("student")
    module.__file__ = asked["path"]
    sys.modules["student"] = module
    watch = Watch(asked["path"])
    if "whole" in asked:
        sys.settrace(watch)
    close(_readable(), code)
    importing(exec, code, module.__dict__)
    if importing.failure:
        send({"imported": False, "failure": importing.failure.text})
        return
    send({"imported": True})
    part: Message | None = asked
    while part is not None:
        for point in part["points"]:
            for message in _asked(module, asked, part["method"], point, watch):
                send(message)
        part = next_part()


def _asked(module: ModuleType, asked: Message, method: str, point: Message, watch: Watch) -> list[Message]:
    if "whole" in asked:
        return Whole(module, asked, method, point, watch).values()
    return Formula(module, asked, method, point).values()


def _readable() -> list[str]:
    """Return the folders of Python, torch and numpy."""
    own = [str(Path(str(module.__file__)).parent) for module in (torch, np)]
    return [*own, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]


def _hide() -> None:
    """Take this folder out of what can be imported: nothing in it is of use to a formula."""
    for name in [n for n in sys.modules if n.partition(".")[0] == __name__.partition(".")[0]]:
        del sys.modules[name]
    sys.modules["__main__"] = ModuleType("__main__")


def limit_memory(mebibytes: int) -> None:
    """Let this process map so much more memory than it has now, and write no file; where the system can."""
    if sys.platform == "linux":
        import resource  # not on every system

        mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        limit = mapped + (mebibytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for of in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
            resource.setrlimit(of, (0, 0))
