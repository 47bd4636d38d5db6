"""Each submodule that corresponds as a step of its own, the whole as another, and what is found in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial

import torch
from torch import Tensor

from torch_ref.check.passes import Passes
from torch_ref.numbers.agreement import Comparison, Tolerance
from torch_ref.numbers.witness import Tensors, all_finite
from torch_ref.steps.calling import attempt
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.pairs import Pair
from torch_ref.steps.pieces import piece_step, second_call, shown_buffer, whole_step
from torch_ref.steps.second_look import SecondLook
from torch_ref.steps.step import Step, source_of
from torch_ref.steps.views import View, views_of
from torch_ref.verdict.judge import KEPT, rows_of, tried_again
from torch_ref.verdict.row import Row

OTHER_NUMBERS = "alone it gives other numbers than the reference's, and the whole is right"


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
        if len(self.pairs) == 1 and not self.passes.buffers:
            return self.steps[""]
        given = self.subject.parameters, self.passes.required, self.passes.buffers
        return whole_step(self.passes.pair, self.views[""], self.subject.by_path, *given, self.tolerance)

    @cached_property
    def buffers(self) -> dict[str, Row]:
        """Return the rows of what the whole pass writes into buffers; none where another row says why it is wrong."""
        if not self.passes.buffers or not self.passes.draws_alike or not self.all_right:
            return {}
        rows = rows_of(Evidence(self.whole, second_look=SecondLook(self.whole, self.strict)))
        return {shown_buffer(name): self._of_holder(rows[shown_buffer(name)], name) for name in self.passes.buffers}

    def _of_holder(self, row: Row, buffer: str) -> Row:
        """Return the row of a buffer with the forward of the submodule that holds it."""
        holder = type(self.subject.mine.module.get_submodule(buffer.rpartition(".")[0]))
        source = source_of(holder.forward) if row.blame else ""
        return replace(row, of=replace(row.of, owner=holder.__name__), source=source)

    @property
    def all_right(self) -> bool:
        """Tell whether every piece is right."""
        return all(row.status != "wrong" for rows in self.rows.values() for row in rows.values())

    @cached_property
    def draws_alike(self) -> dict[str, bool]:
        """Tell of every pair whether both sides draw the same random numbers."""
        if self.passes.draws_alike:
            return dict.fromkeys(self.steps, True)
        return {label: _draw_alike(self.views[label], step) for label, step in self.steps.items()}

    @cached_property
    def rows(self) -> dict[str, dict[str, Row]]:
        """Return the rows of every pair that can be compared, by its label."""
        return {label: self._judged(label, step) for label, step in self.steps.items() if self.draws_alike[label]}

    def _judged(self, label: str, step: Step) -> dict[str, Row]:
        seen, *others = [Evidence(one, second_look=SecondLook(one, self.strict)) for one in (step, *step.others)]
        found = rows_of(seen)
        if any(row.why and row.why.code == "raises" for row in found.values()):
            found = _that_it_raises(found)
        if all(row.status != "wrong" for row in found.values()):
            rows, remarks, _ = tried_again([*found.values()], seen, others, self.strict, [], of_one_formula=False)
            found = {row.quantity: row for row in rows}
            self.remarks += [remark for remark in remarks if remark not in self.remarks]
        if label == of_all_calls(label) and all(row.status != "wrong" for row in found.values()):
            found |= self._at_a_second_call(label, step)
        return {name: _owned(row, seen) for name, row in found.items()}

    def _at_a_second_call(self, label: str, step: Step) -> dict[str, Row]:
        """Return the rows that are wrong only at a second call; none where the reference has no numbers there."""
        try:
            second = second_call(step, self.views[label], self.subject.parameters, self.passes.required)
            seen = Evidence(second, second_look=SecondLook(second, self.strict))
            right = second.witnesses
        except Exception:  # of a reference that does not take these numbers
            return {}
        values = [value.tensor for value in seen.values.values()]
        if not all_finite(*(w.value for w in right.values()), *(t for t in values if t is not None)):
            return {}
        return {name: replace(row, why=KEPT) for name, row in rows_of(seen).items() if row.blame}

    @cached_property
    def in_the_whole(self) -> dict[str, Comparison]:
        """Return how everything in the whole pass compares, the first that is wrong of several calls.

        A second look is taken only where it can matter: what a wrong piece makes wrong has its reason.
        """
        if len(self.pairs) == 1 or not self.passes.draws_alike:
            return {}
        found = {} if self.all_right else _merged(Evidence(self.whole).comparisons)
        if found and not all(found[name].ok for name in self._ends):
            return found
        return _merged(Evidence(self.whole, second_look=SecondLook(self.whole, self.strict)).comparisons)

    @property
    def _ends(self) -> list[str]:
        """Return the names of what the whole gives in the end: its outputs, and all gradients."""
        outputs = [self.passes.pair.shown_output(path) for path in self.passes.pair.outputs]
        return outputs + [made.name for made in self.whole.gradients.values()]

    @property
    def no_counterparts(self) -> dict[str, str]:
        """Return the submodules that are none of the reference's: they differ, and the whole does not.

        Then something else has to make up for it. A single difference that the whole does not show is a mistake.
        """
        if self.all_right or not self.in_the_whole or not all(self.in_the_whole[name].ok for name in self._ends):
            return {}
        wrong = {pair.label: self._differing(pair) for pair in self.pairs}
        places = {
            place
            for pair in self.pairs
            for place in (
                map(of_all_calls, wrong[pair.label]) if pair.inside else [pair.mine.path] * bool(wrong[pair.label])
            )
        }
        if len(places) < 2 and OTHER_NUMBERS not in self.subject.not_compared.values():
            return {}
        parts = {
            p.mine.path for p in self.pairs if not p.inside and any(n.startswith("output") for n in wrong[p.label])
        }
        if parts - {""}:
            return dict.fromkeys(parts, OTHER_NUMBERS)
        for pair in self.pairs:
            if pair.inside and wrong[pair.label]:
                return {_first_in_doubt(pair, wrong[pair.label]): OTHER_NUMBERS}
        return {}

    def _differing(self, pair: Pair) -> list[str]:
        """Return what a piece makes otherwise at its first call: of the forward pass, or else of the backward pass."""
        rows = self.rows.get(pair.label, {}).items()
        wrong = [name for name, row in rows if row.status == "wrong" and row.why is not KEPT]
        outputs = {made.name for made in self.steps[pair.label].outputs}
        return [name for name in wrong if name in outputs] or wrong


def _merged(comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """Return one comparison for all calls: the first that is wrong, else the first."""
    found: dict[str, Comparison] = {}
    for name, compared in comparisons.items():
        base = of_all_calls(name)
        if base not in found or (found[base].ok and not compared.ok):
            found[base] = compared
    return found


def _first_in_doubt(pair: Pair, wrong: list[str]) -> str:
    """Return the first part that is given something else, or gets another gradient; the last where none does."""
    for part in pair.inside:
        names = {part.shown_input(path) for path in part.inputs}
        names |= {f"gradient of {part.shown_output(path)}" for path in part.outputs}
        if names & {*wrong}:
            return part.mine.path
    return pair.inside[-1].mine.path


def of_all_calls(name: str) -> str:
    """Return the name of a quantity without the number of the call."""
    return re.sub(r", call \d+$", "", name)


def _that_it_raises(rows: Mapping[str, Row]) -> dict[str, Row]:
    """Return the rows of a piece that raises something: what it gave, and once that it raises."""
    raising = [name for name, row in rows.items() if row.why and row.why.code == "raises"]
    return {name: row for name, row in rows.items() if name not in raising[1:]}


def _owned(row: Row, seen: Evidence) -> Row:
    """Return the row with the type whose method it is."""
    name = getattr(seen.values[row.quantity].method, "__qualname__", "").split(".")
    return replace(row, of=replace(row.of, owner=name[-2] if len(name) > 1 else ""))


def _draw_alike(views: tuple[View, View], step: Step) -> bool:
    """Tell whether both sides leave the random generator in the same state; True where one of them raises."""
    by_hand, right = (attempt(partial(_state_after, view, step.inputs | step.fixed)) for view in views)
    return by_hand is None or right is None or torch.equal(by_hand, right)


def _state_after(view: View, tensors: Tensors) -> Tensor:
    view(tensors)
    return torch.get_rng_state()
