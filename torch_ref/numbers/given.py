"""Gradients by hand that are given as numbers: nothing can be computed again, in float64 or elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.numbers.agreement import Comparison, compare
from torch_ref.numbers.another import below, by_another_algorithm, error_of, limits_of_algorithms, share_off
from torch_ref.numbers.half import HALF, judged
from torch_ref.numbers.power import Room
from torch_ref.numbers.witness import CEILING, Level, Witness, all_finite, is_inexact


def as_gradient(gradient: Any, value: Tensor) -> Tensor | None:
    """Return a gradient by hand as a tensor; None where it is none. Of numpy and of numbers the dtype is no matter."""
    if isinstance(gradient, Tensor):
        dense = gradient if gradient.layout is torch.strided else gradient.to_dense()
        return dense.detach().clone()
    if isinstance(gradient, bool | str) or not isinstance(gradient, np.ndarray | np.generic | float | int | complex):
        return None
    array = np.asarray(gradient)
    if array.dtype.kind not in "fiuc":
        return None
    found = torch.from_numpy(np.ascontiguousarray(array)).reshape(array.shape).clone()
    return found.to(value.dtype) if is_inexact(value) and found.is_complex() <= value.is_complex() else found


def agreed(by_hand: Tensor, witness: Witness, tolerance: float | None = None, *, strict: bool = False) -> Comparison:
    """Compare a gradient by hand with its witness; another algorithm agrees too, unless ``strict``.

    So does what is summed or rounded in half precision, where the gradient is in it.
    """
    found = compare(by_hand, witness, tolerance, masked=True)
    value = witness.value
    fits = (by_hand.shape, by_hand.dtype, by_hand.device) == (value.shape, value.dtype, value.device)
    if tolerance is not None or found.skipped or not fits or not all_finite(by_hand, witness.value):
        return found
    if by_hand.dtype in HALF:
        return _in_half(by_hand, witness, found)
    if found.ok or strict:
        return found
    return by_another_algorithm(found, by_hand, witness) or found


def _in_half(by_hand: Tensor, witness: Witness, found: Comparison) -> Comparison:
    kind, allowed = judged(by_hand, witness, lambda: None)
    off = share_off(by_hand, witness)
    if kind == "wrong":
        count = int(witness.entries_off(by_hand).sum())
        remark = f"off by {off:.1e} of its norm"
        return replace(found, status="wrong", reason="", bound=allowed, off=count, relative=off, remark=remark)
    if kind == "rounding":
        return found if found.ok else replace(found, status="rounding", reason="rounding", remark="")
    dtype = str(by_hand.dtype).removeprefix("torch.")
    return replace(
        found, status="rounding", reason="half", remark=f"off by {off:.1e} of its norm, as sums in {dtype} are"
    )


def room_of(value: Tensor, witness: Witness, tolerance: float | None, *, strict: bool, every: int = 1) -> Room:
    """Return how far a gradient that agrees may be moved before it is refused.

    ``value`` may be one row in ``every`` so many of it.
    """
    witness = witness.of_rows(every) if every > 1 else witness
    error = error_of(value, witness)
    if tolerance is not None:
        limits = [level._replace(norms=torch.full_like(level.norms, torch.inf)) for level in witness.limits]
        limits[0] = Level("tensor", torch.as_tensor(tolerance * witness.norm), 1.0)
        return Room(error, [limits], witness.scale, every)
    several: list[Sequence[Level]] = [below(witness, CEILING)]
    if not strict:
        several.append([*limits_of_algorithms(witness)])
    return Room(error, several, witness.scale, every)
