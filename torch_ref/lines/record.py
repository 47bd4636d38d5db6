"""The values of variables, each with the statement that made it.

A variable gets a new version where it is bound to another value, or where its numbers are changed in place. Parts of
lists and dicts, and attributes of objects, count as variables. What is kept of a value is the caller's choice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from torch_ref.lines.places import is_changed, is_number, memory_of, state_of, values_in
from torch_ref.lines.source import Source, Statement

MOST_BYTES = 2**29
"""Of all values that are kept: beyond, what one statement makes again and again is kept once, the last time."""


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


@dataclass
class _Known:
    """A value that was seen, which stays alive so that its id is its own."""

    value: Any
    state: Any
    made: int
    kept: Any


@dataclass
class Record:
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
    _latest: dict[str, int] = field(default_factory=dict)
    """The index of the last version of each place."""
    _count: int = 0
    _bytes: int = 0

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
        before = self.versions[self._latest[place]] if self._bytes > MOST_BYTES and place in self._latest else None
        is_again = before is not None and before.where is statement
        order = self._latest[place] if is_again else len(self.versions)
        self.versions[order : order + 1] = [
            Version(place, known.kept, statement, self._times[key], order, known.made, given)
        ]
        self._latest[place] = order

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
        self._bytes += getattr(value, "nbytes", 0)
        is_copy = issubclass(type(kept), np.ndarray) and kept is not value
        return _Known(value, kept if is_copy else state_of(value), self._count, kept)

    def _renew(self, known: _Known) -> None:
        again = self._learn(known.value)
        known.state, known.made, known.kept = again.state, again.made, again.kept
