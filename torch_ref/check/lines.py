"""Somebody's forward and backward as they are: their variables are read, and the line that is wrong is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from torch_ref.check.reading import check_no_autocast
from torch_ref.lines.chained import Chained
from torch_ref.lines.pairing import Backward, Pair, pairing_of
from torch_ref.lines.subject import Subject, read
from torch_ref.lines.trace import Run, Version
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.verdict.chain import Written, report_of_chain
from torch_ref.verdict.report import Report

MISNAMED = "what backward has under this name is not it, but what is computed from that is right"


def check_lines(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None,
    inputs: Sequence[Any] | Mapping[str, Any],
    *,
    mapping: Mapping[str, str | None] | None = None,
    upstream: Any = None,
    tolerance: Tolerance | None = None,
    strict: bool = False,
    power: bool = True,
) -> Report:
    """Read the variables."""
    check_tolerance(tolerance)
    check_no_autocast()
    subject = Subject.of(forward, backward, inputs)
    seen = read(subject, upstream)
    found = Backward(seen.by_hand, [*subject.inputs])
    pairing = pairing_of(seen.values, found, mapping)
    with torch.inference_mode(mode=False):
        chained = Chained(seen.roots, seen.values, found, pairing.pairs, tolerance, strict)
        chained = chained.with_adopted().without_misnamed()
        owners = {v.place: pair.name for pair in chained.pairs for several in pair.gradients for v in several}
        written = {pair.name: _written(pair, seen.by_hand, owners) for pair in chained.pairs}
        left = tuple((f"gradient of {pair.name}", MISNAMED) for pair in chained.misnamed)
        return report_of_chain(chained.chain, power=power, written=written, not_compared=(*pairing.unpaired, *left))


def _written(pair: Pair, run: Run, owners: Mapping[str, str]) -> tuple[tuple[Written, ...], ...]:
    """Return where each gradient of a pair was made, under whichever name that is not another pair's."""

    def of(version: Version) -> Written:
        first = run.origin(version)
        where = (first if owners.get(first.place, pair.name) == pair.name else version).where
        return Written(where.text, where.at)

    return tuple(tuple(map(of, several)) for several in pair.gradients)
