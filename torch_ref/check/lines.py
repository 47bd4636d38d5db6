"""Somebody's forward and backward as they are: their variables are read, and the line that is wrong is named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from torch_ref.check.accused import name_of, with_accused
from torch_ref.check.lines_inside import Outside, accused_inside
from torch_ref.check.lines_measured import report_by_differences
from torch_ref.check.lines_repaired import mended
from torch_ref.check.lines_upstream import TIMES, at_another_upstream
from torch_ref.check.reading import check_no_autocast
from torch_ref.lines.cells import Cell
from torch_ref.lines.chained import Chained
from torch_ref.lines.changed import said_of_changes
from torch_ref.lines.judged import judged
from torch_ref.lines.log_shift import REMARK as SHIFT
from torch_ref.lines.log_shift import WithoutShift
from torch_ref.lines.pairing import Backward, Pair, pairing_of
from torch_ref.lines.scale import remark_of
from torch_ref.lines.subject import NotFollowed, Read, Subject, read
from torch_ref.lines.suspected import suspects_of
from torch_ref.lines.suspects import Accused
from torch_ref.lines.updates import Updates
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.steps.guarded import generators_kept
from torch_ref.verdict.chain import Written, report_of_chain
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

SMALL = 1e-4
"""Of the norm, in float32: what is off by less may be rounding that is larger than usual."""

IN_FLOAT64 = "compared in float64: in float32 rounding is larger than usual ({})"

MISNAMED = "what backward has under this name is not it, but what is computed from that is right"

UPDATED = (
    ". What backward updates itself is compared where it moves it once, by a learning rate that is an argument or an "
    "attribute called lr or learning_rate"
)


def check_lines(
    forward: Callable[..., Any] | str,
    backward: Callable[..., Any] | str | None,
    inputs: Sequence[Any] | Mapping[str, Any],
    *,
    mapping: Mapping[str, str | None] | None = None,
    upstream: Any = None,
    tolerance: Tolerance | None = None,
    strict: bool = False,
    power: bool = True,
) -> Report:
    """Read the variables of a handwritten ``forward`` and ``backward``, and name the line whose gradient is wrong.

        check_lines(forward, backward, [x, W1, b1, W2, b2, t])
        check_lines(net.loss, net.backward, [x, t])        # parameters and gradients on the object
        check_lines(loss_and_gradients, None, [x, W, t])   # both in one function, or forward returns backward
        check_lines("z = x @ W ...", "dz = ...", {})       # the texts of two cells of a notebook

    Both are taken as they are, in torch or numpy: loops, work in place, lists, dicts and attributes are followed.
    ``forward(*inputs)``, or by name, runs once under autograd and once plainly; then ``backward`` gets its arguments by
    name: inputs and variables of forward, what forward returned beside its output as ``cache``, the gradient of the
    output as ``dout``. It is 1 for a loss, random for others, or ``upstream``. Of a loss, backward runs once more with
    three times as much: what ignores it gets a remark, with ``strict`` it is wrong. Inputs and output gradients that
    backward changes in place get a remark, too, but for an update.

    A variable of backward is the gradient of the value of forward after which it is named: dW1, d_W1, grad_W1, W1_grad,
    nabla_W1, dL_dW1, grads['W1'], self.dW; what is returned is by name too, or in the order of the inputs.
    ``mapping={'value of forward': 'variable of backward'}`` overrides that; None leaves a value out. The values of a
    loop go with gradients in reverse order. Of an input or a parameter the last gradient counts.

    Each gradient is compared with what autograd makes of the handwritten ones behind it, as in ``check_chain``: so the
    verdict accuses the statement with which the numbers went wrong, with file, line and text. Where it may also be one
    that it is computed from, their lines follow: nothing in between has a counterpart. What has none is in
    ``not_compared``. Where autograd cannot follow a forward of numpy, inputs and parameters alone are compared,
    with central differences. ``tolerance``, ``strict`` and ``power`` are those of ``check_function``.

    What backward raises is part of the report. Raises TypeError where inputs or arguments of backward cannot be found,
    or forward returns no output; ValueError where forward raises or autograd cannot follow it, nothing can be paired,
    or a mapping names what is not there; RuntimeError under autocast. Nothing that is given is changed.
    """
    check_tolerance(tolerance)
    check_no_autocast()
    variables = sys._getframe(1).f_globals  # a cell reads those of the notebook that asks
    forward = Cell(forward, "forward", variables) if isinstance(forward, str) else forward
    backward = Cell(backward, "backward", variables) if isinstance(backward, str) else backward
    subject = Subject.of(forward, backward, inputs).with_backward_returned()
    given = {"mapping": mapping, "upstream": upstream, "tolerance": tolerance, "strict": strict, "power": power}
    report = _report(subject, **given)
    if tolerance is None and not report.note and report.guilty and all(map(_may_be_rounding, report.guilty)):
        report = _beside_float64(report, subject, given)
    return _without_shift(report, subject, given) if tolerance is None and report.guilty and not strict else report


def _without_shift(report: Report, subject: Subject, given: Mapping[str, Any]) -> Report:
    """Return the report without the ε of log(p + ε) where less is wrong then: backward leaves that out."""
    if not subject.takes_a_shifted_log():
        return report
    without = WithoutShift()
    try:
        other = _report(replace(subject, without_shift=without), **given)
    except Exception:  # of somebody's code, under the mode of somebody else
        return report
    before, after = ({name_of(row) for row in one.rows if row.status == "wrong"} for one in (report, other))
    if other.note or not after < before:
        return report
    worst = min(report.guilty, key=lambda row: row.isolated.relative)
    said = SHIFT.format(shift=without.shift, worst=worst.quantity, off=worst.isolated.relative)
    return replace(other, remarks=(*other.remarks, said))


def _may_be_rounding(row: Row) -> bool:
    return row.isolated.relative < SMALL


def _beside_float64(report: Report, subject: Subject, given: Mapping[str, Any]) -> Report:
    """Return the report in float64 where all is right there: the rest is rounding, as where p − 1 cancels."""
    if report.dtype != torch.float32:
        return report
    try:
        wide = _report(replace(subject, is_wide=True), **given)
    except Exception:  # of somebody's code, which may be for one dtype only
        return report
    off = ", ".join(f"{row.quantity} by {row.isolated.relative:.1e} of its norm" for row in report.guilty)
    return replace(wide, remarks=(*wide.remarks, IN_FLOAT64.format(off))) if wide.ok else report


@generators_kept()
def _report(
    subject: Subject,
    *,
    mapping: Mapping[str, str | None] | None,
    upstream: Any,
    tolerance: Tolerance | None,
    strict: bool,
    power: bool,
    is_again: bool = False,
) -> Report:
    asked: dict[str, Any] = {"mapping": mapping, "tolerance": tolerance, "strict": strict, "power": power}
    try:
        seen = read(subject, upstream)
    except NotFollowed as error:
        return report_by_differences(subject, str(error), upstream=upstream, **asked)
    found = Backward(seen.by_hand, [*subject.inputs], len(seen.roots) if subject.backward is None else 0)
    pairing = pairing_of(seen.values, found, mapping)
    updated = Updates(seen.by_hand, subject.around).paired(pairing, seen.values)
    if updated is not pairing and updated.pairs and seen.roots[0][0].dtype == torch.float32:
        return _report(replace(subject, is_wide=True), upstream=upstream, is_again=is_again, **asked)
    pairing = updated
    if not pairing.pairs:
        return _without_pairs(seen, found)
    with torch.inference_mode(mode=False):
        chained = judged(seen, found, pairing, tolerance=tolerance, strict=strict)
        written = {pair.name: _written(pair, chained) for pair in chained.pairs}
        left = [(f"gradient of {pair.name}", MISNAMED) for pair in chained.misnamed]
        left += pairing.unpaired([*chained.pairs, *chained.misnamed], seen.values, found)
        moved = frozenset(pair.name for pair in pairing.pairs if pair.gradients[0][-1].place == pair.name)
        remarks = tuple(filter(None, [remark_of(chained), said_of_changes(seen.by_hand, moved)]))
        report = report_of_chain(chained.chain, power=power, written=written, remarks=remarks, not_compared=tuple(left))
        guilty = [name_of(row) for row in report.guilty]
        accused = suspects_of(chained, guilty).accused()
        outside = Outside.of(chained, guilty)
        whole = None if subject.backward is None or seen.by_hand.upstream else subject
        inside = accused_inside(accused, seen.calls, outside, chained=chained, is_wide=subject.is_wide, whole=whole)

        def is_right(other: Subject, one: Accused) -> bool:
            wrong = _wrong_in(replace(other, is_moved=True), upstream, mapping)
            return wrong is not None and wrong.isdisjoint(one.names) and wrong <= {*guilty, *chained.guilty}

        rows = with_accused(report.rows, mended(inside, chained, seen, subject, is_right))
        report = replace(report, rows=rows, note=seen.by_hand.failure and f"backward {seen.by_hand.failure}")
    if is_again or not report.ok or not seen.is_of_a_loss:
        return report

    def report_of() -> Report:
        return _report(subject, upstream=TIMES * seen.roots[0][1], is_again=True, **asked)

    return at_another_upstream(report, chained.pairs, seen.by_hand, seen.again, report_of, strict=strict)


def _wrong_in(subject: Subject, upstream: Any, mapping: Mapping[str, str | None] | None) -> frozenset[str] | None:
    """Return the names of the gradients that are wrong by themselves; None where nobody can tell."""
    try:
        seen = read(subject, upstream)
        found = Backward(seen.by_hand, [*subject.inputs], len(seen.roots) if subject.backward is None else 0)
        pairing = Updates(seen.by_hand, subject.around).paired(pairing_of(seen.values, found, mapping), seen.values)
        return None if seen.by_hand.failure else judged(seen, found, pairing, tolerance=None, strict=False).guilty
    except Exception:  # of code that nobody wrote
        return None


def _without_pairs(seen: Read, found: Backward) -> Report:
    """Return the report of a backward that raised before it made a gradient; raise ValueError where there is none."""
    if seen.by_hand.failure:
        root, _ = seen.roots[0]
        return Report((), 1, root.dtype, root.device, f"backward {seen.by_hand.failure}")
    forward, backward = (", ".join(names) or "nothing" for names in (seen.values.by_place, found.gradients))
    is_updated = any(name in found.gradients for name in seen.values.leaves.values())
    raise ValueError(
        "check_lines expects gradients that are named after their values, as dW1 after W1, or a mapping="
        f"{{'value': 'gradient'}}, got none. Forward has {forward}; backward made {backward}" + UPDATED * is_updated
    )


def _written(pair: Pair, chained: Chained) -> tuple[Written, ...]:
    """Return for each place of a pair the statement that made its gradient."""
    made = [chained.made_as(pair, several[-1]) for several in pair.gradients]
    return tuple(Written(version.where.text, version.where.at) for version in made)
