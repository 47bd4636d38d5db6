"""Run somebody's function and record every value that its variables had, with the statement that made it.

A variable gets a new version where it is bound to another value, or where its numbers are changed in place. Parts of
lists and dicts, and attributes of objects, count as variables. What is kept of a value is the caller's choice.
"""

from __future__ import annotations

import dis
import functools
import inspect
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, cast

import numpy as np
from torch import nn

from torch_ref.lines.places import NOT_THEIRS, copied, is_changed, is_number, memory_of, state_of, values_in
from torch_ref.lines.source import Source, Statement

RETURNED = "return"
"""The place of what is returned, as in return[0]."""


@dataclass(frozen=True)
class Version:
    """One value of a variable."""

    place: str
    value: Any
    """What was kept of it when it was made."""
    where: Statement
    time: int
    """Which value of the variable this is, of those that the same statement made; 1 first."""
    order: int
    """Of all values of a run; arguments come first."""
    made: int
    """The same for one value under several names, as long as its numbers stay."""
    given: bool = False
    """Whether it was there before the first statement."""


@dataclass(frozen=True)
class Run:
    """One run of a function."""

    versions: tuple[Version, ...]
    returned: Any
    variables: Mapping[str, Any]
    """What the variables were bound to at the end."""
    failure: str = ""
    """What it raised, and where; '' where it came to its end."""

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
) -> Run:
    """Call a function, a method, a module or a callable object, and record the values of its variables.

    ``keep`` says what is kept of a value when it is made: a copy, unless told otherwise. Only the first call of the
    function itself is recorded, not what it calls. What it raises is part of what is returned. A trace function that
    was there before is put aside meanwhile.
    """
    code = code_of(function)
    tracer = _Tracer(code, keep)
    earlier, returned, failure = sys.gettrace(), None, ""
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
    else:
        record.after(record.now, {RETURNED: returned})
    return Run(tuple(record.versions), returned, record.variables, failure)


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


class _Tracer:
    """Follows the first frame of a code object, statement by statement."""

    def __init__(self, code: CodeType, keep: Callable[[Any], Any]) -> None:
        self.keep = keep
        self._expect(code)

    def _expect(self, code: CodeType) -> None:
        self.code, self.frame = code, cast(FrameType | None, None)
        self.record = _Record(Source(code), self.keep)
        self.is_dense = self.record.source.is_dense
        self.globals = {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_GLOBAL"}

    def called(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Begin with the first call of the code; leave alone what else is called.

        A lambda that calls somebody's function only stands for it.
        """
        if (
            self.frame is not None
            and self.code.co_name == "<lambda>"
            and frame.f_back is self.frame
            and _is_theirs(frame)
        ):
            self._expect(frame.f_code)
        if frame.f_code is not self.code or self.frame is not None:
            return None
        self.frame, frame.f_trace_opcodes = frame, self.is_dense
        self.record.begin(self._variables(), Statement(self.code.co_filename, self.code.co_firstlineno))
        return self.inside

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


def _is_theirs(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).split(".")[0] not in {*NOT_THEIRS, "torch_ref"}


@dataclass
class _Known:
    """A value that was seen, which stays alive so that its id is its own."""

    value: Any
    state: Any
    made: int
    kept: Any


@dataclass
class _Record:
    """The versions up to now, and what has to be known to see the next ones."""

    source: Source
    keep: Callable[[Any], Any]
    now: Statement | None = None
    """What runs."""
    versions: list[Version] = field(default_factory=list)
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Those at the end."""
    _known: dict[int, _Known] = field(default_factory=dict)
    _holders: dict[str, Any] = field(default_factory=dict)
    """What each variable is bound to."""
    _held: dict[str, _Known] = field(default_factory=dict)
    """The value at each place."""
    _made_there: dict[str, int] = field(default_factory=dict)
    _in_memory: defaultdict[int, list[_Known]] = field(default_factory=lambda: defaultdict(list))
    _times: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    _count: int = 0

    def begin(self, variables: Mapping[str, Any], where: Statement) -> None:
        """Take what is there before the first statement."""
        self.now, self.variables = where, variables
        self._look(variables, where, given=True)

    def after(self, statement: Statement | None, variables: Mapping[str, Any]) -> None:
        """Record what a statement did."""
        if statement is not None:
            self._look(variables, statement, given=False)

    def _look(self, variables: Mapping[str, Any], statement: Statement, given: bool) -> None:
        changed: list[_Known] = []
        for name, value in list(variables.items()):
            is_bound = self._holders.get(name, self) is value
            if is_bound and not statement.may_name(name):
                continue
            self._holders[name] = value
            for place, found in values_in(value, name):
                self._note(place, found, statement, given, changed)
        if changed:
            self._elsewhere(changed, statement)

    def _note(self, place: str, value: Any, statement: Statement, given: bool, changed: list[_Known]) -> None:
        known = self._known.get(id(value))
        if is_number(value):  # numbers in the code are one object for all that are equal
            known = self._held.get(place)
            if known is None or known.value != value or type(known.value) is not type(value):
                known = self._learn(value)
        elif known is None:
            known = self._known[id(value)] = self._learn(value)
            self._in_memory[memory_of(value)].append(known)
        elif statement.may_touch(place) and is_changed(value, known.state):
            self._renew(known)
            changed.append(known)
        self._held[place] = known
        self._add(place, known, statement, given)

    def _add(self, place: str, known: _Known, statement: Statement, given: bool = False) -> None:
        if self._made_there.get(place) == known.made:
            return
        self._made_there[place] = known.made
        key = (place, statement.line, statement.column)
        self._times[key] += 1
        time, order = self._times[key], len(self.versions)
        self.versions.append(Version(place, known.kept, statement, time, order, known.made, given))

    def _elsewhere(self, changed: list[_Known], statement: Statement) -> None:
        """Record the same change at places that see the same memory, or hold the same value."""
        for memory in {memory_of(known.value) for known in changed}:
            for known in self._in_memory[memory]:
                if is_changed(known.value, known.state):
                    self._renew(known)
        for place, known in list(self._held.items()):
            self._add(place, known, statement)

    def _learn(self, value: Any) -> _Known:
        self._count += 1
        kept = self.keep(value)
        is_copy = issubclass(type(kept), np.ndarray) and kept is not value
        return _Known(value, kept if is_copy else state_of(value), self._count, kept)

    def _renew(self, known: _Known) -> None:
        again = self._learn(known.value)
        known.state, known.made, known.kept = again.state, again.made, again.kept
