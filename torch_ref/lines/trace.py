"""Run somebody's function, statement by statement, and record every value that its variables had."""

from __future__ import annotations

import dis
import functools
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from types import CodeType, FrameType
from typing import Any, cast

from torch import nn

from torch_ref.lines.calls import Calls, is_theirs
from torch_ref.lines.places import copied
from torch_ref.lines.record import Record, Version
from torch_ref.lines.source import Source, Statement

RETURNED = "return"
"""The place of what is returned, as in return[0]."""

STORE_GLOBAL = dis.opmap["STORE_GLOBAL"]


class TooLongError(BaseException):
    """More lines ran than may; no Exception, which somebody's code may catch."""


@dataclass(frozen=True)
class Run:
    """One run of a function."""

    versions: tuple[Version, ...]
    returned: Any
    variables: Mapping[str, Any]
    """What the variables were bound to at the end."""
    failure: str = ""
    """What it raised, and where; '' where it came to its end."""
    changed: tuple[str, ...] = ()
    """The names of what it was given, and changed in place."""
    upstream: tuple[str, ...] = ()
    """The parameters that were given the gradients of outputs."""
    lines: int = 0
    """How often a line was begun."""

    @functools.cached_property
    def places(self) -> dict[str, list[Version]]:
        """Return the versions of each place in order."""
        found = defaultdict(list)
        for version in self.versions:
            found[version.place].append(version)
        return dict(found)

    @functools.cached_property
    def _first(self) -> dict[int, Version]:
        return {version.made: version for version in reversed(self.versions)}

    def origin(self, version: Version) -> Version:
        """Return the first version that is the same value: where it was made, under whichever name."""
        return self._first[version.made]


def run(
    function: Callable[..., Any],
    arguments: Sequence[Any] = (),
    named: Mapping[str, Any] | None = None,
    keep: Callable[[Any], Any] = copied,
    calls: Calls | None = None,
    *,
    ends_only: bool = False,
    most: float = inf,
) -> Run:
    """Call a function, a method, a module or a callable object, and record the values of its variables.

    ``keep`` says what is kept of a value when it is made: a copy, unless told otherwise. Only the first call of the
    function itself is recorded; ``calls`` collects what the functions that it calls are given. What it raises is part
    of what is returned. A trace function that was there before is put aside meanwhile. With ``ends_only`` the variables
    are read at the end alone, which is quick: there are no versions then. Raises TooLongError after ``most`` lines,
    those of other functions too.
    """
    code = code_of(function)
    tracer = _Tracer(code, keep, calls, ends_only, most)
    earlier, returned, failure = sys.gettrace(), None, ""
    sys._getframe().f_trace_opcodes = tracer.may_be_dense  # Python 3.12: settrace looks whether a frame asks for them
    sys.settrace(tracer.called)
    try:
        returned = function(*arguments, **(named or {}))
    except (Exception, SystemExit) as error:  # whatever somebody's code raises is what there is to say
        failure = f"raises {type(error).__name__}: {error}"
    finally:
        sys.settrace(earlier)
    record = tracer.record
    if failure:
        failure = f"{failure} ({record.now.source})" if record.now else failure
    elif not ends_only:
        record.after(record.now, {RETURNED: returned})
    return Run(tuple(record.versions), returned, record.variables, failure, lines=tracer.lines)


def code_of(function: Callable[..., Any]) -> CodeType:
    """Return the code that runs when something is called: of a module that of its forward.

    Raises TypeError where it is not written in Python.
    """
    found: Any = function
    while isinstance(found, functools.partial):
        found = found.func
    found = found.forward if isinstance(found, nn.Module) else found
    if not hasattr(found, "__code__") and not hasattr(found, "__wrapped__"):
        found = getattr(found, "__call__", found)  # noqa: B004
    code = getattr(inspect.unwrap(found), "__code__", None)
    if not isinstance(code, CodeType):
        raise TypeError(f"reading the lines of a function expects one written in Python, got {function!r}")
    return code


def _globals_of(code: CodeType) -> set[str]:
    """Return the global variables that a code writes."""
    if STORE_GLOBAL not in code.co_code[::2]:  # every other byte says what is done; to read them all takes long
        return set()
    return {i.argval for i in dis.get_instructions(code) if i.opcode == STORE_GLOBAL}


class _Tracer:
    """Follows the first frame of a code object, statement by statement."""

    def __init__(
        self, code: CodeType, keep: Callable[[Any], Any], calls: Calls | None, ends_only: bool, most: float
    ) -> None:
        self.keep, self.calls, self.ends_only, self.most, self.lines = keep, calls, ends_only, most, 0
        self._expect(code)

    def _expect(self, code: CodeType) -> None:
        self.code, self.frame = code, cast(FrameType | None, None)
        self.record = Record(Source(code), self.keep)
        self.is_dense = not self.ends_only and self.record.source.is_dense
        self.may_be_dense = self.is_dense or (not self.ends_only and code.co_name == "<lambda>")  # it may stand for one
        self.globals = _globals_of(code)

    def called(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Begin with the first call of the code; leave alone what else is called.

        A lambda that calls somebody's function only stands for it.
        """
        if (
            self.frame is not None
            and self.code.co_name == "<lambda>"
            and frame.f_back is self.frame
            and is_theirs(frame)
        ):
            self._expect(frame.f_code)
        if frame.f_code is not self.code or self.frame is not None:
            return self._other(frame)
        self.frame = frame
        if self.ends_only:
            frame.f_trace_lines = False
            return self.inside
        if self.is_dense:
            frame.f_trace = self.inside  # Python 3.13 follows instructions only where this is set before
            frame.f_trace_opcodes = True
        self.record.begin(self._variables(), Statement(self.code.co_filename, self.code.co_firstlineno))
        return self.inside

    def _other(self, frame: FrameType) -> Any:
        """Collect the call of another function, where that is asked for."""
        if self.most < inf and is_theirs(frame):
            return self._counting
        if self.calls is None or self.frame is None:
            return None
        caller = frame.f_back
        while caller is not None and not is_theirs(caller):
            caller = caller.f_back
        where = self.record.now if caller is self.frame else None
        one = self.calls.begin(frame, where, len(self.record.versions))
        frame.f_trace_lines = False

        def until_the_end(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "return" and one is not None:
                Calls.end(one, frame, argument)
            return until_the_end

        return None if one is None else until_the_end

    def _counting(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Count the lines of another function."""
        self._count(event)
        return self._counting

    def _count(self, event: str) -> None:
        self.lines += event == "line"
        if self.lines > self.most:
            raise TooLongError

    def _variables(self) -> Mapping[str, Any]:
        """Return the variables of the frame; of a notebook's cell, which has everybody's, those that it names."""
        if self.frame is None:
            return {}
        found, others = self.frame.f_locals, self.frame.f_globals
        if self.code.co_name == "<module>":
            return {name: found[name] for name in self.code.co_names if name in found}
        written = {name: others[name] for name in self.globals if name in others}
        return found | written if written else found

    def inside(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Look at what the last statement did where another begins, or where the function ends."""
        record = self.record
        self._count(event)
        if frame is not self.frame:  # a lambda that stands for what it called
            return None
        if event == "return":
            record.after(record.now, self._variables())
            record.variables = dict(self._variables())
        elif event == ("opcode" if self.is_dense else "line"):
            source = record.source
            upcoming = source.by_instruction.get(frame.f_lasti) if self.is_dense else source.at_line(frame.f_lineno)
            if upcoming is not None and upcoming is not record.now:
                record.after(record.now, self._variables())
                record.now = upcoming
        return self.inside
