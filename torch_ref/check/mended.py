"""The small change of a backward that makes its gradients right: it names the line, where no known mistake does.

Causes are looked for in the reference: what would it give with a mistake in it? Here somebody's own code is changed, as
people make mistakes, and run again. A change counts where it makes wrong gradients right, leaves right ones right, and
does both for other upstream gradients, too.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from typing import Any

from torch_ref.check.helpers import Helper, helpers
from torch_ref.check.ran import code_of, innermost
from torch_ref.check.runs import MOST_WORK, Given, OverError, Runs
from torch_ref.check.silent import silent
from torch_ref.lines.expressions import Known, Mend, Suspected, is_array
from torch_ref.lines.feeding import feeding, suspects
from torch_ref.lines.instead import wrapped
from torch_ref.lines.mends import mends
from torch_ref.lines.other_values import FAMILIES, expressions
from torch_ref.lines.remade import remade
from torch_ref.lines.source import Scope, scope_of
from torch_ref.steps.guarded import generators_kept
from torch_ref.steps.step import Step
from torch_ref.verdict.change import with_change
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

MOST_HELPERS = 3
"""Of the functions that backward calls: those that are changed, too."""

OWN_SHARE = 0.6
"""Of all work, what goes into changes of backward itself where it calls others; they share the rest."""


def with_mends(
    report: Report,
    step: Step,
    backward: Callable[..., Any],
    forward: Callable[..., Any],
    given_by: Given,
    order: Sequence[str],
) -> Report:
    """Return a report whose causes say which small change of ``backward`` makes a gradient right, where there is one.

    Where all causes are known of the formula, nothing is tried. A change that makes right what has such a cause, too,
    is said there as well: one mistake is likelier than two.

    Where no change of ``backward`` itself is found, the functions that it calls are changed.
    ``given_by`` calls another backward in its place; ``order`` has the names of the inputs in order.
    """
    names = {made.name: name for name, made in step.gradients.items()}
    mine = [row for row in report.guilty if row.why and row.blame == "by hand" and row.quantity in names]
    wanted = frozenset(names[row.quantity] for row in mine if row.why and row.why.searched)
    if not wanted:
        return report
    others = frozenset(names[row.quantity] for row in mine) - wanted
    with generators_kept(), silent():
        found = _mends_in_turn(step, backward, innermost(forward), given_by, order, wanted, others)

    def explained(row: Row) -> Row:
        mend = found.get(names.get(row.quantity, ""))
        return row if row.why is None or mend is None else with_change(row, *mend)

    return replace(report, rows=tuple(map(explained, report.rows)))


def _mends_in_turn(
    step: Step,
    backward: Callable[..., Any],
    forward: Callable[..., Any],
    given_by: Given,
    order: Sequence[str],
    wanted: frozenset[str],
    others: frozenset[str],
) -> dict[str, Mend]:
    """Return the changes of backward itself, and of what it calls for the gradients that are wrong still."""
    called = [*islice(helpers(innermost(backward)), MOST_HELPERS)]
    runs = Runs(step, backward, given_by, left=MOST_WORK * (OWN_SHARE if called else 1))
    work = MOST_WORK - runs.left
    found = Mending(runs, forward, order, others).mends_of(wanted)
    for i, helper in enumerate(called):
        if not (left := wanted - found.keys()):
            break
        work += max(runs.left, 0)
        share = work / (len(called) - i)
        work -= share
        runs = Runs(step, helper.function, partial(_given_with, given_by, helper), left=share)
        found |= Mending(runs, forward, order, others | (wanted - left)).mends_of(left)
    return found


def _given_with(given_by: Given, helper: Helper, changed: Callable[..., Any], at: Step) -> Mapping[str, Any]:
    helper.box.function = changed
    return given_by(helper.whole, at)


@dataclass
class Mending:
    """Changes of a backward, one after the other."""

    runs: Runs
    forward: Callable[..., Any]
    order: Sequence[str]
    """The names of the inputs in the order in which their gradients are returned."""
    others: frozenset[str] = frozenset()
    """What is wrong besides, and has a cause: a change that explains this, too, is looked for."""

    def mends_of(self, wanted: frozenset[str]) -> dict[str, Mend]:
        """Return for each of several wrong gradients the change that makes it right, those of several before."""
        scope, found = self.runs.scope, dict[str, Mend]()
        if scope is None or any(isinstance(node, ast.Global | ast.Nonlocal) for node in ast.walk(scope)):
            return found
        if not self.runs.can_begin():
            return found
        here = self.runs.points[0]
        with suppress(OverError):
            before = self.runs.right_with(self.runs.backward, here, here.gradients)
            if not before & wanted:  # in float64 it is wrong, too
                self._look(scope, wanted, before, found)
        return found

    def _look(self, scope: Scope, wanted: frozenset[str], before: set[str], found: dict[str, Mend]) -> None:
        here, is_whole = self.runs.points[0], False
        for suspected in self._in_turn(scope, wanted, before):
            for mend, function in self._changed(scope, suspected):
                right = self.runs.right_with(function, here, [*before, *wanted, *self.others])
                if not before <= right or not right & wanted:
                    continue
                if not all(self.runs.right_with(function, point, right) >= right for point in self.runs.points[1:]):
                    continue
                explained = right - before
                if explained >= wanted | self.others or (explained >= wanted and not is_whole):
                    found |= dict.fromkeys(explained, mend())
                    is_whole = True
                if explained >= wanted | self.others:
                    return
                for name in explained:
                    found.setdefault(name, mend())
            if is_whole:
                return

    def _in_turn(self, scope: Scope, wanted: frozenset[str], before: set[str]) -> Iterator[Suspected]:
        """Yield what tells where to look, one after the other.

        First in what feeds all gradients that are wrong and none that is right; the mistake is rarely elsewhere.
        """
        likely, further = (self._likely(scope, names, before) for names in (wanted | self.others, wanted))
        if likely is None or further is None:
            yield lambda one: True
            return
        yield likely.__contains__
        if further - likely:
            yield (further - likely).__contains__
        yield lambda one: isinstance(one, ast.stmt) and one not in further | likely

    def _changed(self, scope: Scope, suspected: Suspected) -> Iterator[tuple[Callable[[], Mend], Callable[..., Any]]]:
        """Yield the function with one of its statements changed, then with another value in place of an expression."""
        for mend in mends(scope, self._known, suspected):
            with suppress(SyntaxError, ValueError):  # of a change that is no Python
                if (function := remade(self.runs.backward, scope)) is not None:
                    yield partial(Mend, *mend), function
        every = [*wrapped(self.runs.backward, scope, self._known, suspected)]
        for one in every:
            self.runs.right_with(one.function, self.runs.points[0], ())
        for family in FAMILIES:
            for one in every:
                for other in family(one, self._texts):
                    one.hook.change = other.change
                    yield partial(one.mend, other), one.function  # in words only where it is right
                one.hook.change = None

    def _likely(self, scope: Scope, names: frozenset[str], before: set[str]) -> frozenset[ast.AST] | None:
        """Return what feeds all of several wrong gradients and none that is right."""
        parts = feeding(scope)
        if parts is None or len(parts) < len(self.order):
            return None
        wrong, right = ([i for i, name in enumerate(self.order) if name in some] for some in (names, before))
        return suspects(parts, wrong, right)

    @cached_property
    def _known(self) -> Known:
        """Return the variables of a backward when it returns."""
        names = [name for name in self.runs.ran.arguments if name not in ("self", "ctx")]
        outputs = len(self.runs.step.outputs)
        values = {name: v for name, v in self.runs.ran.variables.items() if is_array(v) or isinstance(v, int | float)}
        return Known(
            values | self.runs.ran.attributes(self.runs.scope),
            frozenset(names[:outputs]),
            frozenset(names[outputs:]),
            self.order[0],
        )

    @cached_property
    def _texts(self) -> list[str]:
        """Return the expressions of backward and of forward."""
        code = code_of(self.forward)
        scopes = (self.runs.scope, None if code is None else scope_of(code))
        return expressions(*(one for one in scopes if one is not None))
