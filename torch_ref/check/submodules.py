"""From two modules to a report: each submodule that corresponds as a step of its own, and the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from torch_ref.check.passes import Passes, Subject
from torch_ref.numbers.agreement import Comparison, Tolerance
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.modules import tensors_of
from torch_ref.steps.pairs import Pair
from torch_ref.steps.pieces import View, piece_step, views_of, whole_step
from torch_ref.steps.second_look import SecondLook
from torch_ref.steps.step import Outputs, Step, can_flow
from torch_ref.verdict.judge import rows_of, tried_again
from torch_ref.verdict.power import power_of_steps
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

OTHER_NUMBERS = "alone it gives other numbers than the reference's, and the whole is right"

OTHER_DRAWS = "it draws other random numbers than the reference's; .eval() on both compares the rest"


def report_on(
    subject: Subject, upstream: Outputs | None, tolerance: Tolerance | None, *, strict: bool, power: bool
) -> Report:
    """Return the report on two modules.

    Raises ValueError where the reference gives other numbers at every call.
    """
    while True:
        found = Pieces(Passes.of(subject, upstream), tolerance, strict)
        found.whole.check_repeatable()
        if not (others := found.no_counterparts):
            return found.report(power)
        subject = found.passes.subject.without(others)


class Pieces:
    """Every pair of submodules as a step, the whole as another, and what is found in them."""

    def __init__(self, passes: Passes, tolerance: Tolerance | None, strict: bool) -> None:
        """Take the passes; nothing is computed before somebody asks for it."""
        self.passes, self.subject, self.tolerance, self.strict = passes, passes.subject, tolerance, strict
        self.pairs = [*passes.pair.walk()]
        self.remarks = [*self.subject.remarks]

    @cached_property
    def views(self) -> dict[str, tuple[View, View]]:
        """Return both sides of every pair, by its label."""
        subject = self.subject
        return {p.label: views_of(p, subject.mine, subject.theirs, subject.paths) for p in self.pairs}

    @cached_property
    def steps(self) -> dict[str, Step]:
        """Return the step of every pair by its label, the innermost first."""
        steps: dict[str, Step] = {}
        for pair in self.pairs:
            given = self.subject.parameters, self.passes.required
            steps[pair.label] = piece_step(pair, self.views[pair.label], *given, steps, self.tolerance)
        return steps

    @cached_property
    def whole(self) -> Step:
        """Return the step of the whole, which is that of its only piece where there is no other."""
        if len(self.pairs) == 1:
            return self.steps[""]
        given = self.subject.parameters, self.passes.required
        return whole_step(self.passes.pair, self.views[""], self.subject.by_path, *given, self.tolerance)

    @cached_property
    def draws_alike(self) -> dict[str, bool]:
        """Tell of every pair whether both sides draw the same random numbers."""
        if self.passes.draws_alike:
            return dict.fromkeys(self.steps, True)
        return {label: _draw_alike(self.views[label], step) for label, step in self.steps.items()}

    @cached_property
    def rows(self) -> dict[str, dict[str, Row]]:
        """Return the rows of every pair that can be compared, by its label."""
        return {label: self._judged(step) for label, step in self.steps.items() if self.draws_alike[label]}

    def _judged(self, step: Step) -> dict[str, Row]:
        seen, *others = [Evidence(one, second_look=SecondLook(one, self.strict)) for one in (step, *step.others)]
        found = rows_of(seen)
        if all(row.status != "wrong" for row in found.values()):
            rows, remarks, _ = tried_again([*found.values()], seen, others, self.strict, [])
            found = {row.quantity: row for row in rows}
            self.remarks += [remark for remark in remarks if remark not in self.remarks]
        return {name: _owned(row, seen) for name, row in found.items()}

    @cached_property
    def in_the_whole(self) -> dict[str, Comparison]:
        """Return how everything in the whole pass compares, the first that is wrong of several calls."""
        if len(self.pairs) == 1 or not self.passes.draws_alike:
            return {}
        found: dict[str, Comparison] = {}
        all_right = all(row.status != "wrong" for rows in self.rows.values() for row in rows.values())
        look = SecondLook(self.whole, self.strict) if all_right else None  # else what is wrong there has a reason
        for name, compared in Evidence(self.whole, second_look=look).comparisons.items():
            base = _of_all_calls(name)
            if base not in found or (found[base].ok and not compared.ok):
                found[base] = compared
        return found

    @property
    def no_counterparts(self) -> dict[str, str]:
        """Return the submodules that are none of the reference's: they differ, and the whole does not."""
        ends = [self.passes.pair.shown_output(path) for path in self.passes.pair.outputs]
        ends += [made.name for made in self.whole.gradients.values()]
        if not self.in_the_whole or not all(self.in_the_whole[name].ok for name in ends):
            return {}
        others: dict[str, str] = {}
        for pair in self.pairs:
            rows = self.rows.get(pair.label, {}).values()
            if pair.inside and any(row.status == "wrong" for row in rows):
                others |= {part.mine.path: OTHER_NUMBERS for part in pair.inside}
            elif pair.label and any(row.status == "wrong" and row.quantity.startswith("output") for row in rows):
                others[pair.mine.path] = OTHER_NUMBERS
        return others

    # ------------------------------------------------------------------------------ the report

    def report(self, power: bool) -> Report:
        """Return the report."""
        rows = [self._with_whole(row) for row in self._shown().values()]
        x = next((t for t in tensors_of(self.passes.pair.theirs.bound).values()), torch.zeros(1))
        first = next(t for t in self.whole.inputs.values() if can_flow(t))
        report = Report(
            tuple(rows),
            len(x) if x.ndim else 1,
            first.dtype,
            first.device,
            remarks=tuple(self.remarks),
            not_compared=tuple(dict.fromkeys(self._not_compared())),
        )
        if not power or not report.ok:
            return report
        steps = [self.steps[pair.label] for pair in self.pairs if not pair.mine.number and pair.label in self.rows]
        return replace(report, power=power_of_steps(steps))

    def _shown(self) -> dict[str, Row]:
        """Return the rows in order of the data flow, of several calls the first that is wrong.

        What a container hands to its parts, and back, is shown where it is wrong.
        """
        found: dict[str, Row] = {}
        for name, row in [*self._forward_rows(), *self._backward_rows()]:
            if name not in found or (row.blame and not found[name].blame):
                found[name] = row
        return found

    def _forward_rows(self) -> Iterator[tuple[str, Row]]:
        for pair in self.pairs:
            outputs = {made.name for made in self.steps[pair.label].outputs}
            for name, row in self.rows.get(pair.label, {}).items():
                if name in outputs and self._is_shown(pair, name, row):
                    yield _of_all_calls(name), row

    def _backward_rows(self) -> Iterator[tuple[str, Row]]:
        last = []
        for pair in reversed(self.pairs):
            of_inputs = {f"gradient of {pair.shown_input(path)}" for path in pair.inputs}
            gradients = {made.name for made in self.steps[pair.label].gradients.values()}
            rows = [(name, row) for name, row in self.rows.get(pair.label, {}).items() if name in gradients]
            rows = [(name, row) for name, row in rows if self._is_shown(pair, name, row)]
            rows.sort(key=lambda one: one[0] in of_inputs)
            for name, row in rows:
                if not pair.label and name in of_inputs:
                    last.append((name, row))
                else:
                    yield _of_all_calls(name), row
        yield from last

    def _is_shown(self, pair: Pair, name: str, row: Row) -> bool:
        """Tell whether a row is of use to a reader."""
        if not pair.inside or row.status == "wrong":
            return True
        own = {pair.shown_output(path) for path in pair.outputs}
        own |= {f"gradient of {pair.shown_input(path)}" for path in pair.inputs}
        is_parameter = name.removeprefix("gradient of ") in self.subject.parameters
        return is_parameter or (not pair.label and name in own)

    def _with_whole(self, row: Row) -> Row:
        """Return the row with the same quantity in the whole pass; one that is right stands for all calls."""
        name = _of_all_calls(row.quantity)
        row = row if row.blame else replace(row, of=replace(row.of, name=name, text=name))
        return replace(row, end_to_end=self.in_the_whole.get(name))

    def _not_compared(self) -> Iterator[tuple[str, str]]:
        for path, why in self.subject.not_compared.items():
            yield f"{path} alone", why
        for pair in self.pairs:
            if not self.draws_alike[pair.label]:
                yield f"{pair.mine.path} alone" if pair.label else "what lies outside of the submodules", OTHER_DRAWS
        if not self.passes.draws_alike:
            yield "the whole pass", OTHER_DRAWS
        for step in (*self.steps.values(), self.whole):
            yield from step.not_compared


def _of_all_calls(name: str) -> str:
    """Return the name of a quantity without the number of the call."""
    return re.sub(r", call \d+$", "", name)


def _owned(row: Row, seen: Evidence) -> Row:
    """Return the row with the type whose method it is."""
    name = getattr(seen.values[row.quantity].method, "__qualname__", "").split(".")
    return replace(row, of=replace(row.of, owner=name[-2] if len(name) > 1 else ""))


def _draw_alike(views: tuple[View, View], step: Step) -> bool:
    """Tell whether both sides leave the random generator in the same state."""
    by_hand, right = (_state_after(view, step.inputs | step.fixed) for view in views)
    return torch.equal(by_hand, right)


def _state_after(view: View, tensors: Mapping[str, Tensor]) -> Tensor:
    with as_it_was(), torch.no_grad():
        try:
            view(dict(tensors))
        except (Exception, SystemExit):  # of somebody's forward: its step says so
            pass
        return torch.get_rng_state()
