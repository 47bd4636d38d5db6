"""A long sum whose total is kept in half precision: it loses digits with every term, and stops growing in the end."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from torch_ref.causes.sums import terms_of
from torch_ref.causes.tape import Operation, Tape
from torch_ref.known.cause import Cause
from torch_ref.known.scene import UNEXPLAINED, Scene
from torch_ref.numbers.agreement import relative_difference

FEW, MANY = 16, 30_000
"""Terms: of fewer the digits that are lost prove nothing, of more the sum takes too long."""

LARGEST = 3_000_000
"""Numbers that all terms have together."""

SURE = 4.0
"""Units in the last place of half precision by which a gradient has to be off."""


def of_half_sum(tape: Tape, scene: Scene) -> Iterator[Cause]:
    """Yield that the terms of the gradient are added up one by one in half precision."""
    off = relative_difference(tape.total.double(), scene.by_hand)
    for one in tape.operations:
        for i, went in enumerate(one.went):
            if went is None or one.node.next_functions[i][0] is not tape.place.node:
                continue
            terms = _terms(one, i, went)
            if terms is None or not FEW < len(terms) <= MANY or terms.numel() > LARGEST:
                continue
            for dtype in (torch.bfloat16, torch.float16):
                if off < SURE * torch.finfo(dtype).eps:
                    continue
                total = torch.zeros_like(terms[0], dtype=dtype)
                for term in terms.to(dtype):
                    total += term
                found = total.double() + (tape.total - went)
                if relative_difference(found, scene.by_hand) <= UNEXPLAINED * off:
                    name = str(dtype).removeprefix("torch.")
                    text = f"its {len(terms):,} terms are added up in {name}, which has too few digits for that"
                    yield Cause("half-precision-sum", text, {"terms": len(terms), "dtype": name})


def _terms(one: Operation, i: int, went: Tensor) -> Tensor | None:
    """Return what is summed, one term after the other along the first dimension; None where it is not known."""
    if one.name in ("mm", "addmm") and i == len(one.went) - 1:
        a = one.saved("self" if one.name == "mm" else "mat1")
        if a is None or a.numel() * one.came.shape[-1] > LARGEST:
            return None
        return a[:, :, None] * one.came[:, None, :]
    terms = terms_of(one, i, went)
    if terms is None or not terms.ndim:
        return None
    shape = (1,) * (terms.ndim - went.ndim) + tuple(went.shape)
    summed = [d for d in range(terms.ndim) if shape[d] == 1 < terms.shape[d]]
    kept = [d for d in range(terms.ndim) if d not in summed]
    return terms.permute(*summed, *kept).reshape(-1, *went.shape)
