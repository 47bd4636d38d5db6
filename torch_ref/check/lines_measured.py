"""The check of lines where autograd cannot follow forward: inputs and parameters beside central differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.check.accused import name_of, with_accused
from torch_ref.check.lines_inside import Outside, accused_inside
from torch_ref.check.lines_repaired import mended_by_differences
from torch_ref.check.lines_upstream import TIMES, at_another_upstream
from torch_ref.followed.differences import differences
from torch_ref.lines.arguments import Result
from torch_ref.lines.calls import key_of
from torch_ref.lines.changed import said_of_changes
from torch_ref.lines.mentioned import names_in
from torch_ref.lines.pairing import Backward, Pair, pairing_of
from torch_ref.lines.places import copied
from torch_ref.lines.subject import Subject, given_upstream
from torch_ref.lines.suspects import Suspects
from torch_ref.lines.trace import Run
from torch_ref.lines.values import Values
from torch_ref.lines.world import World
from torch_ref.numbers.agreement import Tolerance
from torch_ref.numbers.given import as_gradient
from torch_ref.steps.graph import Graph, place_of
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.upstream import random_like
from torch_ref.verdict.chain import power_of_all
from torch_ref.verdict.measured import Measured, rows_of_measured
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

MOST, LEAST = 400, 25
"""How many entries of all inputs and parameters together, and at least of each, are compared."""

REMARK = (
    "Autograd cannot follow forward: {}. The gradients of inputs and parameters are compared with central differences; "
    "those in between are not"
)


class Measurement:
    """A forward on copies of all that it reads, which may be moved."""

    def __init__(self, subject: Subject, upstream: Any = None) -> None:
        """Copy what forward reads; ``upstream`` are the gradients of its outputs, where somebody gives them."""
        self.subject, self.world = subject, World(copied, subject.instead_of_number)
        self.forward = subject.within(self.world, subject.forward)
        self.arguments, self.named = subject.arguments(self.world)
        self.given = {name: value for name, value in self.world.given.items() if not isinstance(value, Tensor)}
        self.outputs = [torch.as_tensor(y) for y in self._outputs()]
        is_loss = len(self.outputs) == 1 and self.outputs[0].numel() == 1
        self.upstream = [torch.ones_like(y) if is_loss else -random_like(y, i) for i, y in enumerate(self.outputs)]
        if upstream is not None:
            self.upstream = given_upstream(upstream, self.outputs)

    def _outputs(self) -> list[Any]:
        """Return the outputs of forward, which finds everything as it was."""
        before = {id(value): value.copy() for value in self.given.values()}
        with as_it_was(), torch.no_grad():
            returned = self.forward(*self.arguments, **self.named)
        for value in self.given.values():
            value[...] = before[id(value)]
        known = dict.fromkeys(names_in(self.subject.forward)) | dict(self.subject.inputs)
        return [*Result.of(returned, known, self.subject.backward).outputs.values()]

    def loss(self) -> float:
        """Return the sum of the outputs with their upstream gradients, less what it is here."""
        pairs = zip(self._outputs(), self.outputs, self.upstream, strict=True)
        return sum(float(((torch.as_tensor(y) - here) * d).sum()) for y, here, d in pairs)

    def values(self) -> Values:
        """Return the inputs and parameters as values from which something was made."""
        leaves = {id(v): torch.as_tensor(v).clone().requires_grad_() for v in self.given.values()}
        root = torch.stack([leaf.sum() for leaf in leaves.values()]).sum()
        places = {name: place_of(leaves[id(value)]) for name, value in self.given.items()}
        return Values(Run((), None, {}), places, (), (root,), Graph.of([root]))

    def measured(self, pair: Pair, values: Values) -> Measured:
        """Return the gradient of a pair beside differences."""
        array, like = self.given[pair.name], pair.places[0].value
        most = max(LEAST, MOST * array.size // sum(other.size for other in self.given.values()))
        found = differences(self.loss, array, most=most)
        numbers = map(torch.as_tensor, (found.indices, found.values, found.uncertainties))
        return Measured(pair.name, like, as_gradient(pair.gradients[0][-1].value, like), None, *numbers)


def report_by_differences(
    subject: Subject,
    why: str,
    *,
    mapping: Mapping[str, str | None] | None,
    upstream: Any,
    tolerance: Tolerance | None,
    strict: bool,
    power: bool,
    is_again: bool = False,
) -> Report:
    """Return the report of a forward that cannot be followed."""
    asked: dict[str, Any] = {"mapping": mapping, "tolerance": tolerance, "strict": strict, "power": power}
    forward = Measurement(subject, upstream)
    values = forward.values()
    upstream = [d.numpy()[()] for d in forward.upstream]
    backward = Backward(subject.by_hand(upstream), [*subject.inputs], 0 if subject.backward else len(upstream))
    pairing = pairing_of(values, backward, mapping)
    measured = [forward.measured(pair, values) for pair in pairing.pairs]
    rows, arrived = rows_of_measured(measured, tolerance or {}, strict=strict)
    suspects = _suspects(rows, pairing.pairs, backward)
    wrong = {key_of(forward.given[pair.name]): pair.name in suspects.wrong for pair in pairing.pairs}
    inside = accused_inside(suspects.accused(), lambda: subject.calls(upstream), Outside(wrong))
    made = {p.name: (p.gradients[0][-1], one) for p, one in zip(pairing.pairs, measured, strict=True)}
    mended = mended_by_differences(inside, made, backward.run, subject, lambda other: other.by_hand(upstream))
    accused = with_accused(rows, mended)
    told = {row.quantity.removeprefix("gradient of ") for row in accused}
    unsure = [
        (f"gradient of {one.name}", "central differences are not sure enough here")
        for one in measured
        if one.name not in told
    ]
    first = forward.outputs[0]
    note = backward.run.failure and f"backward {backward.run.failure}"
    left = pairing.unpaired(pairing.pairs, values, backward)
    seen = power and rows and all(row.status != "wrong" for row in rows)
    report = Report(
        accused,
        1,
        first.dtype,
        first.device,
        note,
        tuple(filter(None, [REMARK.format(why), said_of_changes(backward.run)])),
        (*unsure, *left),
        power=power_of_all(arrived, tolerance or {}, strict=strict) if seen else None,
    )
    if is_again or not report.ok or not backward.run.upstream or len(upstream) != 1 or np.size(upstream[0]) != 1:
        return report

    def report_of() -> Report:
        return report_by_differences(subject, why, upstream=TIMES * forward.upstream[0], is_again=True, **asked)

    return at_another_upstream(
        report,
        pairing.pairs,
        backward.run,
        lambda factor: subject.by_hand([factor * d for d in upstream]),
        report_of,
        strict=strict,
    )


def _suspects(rows: Sequence[Row], pairs: Sequence[Pair], backward: Backward) -> Suspects:
    """Return what may have made the gradients wrong that are; their order is that in which they were made."""
    made = {pair.name: pair.gradients[0][-1] for pair in pairs}
    wrong = sorted((row for row in rows if row.blame), key=lambda row: backward.run.origin(made[name_of(row)]).order)
    right = [made[name_of(row)] for row in rows if row.status != "wrong"]
    return Suspects(backward, {name_of(row): made[name_of(row)] for row in wrong}, right)
