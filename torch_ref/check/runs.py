"""Runs of a backward that is changed, at two upstream gradients: which gradients it gives right then."""

from __future__ import annotations

import ast
import copy
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.check.kept import Kept
from torch_ref.check.limited import lines_counted
from torch_ref.check.ran import Ran, code_of, held_by, innermost
from torch_ref.lines.expressions import is_array
from torch_ref.lines.source import Scope, scope_of
from torch_ref.lines.trace import TooLongError
from torch_ref.steps.calling import put_back
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import Step, can_flow, same

MOST_WORK = 8e8
"""Nanoseconds, roughly, that all runs may take together: counted, not measured."""

OF_A_RUN, OF_A_CALL, OF_A_NUMBER = 1e5, 5e3, 3.0
"""Of one run of backward, of each call in it, of each number in its variables."""

OF_A_LINE, OF_A_NODE = 5e2, 1e3
"""Of each line that runs, of each expression that is compiled."""

SLOW = 1e7
"""Nanoseconds: of a run that is slower, the time counts that it takes."""

MORE_LINES = 10
"""Times as many lines as backward itself may run in a changed one, and a thousand."""

NEAR = {torch.float64: 1e-9, torch.float32: 1e-5}
"""How near to the right gradient, of its norm, a change has to come."""


class OverError(Exception):
    """All work is done, or nothing can be tried any more."""


Given = Callable[[Callable[..., Any], Step], Mapping[str, Any]]
"""Returns the gradients that a backward gives for the inputs of a step, by name."""


@dataclass
class Runs:
    """All runs of one check."""

    step: Step
    whole: Callable[..., Any]
    """The backward, with all its decorators."""
    given_by: Given
    left: float = MOST_WORK
    """The work that may still be done."""
    _cost: float = OF_A_RUN
    _most_lines: float = float("inf")
    _before: list[int] = field(default_factory=list)
    _kept: Kept = field(default_factory=lambda: Kept(()))

    @cached_property
    def backward(self) -> Callable[..., Any]:
        """Return the function that is changed."""
        return innermost(self.whole)

    @cached_property
    def scope(self) -> Scope | None:
        """Return a copy of the syntax tree of backward; None where there is no source."""
        code = code_of(self.backward)
        return None if code is None else copy.deepcopy(scope_of(code))  # the other is kept, and read by others

    @cached_property
    def points(self) -> list[Step]:
        """Return the step at two upstream gradients, in float64 where the code can; none where it cannot run."""
        own = [self.step, *self.step.others[:1]]
        for points in ([step.in_float64 for step in own], own):
            with suppress(Exception):  # of code for another dtype
                if all(point.witnesses and self._same_given(point) for point in points):
                    return points
        return []

    def _same_given(self, point: Step) -> bool:
        """Tell whether the decorators of backward leave what it gives as it is: only it is changed and run."""
        inside = self.given_by(self.backward, point)
        if self.backward is self.whole:
            return True
        given = self.given_by(self.whole, point)
        return all(_is_same(inside.get(name), given.get(name)) for name in point.gradients)

    def right_with(self, function: Callable[..., Any], at: Step, names: Iterable[str]) -> set[str]:
        """Return which of several gradients a backward gives right."""
        self.left -= self._cost
        if self.left < 0:
            raise OverError
        try:
            with as_it_was(), lines_counted(self._most_lines):
                given = self.given_by(function, at)
        except (Exception, SystemExit, TooLongError):  # of code that nobody wrote
            given = {}
        self._kept.put_back()
        if self._are_changed:
            self._put_back()
            return set()
        right = {name: at.witnesses[at.gradients[name].name].exact for name in names}
        return {name for name, exact in right.items() if _is_near(given.get(name), exact)}

    @cached_property
    def _given(self) -> list[Tensor]:
        return [t for point in self.points for t in (*point.given.values(), *point.fixed.values())]

    @property
    def _versions(self) -> list[int]:
        return [t._version for t in self._given]

    @property
    def _are_changed(self) -> bool:
        """Tell whether inputs were written into; a numpy array of a tensor's numbers leaves its version as it is."""
        pairs = zip(self._given, self._copies, strict=True)
        return self._versions != self._before or not all(same(t, copied) for t, copied in pairs)

    @cached_property
    def _copies(self) -> list[Tensor]:
        return [t.clone() for t in self._given]

    def _put_back(self) -> None:
        """Put inputs back into which a changed backward wrote."""
        for t, copied in zip(self._given, self._copies, strict=True):
            put_back(t, copied)
        self._before = self._versions

    @cached_property
    def ran(self) -> Ran:
        """Return what is seen of one run, which also says what the others may cost."""
        ran, start = Ran(code_of(self.backward)), time.perf_counter()
        with lines_counted() as lines:
            self.given_by(self.backward, self.points[0])
        took = time.perf_counter() - start
        old = sys.getprofile()
        sys.setprofile(ran.looking)
        try:
            self.given_by(self.backward, self.points[0])
        finally:
            sys.setprofile(old)
        self._kept = Kept([*ran.held, *held_by(self.backward)], self._given)
        self._most_lines = MORE_LINES * lines.ran + 1000
        numbers = sum(v.size if isinstance(v, np.ndarray) else v.numel() for v in ran.variables.values() if is_array(v))
        self._cost = OF_A_RUN + OF_A_CALL * ran.calls + OF_A_NUMBER * numbers + OF_A_LINE * lines.ran
        self._cost += OF_A_NODE * sum(1 for _ in ast.walk(self.scope or ast.Module([], [])))
        if took * 1e9 > SLOW:
            self._cost = max(self._cost, took * 1e9)
        return ran

    def can_begin(self) -> bool:
        """Tell whether backward can be run again and again: it runs, and writes nothing outside of Python."""
        if not (sys.getprofile() is None or callable(sys.getprofile())):  # a profiler in C cannot be put back
            return False
        if not self.points or not self._copies:
            return False
        self._before = self._versions
        return not self.ran.writes


def _is_same(a: Any, b: Any) -> bool:
    return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a is b


def _is_near(found: Any, right: Tensor) -> bool:
    if not isinstance(found, Tensor) or found.shape != right.shape or not can_flow(found):
        return False
    a, b = found.detach().resolve_conj(), right.resolve_conj()
    near = NEAR.get(torch.float64 if a.dtype == torch.complex128 else torch.float32 if a.is_complex() else a.dtype, 0.0)
    return bool(torch.linalg.vector_norm(a - b) <= near * torch.linalg.vector_norm(b))
