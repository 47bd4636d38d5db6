"""A loss whose backward takes the gradient of the loss: of three times the loss it is three times as large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from torch_ref.check.accused import GRADIENT
from torch_ref.lines.chained import off
from torch_ref.lines.pairing import Pair, tensor_of
from torch_ref.lines.trace import Run
from torch_ref.verdict.judge import IGNORED, IGNORES, ignored_beside
from torch_ref.verdict.report import Report

TIMES = 3.0
"""How much larger the other upstream gradient is."""

NEAR = 1e-2
"""How far a gradient may be from so many times what it was, as a share of its norm: rounding in any dtype."""


def at_another_upstream(
    report: Report,
    pairs: Sequence[Pair],
    first: Run,
    again: Callable[[float], Run],
    report_of: Callable[[], Report],
    *,
    strict: bool,
) -> Report:
    """Return the report of a loss that is right after one more run of backward, at a larger upstream gradient.

    What ignores that is right for the loss as it is: a remark, or wrong with ``strict`` and where other gradients do
    not ignore it. What is neither the same nor so many times as much is wrong. ``again`` runs backward, ``report_of``
    makes the whole report of that.
    """
    other = again(TIMES)
    outcomes = _of_outcomes(pairs)
    differing = [pair for pair in outcomes if not _is(TIMES, pair, first, other)]
    if other.failure or not differing:
        return report
    following = [f"{GRADIENT}{pair.name}" for pair in outcomes if not _is(1.0, pair, first, other)]
    ignoring = all(_is(1.0, pair, first, other) for pair in differing)
    if ignoring and not following and not strict:
        names = ", ".join(f"{GRADIENT}{pair.name}" for pair in differing)
        return replace(report, remarks=(*report.remarks, IGNORES.format(names)))
    there = report_of()
    if there.ok:
        return report
    why = ignored_beside(following) if following else IGNORED
    rows = [replace(row, why=why) if ignoring and row.blame else row for row in there.rows]
    return replace(there, rows=tuple(rows))


def _of_outcomes(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """Return the pairs of inputs and parameters, which is what counts; all where there are none of these."""
    return [pair for pair in pairs if pair.is_outcome] or pairs


def _is(times: float, pair: Pair, first: Run, other: Run) -> bool:
    """Tell whether each gradient of a pair is so many times as large in another run, or is not found there."""
    orders = [several[-1].order for several in pair.gradients]
    both = [(first.versions[n], other.versions[n]) for n in orders if n < len(other.versions)]
    return all(_are_near(tensor_of(b.value), times * tensor_of(a.value)) for a, b in both if a.place == b.place)


def _are_near(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and off(a, b) <= NEAR
