"""From two modules to a report: which rows a reader sees, in which order, and what was not compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from torch_ref.check.passes import Passes, Subject
from torch_ref.check.pieces import Pieces, of_all_calls
from torch_ref.numbers.agreement import Tolerance
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.modules import tensors_of
from torch_ref.steps.pairs import Pair
from torch_ref.steps.step import Outputs, can_flow
from torch_ref.verdict.power import power_of_steps
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

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
            return _report(found, power)
        subject = found.passes.subject.without(others)


def _report(found: Pieces, power: bool) -> Report:
    """Return the report."""
    rows = [_with_whole(found, row) for row in _shown(found).values()]
    x = next((t for t in tensors_of(found.passes.pair.theirs.bound).values()), torch.zeros(1))
    first = next(t for t in found.whole.inputs.values() if can_flow(t))
    report = Report(
        tuple(rows),
        len(x) if x.ndim else 1,
        first.dtype,
        first.device,
        remarks=tuple(found.remarks),
        not_compared=tuple(dict.fromkeys(_not_compared(found))),
    )
    if not power or not report.ok:
        return report
    steps = [
        Evidence(found.steps[pair.label]) for pair in found.pairs if not pair.mine.number and pair.label in found.rows
    ]
    return replace(report, power=power_of_steps(steps))


def _shown(found: Pieces) -> dict[str, Row]:
    """Return the rows in order of the data flow, of several calls the first that is wrong.

    What a container hands to its parts, and back, is shown where it is wrong.
    """
    shown: dict[str, Row] = {}
    for name, row in [*_forward_rows(found), *found.buffers.items(), *_backward_rows(found)]:
        if name not in shown or (row.blame and not shown[name].blame):
            shown[name] = row
    return shown


def _forward_rows(found: Pieces) -> Iterator[tuple[str, Row]]:
    for pair in found.pairs:
        outputs = {made.name for made in found.steps[pair.label].outputs}
        for name, row in found.rows.get(pair.label, {}).items():
            if name in outputs and _is_shown(found, pair, name, row):
                yield of_all_calls(name), row


def _backward_rows(found: Pieces) -> Iterator[tuple[str, Row]]:
    last = []
    for pair in reversed(found.pairs):
        of_inputs = {f"gradient of {pair.shown_input(path)}" for path in pair.inputs}
        gradients = {made.name for made in found.steps[pair.label].gradients.values()}
        rows = [(name, row) for name, row in found.rows.get(pair.label, {}).items() if name in gradients]
        rows = [(name, row) for name, row in rows if _is_shown(found, pair, name, row)]
        rows.sort(key=lambda one: one[0] in of_inputs)
        for name, row in rows:
            if not pair.label and name in of_inputs:
                last.append((name, row))
            else:
                yield of_all_calls(name), row
    yield from last


def _is_shown(found: Pieces, pair: Pair, name: str, row: Row) -> bool:
    """Tell whether a row is of use to a reader."""
    if not pair.inside or row.status == "wrong":
        return True
    own = {pair.shown_output(path) for path in pair.outputs}
    own |= {f"gradient of {pair.shown_input(path)}" for path in pair.inputs}
    is_parameter = name.removeprefix("gradient of ") in found.subject.parameters
    return is_parameter or (not pair.label and name in own)


def _with_whole(found: Pieces, row: Row) -> Row:
    """Return the row with the same quantity in the whole pass; one that is right stands for all calls."""
    name = of_all_calls(row.quantity)
    row = row if row.blame else replace(row, of=replace(row.of, name=name, text=name))
    return replace(row, end_to_end=found.in_the_whole.get(name))


def _not_compared(found: Pieces) -> Iterator[tuple[str, str]]:
    for path, why in found.subject.not_compared.items():
        yield f"{path} alone", why
    for pair in found.pairs:
        if not found.draws_alike[pair.label]:
            yield f"{pair.mine.path} alone" if pair.label else "what lies outside of the submodules", OTHER_DRAWS
    if not found.passes.draws_alike:
        yield "the whole pass", OTHER_DRAWS
    for step in (*found.steps.values(), found.whole):
        yield from step.not_compared
