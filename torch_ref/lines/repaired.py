"""Which of several statements is wrong: the only one in which a small change makes the gradients right.

Where nothing between several statements has a counterpart, the mistake may be in any of them. So each is changed, as
people make mistakes, and backward runs again. What can be mended in one place alone is wrong there.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from torch_ref.lines.cells import Cell
from torch_ref.lines.edits import changed, completed
from torch_ref.lines.flow import Flow
from torch_ref.lines.mentioned import is_theirs
from torch_ref.lines.places import is_number
from torch_ref.lines.record import Version
from torch_ref.lines.remade import remade
from torch_ref.lines.source import scope_of, statements_of
from torch_ref.lines.suspects import Accused
from torch_ref.lines.trace import Run, TooLongError, code_of

MOST_VALUES = 48_000
"""Values of backward that are made again for one accusation: of a short one that many runs."""

MOST_RUNS = 120
"""Runs of backward for one statement and one kind of change."""

MOST_BYTES = 2**20
"""Of all values of backward: beyond, a run takes too long to be made again and again."""

MOST_SUSPECTS = 8

MOST_FUNCTIONS = 6
"""Functions of one program that may stand for each other."""

HOLDING = ast.stmt, ast.excepthandler, ast.match_case
"""What may hold statements, or is one."""

Kind = Callable[[ast.stmt, Callable[[str], Sequence[str]]], Iterator[ast.stmt]]

Wanted = Sequence[tuple[Version, Callable[[Version], bool]]]
"""Gradients that are wrong, each with what tells whether another in its place is right."""


@dataclass(frozen=True)
class Repairs:
    """Runs of a backward with one of its statements changed."""

    function: Callable[..., Any]
    run: Run
    run_again: Callable[[Callable[..., Any]], Run]
    """Runs another backward in its place."""
    right: Sequence[Version]
    """Gradients that are right, and so is what made them."""

    def instead_of(self, one: Accused, wanted: Wanted) -> Accused:
        """Return an accusation of the only statement that can be mended; else the one that is given."""
        if one.called or not wanted or self.is_large:
            return one
        right = {(version.where.line, version.where.column) for version in self.right}
        values = [v for v in (*self._read(one), *one.values) if (v.where.line, v.where.column) not in right]
        suspects = {index: value for value in values if (index := self.index_of(value)) is not None}
        if not 1 < len(suspects) <= MOST_SUSPECTS:
            return one
        most = min(MOST_RUNS, MOST_VALUES // (len(self.run.versions) * len(suspects)))
        for kind in (changed, completed):  # a part that is wrong is likelier than one that is missing elsewhere
            mended, is_known = list[Version](), True
            for index, value in suspects.items():
                is_mended = self._is_mended(index, value, kind, wanted, most)
                is_known = is_known and is_mended is not None
                mended += [value] if is_mended else []
                if len(mended) > (1 if is_known else 0):
                    return one
            if mended:
                return replace(one, values=(mended[0],))
        return one

    def _read(self, one: Accused) -> Iterator[Version]:
        """Yield what the accused statement read and nothing has a counterpart for."""
        if len(one.values) == 1:
            for version in Flow(self.run).read(one.values[0]):
                if not version.given:
                    yield version

    @cached_property
    def is_large(self) -> bool:
        """Tell whether a run takes too long to be made again and again."""
        return sum(getattr(version.value, "nbytes", 0) for version in self.run.versions) > MOST_BYTES

    @cached_property
    def scope(self) -> Any:
        """Return the syntax tree of the function; None where there is no source."""
        return scope_of(code_of(self.function))

    @cached_property
    def _nodes(self) -> list[ast.stmt]:
        found = [] if self.scope is None else [*statements_of(self.scope)]
        return [node for node in found if isinstance(node, ast.stmt)]

    def index_of(self, value: Version) -> int | None:
        """Return which statement of the function made a value; None for one that is none of its own."""
        where = value.where.line, value.where.column
        if value.where.file != code_of(self.function).co_filename or not isinstance(value.where.mentions, frozenset):
            return None
        simple = ast.Assign | ast.AugAssign | ast.Return
        found = (n for n, node in enumerate(self._nodes) if (node.lineno, node.col_offset) == where)
        n = next(found, None)
        return n if n is not None and isinstance(self._nodes[n], simple) else None

    def _alike(self, name: str, value: Version) -> list[str]:
        """Return the variables of the shape of another, or numbers for a number; of '' what may be a factor.

        Of a function, somebody's other functions that take as many arguments.
        """
        if name in self._functions:
            return self._functions[name]
        last = {v.place: v.value for v in self.run.versions if v.order < value.order and _is_plain(v.place)}
        like: Any = last.get(name) if name else value.value
        if like is None:
            return []
        shape = np.shape(like)
        return [
            place
            for place, other in last.items()
            if place != name and (np.shape(other) == shape or (not name and is_number(other) and abs(other) > 1))
        ]

    @cached_property
    def _functions(self) -> dict[str, list[str]]:
        """Return for each function that may be called by a name the others that may be meant."""
        function = self.function
        scope: dict[str, Any] = {**getattr(function, "__globals__", {}), **getattr(function, "variables", {})}
        owner = type(getattr(function, "__self__", None))
        mine = {f"self.{name}": part for name, part in vars(owner).items()} if owner is not type(None) else {}
        found = {name: part.__code__.co_argcount for name, part in (scope | mine).items() if is_theirs(part)}
        same = {name: [o for o in found if o != name and found[o] == found[name]] for name in found}
        return {name: others for name, others in same.items() if len(others) <= MOST_FUNCTIONS}

    def _is_mended(self, index: int, value: Version, kind: Kind, wanted: Wanted, most: int) -> bool | None:
        """Tell whether one of the changes of a kind makes the gradients right; None where there are too many."""
        for n, statement in enumerate(kind(self._nodes[index], lambda name: self._alike(name, value))):
            if n == most:
                return None
            if self._is_right(index, statement, wanted):
                return True
        return False

    def _is_right(self, index: int, statement: ast.stmt, wanted: Wanted) -> bool:
        function = self.made_of(copy.copy(_replaced(self.scope, self._nodes[index], statement)))
        return function is not None and self.makes_right(function, wanted)

    def makes_right(self, function: Callable[..., Any], wanted: Wanted) -> bool:
        """Tell whether another function in the place of this one makes the gradients right."""
        try:
            run = self.run_again(function)
        except (Exception, TooLongError):  # of code that nobody wrote
            return False
        return not run.failure and all(_is_right(run, *one) for one in wanted)

    def made_of(self, scope: Any) -> Callable[..., Any] | None:
        """Return the function made of another syntax tree; None where it cannot be made."""
        code = code_of(self.function)
        if isinstance(self.function, Cell):
            cell = copy.copy(self.function)
            try:
                cell.__code__ = compile(scope, code.co_filename, "exec")
            except (SyntaxError, ValueError):  # of a change that is no Python
                return None
            return cell
        own = getattr(getattr(self.function, "__func__", self.function), "__code__", None)
        if own is not code:
            return None
        try:
            return remade(self.function, scope)
        except (SyntaxError, ValueError):
            return None


def _replaced(node: Any, old: ast.stmt, new: ast.stmt) -> Any:
    """Return a tree with another statement in the place of one; all that does not hold it is shared."""
    if node is old:
        return new
    for field, value in ast.iter_fields(node):
        for i, part in enumerate(value if isinstance(value, list) else []):
            if isinstance(part, HOLDING) and (found := _replaced(part, old, new)) is not part:
                holder = copy.copy(node)
                setattr(holder, field, [*value[:i], found, *value[i + 1 :]])
                return holder
    return node


def _is_plain(place: str) -> bool:
    return place.isidentifier() or place.startswith("self.")


def _is_right(run: Run, version: Version, is_right: Callable[[Version], bool]) -> bool:
    """Tell whether what is made at the place of a version, the same time, is right."""
    there = [
        one
        for one in run.places.get(version.place, [])
        if (one.where.line, one.where.column, one.time) == (version.where.line, version.where.column, version.time)
    ]
    return bool(there) and is_right(there[0])
