"""Mistakes in a sum over what was broadcast, whose result goes back to all entries: the projection of a norm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from torch_ref.causes.sums import terms_of
from torch_ref.causes.tape import Operation, Tape, is_near


def of_projection(tape: Tape, values: Sequence[Tensor]) -> Iterator[tuple[str, str, Tensor]]:
    """Yield a code, a sentence and the gradient for what may be wrong in such sums."""
    for one in tape.operations:
        for i, went in enumerate(one.went):
            if went is not None and went.numel() < one.came.numel():
                yield from _of(tape, one, i, went, values)


def _of(
    tape: Tape, one: Operation, i: int, went: Tensor, values: Sequence[Tensor]
) -> Iterator[tuple[str, str, Tensor]]:
    terms = terms_of(one, i, went)
    part, slope = tape.through(one, i, went), tape.through(one, i, torch.ones_like(went))
    if terms is None or part is None or slope is None or terms.shape != slope.shape or went.ndim != slope.ndim:
        return
    if not is_near(part, slope * went) or 2 * int(slope.count_nonzero()) < slope.numel():
        return  # of an entry that is picked there is nothing to take by itself
    rest = tape.total - part
    name = f"the sum over what was broadcast at the {one.name}"
    yield "projection-missing", f"{name} is not taken: every entry is by itself", rest + slope * terms
    yield "upstream-missing", f"in {name} what came from above is missing", rest + slope
    yield "upstream-missing", f"in {name} what came from above is missing", rest - slope
    axes = [d for d in range(terms.ndim) if went.shape[d] == 1 < terms.shape[d]]
    outside = [torch.ones_like(went), *(v for v in values if v.shape == went.shape and not bool((v == 0).any()))]
    for v in outside:  # what does not change along the axis may stand before the sum or in it
        for d in range(terms.ndim):
            if d in axes or terms.shape[d] < 2:
                continue
            wrong = slope / v * (terms * v).sum(d, keepdim=True)
            for factor in (1.0, *(terms.shape[a] / terms.shape[d] for a in axes)):
                yield "another-axis", f"{name} runs along dimension {d}; {axes} is meant", rest + factor * wrong
        everything = slope / v * (terms * v).sum()
        for factor in (1.0, went.numel() ** -1.0):
            yield "another-axis", f"{name} runs over all entries; {axes} is meant", rest + factor * everything
