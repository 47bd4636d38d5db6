"""The small change of an accused statement that makes its gradients right.

All runs are on copies of what backward reads, as every other run of ``check_lines``; classes, which are not copied, are
put back.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from typing import Any

from torch_ref.check.kept import Kept
from torch_ref.check.ran import Ran
from torch_ref.check.silent import silent
from torch_ref.lines.expressions import Known, Mend, Suspected, is_array
from torch_ref.lines.instead import wrapped
from torch_ref.lines.mends import mends
from torch_ref.lines.other_values import FAMILIES, expressions
from torch_ref.lines.places import is_number
from torch_ref.lines.record import Version
from torch_ref.lines.repaired import Repairs, Wanted
from torch_ref.lines.source import Scope, statements_of
from torch_ref.lines.suspects import Accused
from torch_ref.lines.trace import TooLongError

MOST_VALUES = 4_000
"""Values of backward that are made again for one accusation: of a short one that many runs."""

MOST_RUNS = 150
"""Runs for one accusation: where no change helps, they take about half a second."""


@dataclass(frozen=True)
class LineMending:
    """Changes of one statement, one after the other."""

    repairs: Repairs
    value: Version
    """What the statement made."""
    wanted: Wanted
    is_confirmed: Callable[[Callable[..., Any]], bool]
    """Tells whether a changed backward is right at other numbers, too."""

    def mend(self) -> Mend | None:
        """Return the change that makes the gradients right; None where there is none."""
        index = self.repairs.index_of(self.value)
        if index is None:
            return None
        scope = copy.deepcopy(self.repairs.scope)  # the other is kept, and read by others
        statement = [*statements_of(scope)][index]
        with silent(), suppress(TooLongError):
            if self._writes:
                return None
            most = min(MOST_RUNS, MOST_VALUES // len(self.repairs.run.versions))
            for mend, function in islice(self._changed(scope, lambda one: one is statement), most):
                if self._is_right(function) and self.is_confirmed(function):
                    return mend()
        return None

    def _changed(self, scope: Scope, suspected: Suspected) -> Iterator[tuple[Callable[[], Mend], Callable[..., Any]]]:
        """Yield backward with the statement changed, then with another value in place of an expression in it."""
        for mend in mends(scope, self._known, suspected):
            if (function := self.repairs.made_of(scope)) is not None:
                yield partial(Mend, *mend), function
        every = [*wrapped(self.repairs.function, scope, self._known, suspected)]
        for one in every:
            self._is_right(one.function)
        for family in FAMILIES:
            for one in every:
                for other in family(one, expressions(scope)):
                    one.hook.change = other.change
                    yield partial(one.mend, other), one.function
                one.hook.change = None

    def _is_right(self, function: Callable[..., Any]) -> bool:
        try:
            return self.repairs.makes_right(function, self.wanted)
        except TooLongError:
            return False
        finally:
            self._kept.put_back()

    @cached_property
    def _ran(self) -> Ran:
        """Return what is seen of one run."""
        ran, old = Ran(None), sys.getprofile()
        sys.setprofile(ran.looking)
        try:
            self.repairs.makes_right(self.repairs.function, self.wanted)
        finally:
            sys.setprofile(old)
        return ran

    @property
    def _writes(self) -> bool:
        """Tell whether backward writes outside of Python, or nobody can see that: a profiler in C is at work."""
        return not (sys.getprofile() is None or callable(sys.getprofile())) or self._ran.writes

    @cached_property
    def _kept(self) -> Kept:
        return Kept([held for held in self._ran.held if isinstance(held, type)])

    @cached_property
    def _known(self) -> Known:
        run = self.repairs.run
        values = {v.place: v.value for v in run.versions if is_array(v.value) or is_number(v.value)}
        given = [v.place for v in run.versions if v.given and v.place in values and v.place not in run.upstream]
        return Known(values, frozenset(run.upstream), frozenset(given), given[0] if given else "")


def with_mend(
    one: Accused, repairs: Repairs, wanted: Wanted, is_confirmed: Callable[[Callable[..., Any]], bool]
) -> Accused:
    """Return an accusation that knows how to find the change of its statement, where there is one statement."""
    if one.called or len(one.values) != 1 or not wanted or repairs.is_large:
        return one
    return replace(one, mend=LineMending(repairs, one.values[0], wanted, is_confirmed).mend)
