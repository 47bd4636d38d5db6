"""Half precision, of formulas that cannot compute in float64: rounding in it, or a mistake.

A kernel that accumulates in float32 is off by the one rounding of its result. One that rounds or sums in half
precision is off by more, but at random: of two upstream gradients that add up to a third, the errors do not. A mistake
is linear in the upstream gradient, as the right formula is. So an error that adds up may only be as large as the
rounding of a few intermediate numbers makes it; one that does not may be as large as sums in half precision are off.
A sum in half precision that stops growing, since what is added is less than half a unit of it, is off by much more.
Where the reference's own does, that is no excuse. A gradient in float32, beside others in half precision, may be made
of rounded numbers, but not summed in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from torch_ref.numbers.witness import CEILING, Witness, doubled_tensor, levels

HALF = (torch.bfloat16, torch.float16)

ROUNDED = 1.2
"""Units in the last place of the terms: what the rounding of intermediate numbers comes to, at most."""

COMMON = 0.6
"""The same of a factor that all entries have in common; at random it averages out."""

SUMMED = 9.0
"""Units in the last place of the terms: what sums in half precision are off by, 0.07 in bfloat16."""

ONE_ROUNDING = 0.76
"""Units in the last place of an entry: half a unit, and what float32 adds to it."""

LEAP = 64.0
"""How many times what finer arithmetic should be off is none of it: a leap at a kink, or half precision inside."""

ADDS_UP = 0.3
"""Of the error: what may be left of it where it is linear in the upstream gradient."""

STOPPED = 3.0
"""How many times farther off than roundings at random make it a reference is whose sum stops growing."""

MANY = 16
"""Entries: from here on random errors average out in a common factor."""


class Found(NamedTuple):
    """What a difference in half precision is."""

    kind: str
    """rounding, half or wrong."""
    allowed: float
    """Of the norm."""


def judged(by_hand: Tensor, witness: Witness, remainder: Callable[[], float | None]) -> Found:
    """Tell what the difference from the float64 values is.

    ``remainder`` gives how much of the error is left, as a share of it, when those of two parts of the upstream
    gradient are subtracted; None where there are no parts.
    """
    exact, eps = witness.in_units(witness.exact), witness.eps
    error = witness.in_units(by_hand) - exact
    tiny = torch.finfo(by_hand.dtype).smallest_normal * eps / witness.scale
    fine = witness.in_arithmetic_of(torch.float32)
    noise = torch.minimum(fine.squares.sqrt(), LEAP * fine.eps / eps * witness.squares.sqrt())
    if bool((error.abs() <= ONE_ROUNDING * eps * exact.abs() + 10 * fine.growth * noise + tiny).all()):
        return Found("rounding", ONE_ROUNDING * eps)
    moved, own = eps * float((witness.squares.sqrt() / eps + exact.abs()).norm()), witness.own
    if float(own.sum().sqrt()) > max(STOPPED * moved, CEILING * witness.norm):
        own = torch.zeros_like(own)
        if float(error.norm()) > CEILING * witness.norm and not witness.is_zero:
            return Found("wrong", CEILING)
    terms = (witness.squares + own).sqrt() / eps + exact.abs()
    size = float(terms.norm()) / (witness.norm or 1.0) * eps
    square = float((exact.abs() ** 2).sum())
    common = abs(float((error * exact.conj()).sum().real)) / square if square else 0.0
    if exact.numel() >= MANY and common * witness.norm > COMMON * eps * float(terms.norm()):
        return Found("wrong", COMMON * size)
    share = SUMMED if by_hand.dtype in HALF and not _adds_up(remainder()) else ROUNDED
    for (_, off, factor), (_, allowed, _) in zip(levels(error.abs() ** 2), levels(terms**2), strict=True):
        if bool((off > factor * share * eps * allowed + tiny).any()):
            return Found("wrong", share * size)
    return Found("half", share * size)


def _adds_up(left: float | None) -> bool:
    return left is not None and left < ADDS_UP


def remainder_of(
    whole: Tensor, parts: list[Tensor], exact: Tensor, exact_parts: list[Tensor], *, of: Tensor | None = None
) -> float | None:
    """Return what is left of the error of a whole less those of its parts, as a share of it, or of that ``of`` another.

    The other is the whole with a mistake in it, which adds up.
    """
    error = doubled_tensor(whole) - doubled_tensor(exact)
    rest = error - sum(
        (doubled_tensor(p) - doubled_tensor(e) for p, e in zip(parts, exact_parts, strict=True)),
        torch.zeros_like(error),
    )
    size = float((error if of is None else doubled_tensor(of) - doubled_tensor(exact)).norm())
    return float(rest.norm()) / size if size else None
