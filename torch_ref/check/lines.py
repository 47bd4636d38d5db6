"""Somebody's forward and backward as they are: their variables are read, and the line that is wrong is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from torch_ref.check.reading import check_no_autocast
from torch_ref.lines.bare import with_bare
from torch_ref.lines.chained import Chained
from torch_ref.lines.culprit import culprit
from torch_ref.lines.pairing import Backward, Pair, pairing_of
from torch_ref.lines.subject import Subject, read
from torch_ref.lines.values import Values
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
    if not pairing.pairs:
        raise ValueError(_nothing_paired(seen.values, found))
    with torch.inference_mode(mode=False):
        chained = Chained(seen.roots, seen.values, found, pairing.pairs, tolerance, strict)
        chained = with_bare(chained).with_adopted().without_misnamed()
        written = {pair.name: _written(pair, chained) for pair in chained.pairs}
        left = [(f"gradient of {pair.name}", MISNAMED) for pair in chained.misnamed]
        left += pairing.unpaired([*chained.pairs, *chained.misnamed], seen.values, found)
        return report_of_chain(chained.chain, power=power, written=written, not_compared=tuple(left))


def _nothing_paired(values: Values, found: Backward) -> str:
    forward, backward = (", ".join(names) or "nothing" for names in (values.by_place, found.gradients))
    return (
        "check_lines expects gradients that are named after their values, as dW1 after W1, or a mapping="
        f"{{'value': 'gradient'}}, got none. Forward has {forward}; backward made {backward}"
    )


def _written(pair: Pair, chained: Chained) -> tuple[Written, ...]:
    """Return for each place of a pair the statement that made its gradient, or that with which it went wrong."""
    found = chained.chain.alone[pair.name]
    last = max((i for i, one in enumerate(found) if not one.found.ok), default=None)
    made = [chained.made_as(pair, several[-1]) for several in pair.gradients]
    if last is not None:
        made[last] = culprit(chained.chain, chained.claims[pair.name], last, chained.backward.run, made[last])
    return tuple(Written(version.where.text, version.where.at) for version in made)
