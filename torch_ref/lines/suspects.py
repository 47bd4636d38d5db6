"""Which statements may have made a gradient wrong: its own, and those that it was computed from since one is right.

Several wrong gradients that were computed from the same statements have one mistake, in what they share.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from torch_ref.lines.expressions import Mend
from torch_ref.lines.flow import Flow
from torch_ref.lines.pairing import Backward
from torch_ref.lines.record import Version
from torch_ref.lines.source import Statement

BEFORE_A_BODY = ("for ", "async ", "while ", "if ", "with ", "match ", "try")

NEW_NAME = re.compile(r"\w+ = \w+")
"""A statement that gives a value another name: perhaps that of the wrong one."""

GIVEN_BACK = re.compile(r"return \w+")
"""A statement that returns what the function was given."""

Where = tuple[int, int]
"""Line and column of a statement: the same in every round of a loop."""

MOST_SPANS = 4
"""Spans of lines that are listed; of more the first and the last line are."""


@dataclass(frozen=True)
class Accused:
    """The statements with one of which something went wrong."""

    names: tuple[str, ...]
    """The gradients that are wrong because of it, in the order of the backward pass."""
    values: tuple[Version, ...]
    """What these statements made, in the order in which they ran; the last is named, the others are what it is computed
    from.
    """
    called: tuple[str, ...] = ()
    """Where the function was called that the statements stand in, from outside to inside."""
    mend: Callable[[], Mend | None] = lambda: None
    """Looks for the change of the statement that makes the gradients right."""

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Return the statements."""
        return tuple(one.where for one in self.values)

    @property
    def named(self) -> Statement:
        """Return the statement that is named."""
        return self.statements[-1]

    @property
    def others(self) -> str:
        """Return where the others are: 'mine.py:12 to 15', 'mine.py:12, 14 and 17'; '' for none."""
        lines = sorted({one.line for one in self.statements if one.line != self.named.line})
        if not lines:
            return ""
        spans = _spans(lines)
        spans = spans if len(spans) <= MOST_SPANS else [(lines[0], lines[-1])]
        said = [str(a) if a == b else f"{a} to {b}" for a, b in spans]
        file = self.named.at.rpartition(":")[0]
        return f"{file}:{said[0] if len(said) == 1 else ', '.join(said[:-1]) + ' and ' + said[-1]}"


def _spans(lines: Sequence[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for line in lines:
        if spans and line == spans[-1][1] + 1:
            spans[-1] = spans[-1][0], line
        else:
            spans.append((line, line))
    return spans


@dataclass(frozen=True)
class Suspects:
    """What may have made gradients wrong."""

    backward: Backward
    wrong: Mapping[str, Version]
    """In the order of the backward pass."""
    right: Sequence[Version]
    """Gradients that are right, whatever they were computed from."""
    handed_on: frozenset[int] = frozenset()
    """The gradients behind which nobody has to look, for what is computed from them was judged so, by ``made``."""
    is_known: Callable[[Any], bool] = field(default=lambda value: False)
    """Tells whether a value is one of the forward pass, computed again."""

    def accused(self) -> list[Accused]:
        """Return the fewest accusations: gradients that share suspects are together, with those that they share."""
        groups: list[tuple[list[str], dict[Where, Version]]] = []
        for name, version in self.wrong.items():
            mine = self._behind(version)
            for names, shared in groups:
                if common := {where: one for where, one in shared.items() if where in mine}:
                    names.append(name)
                    shared.clear()
                    shared.update(common)
                    break
            else:
                groups.append(([name], mine))
        return [Accused(tuple(names), self._values(shared, names)) for names, shared in groups]

    def _values(self, shared: Mapping[Where, Version], names: Sequence[str]) -> tuple[Version, ...]:
        rest = [one for one in shared.values() if one.made not in self._cleared_by_sums] or [*shared.values()]
        made = {self.wrong[name].made for name in names}
        rest = [one for one in rest if not one.where.is_several or len(made) == 1] or rest  # one mistake, several wrong
        return tuple(sorted(rest, key=lambda one: one.order))

    def _behind(self, version: Version) -> dict[Where, Version]:
        """Return the values one of which may have made another wrong, that itself too, one for each statement."""
        own = self.backward.run.origin(version)
        if any(one.made == own.made for one in self.right):  # right for another value: it is only taken for this one's
            return {(version.where.line, version.where.column): version}
        found = self.flow.behind(own, lambda one: self._stops(one) or one.made in self._cleared)
        found = {made: one for made, one in found.items() if one is own or self._is_suspect(one)}
        same = [one for one in self.backward.run.versions if one.made == own.made]
        renamed = [one for one in same if NEW_NAME.fullmatch(one.where.text)]
        renamed = renamed or [one for one in same if own.given and GIVEN_BACK.fullmatch(one.where.text)]
        found = {made: one for made, one in found.items() if not (one.given and renamed)}  # an argument
        ordered = sorted([*found.values(), *renamed], key=lambda one: one.order)
        return {(one.where.line, one.where.column): one for one in ordered}

    @cached_property
    def flow(self) -> Flow:
        """Return what was computed from what."""
        return Flow(self.backward.run)

    def _stops(self, version: Version) -> bool:
        return version.made in self.handed_on or version.made in self._of_outputs

    def _is_suspect(self, version: Version) -> bool:
        value = version.value
        return _is_made(value) and not version.where.text.startswith(BEFORE_A_BODY) and not self.is_known(value)

    @cached_property
    def _of_outputs(self) -> frozenset[int]:
        """Return what belongs to the forward pass, where one function is both."""
        places = self.backward.run.places
        last = [places[place][-1] for place in places if self.backward.is_output(place)]
        return frozenset(made for one in last for made in self.flow.behind(one, lambda other: False))

    @cached_property
    def _cleared(self) -> frozenset[int]:
        """Return what a gradient that is right was computed from, but for what only sums of it show."""
        return frozenset(made for right, made in self._shown if not right)

    @cached_property
    def _cleared_by_sums(self) -> frozenset[int]:
        """Return what was summed up to a gradient that is right: the sum of other numbers may be the same."""
        return frozenset(made for is_sum, made in self._shown if is_sum)

    @cached_property
    def _shown(self) -> list[tuple[bool, int]]:
        wrong = {version.made for version in self.wrong.values()}
        return [
            (_axes(one.value) > 1 >= _axes(right.value), made)
            for right in self.right
            if _is_nonzero(right.value)
            for made, one in self.flow.behind(right, self._stops, surely=True).items()
            if made not in wrong
        ]


def _axes(value: Any) -> int:
    return sum(size > 1 for size in np.shape(value))


def _is_nonzero(value: Any) -> bool:
    return bool((value != 0).any()) if isinstance(value, Tensor | np.ndarray) else bool(value)


def _is_made(value: Any) -> bool:
    """Tell whether a value may carry a mistake: numbers with fractions, or a mask; zeros are there to be filled."""
    if isinstance(value, Tensor):
        return value.ndim > 0 and _is_nonzero(value) and (value.is_floating_point() or int(value.max()) <= 1)
    if isinstance(value, np.ndarray):
        return value.ndim > 0 and _is_nonzero(value) and (value.dtype.kind in "fc" or value.max() <= 1)
    return isinstance(value, float | np.floating)
