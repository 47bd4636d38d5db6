"""Another algorithm: a result that agrees to several digits, but by more than rounding does not (an ε, a cut-off)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from torch_ref.numbers.agreement import Comparison
from torch_ref.numbers.witness import CEILING, Level, Witness, levels

DIGITS = 2e-6
"""Of a slice's norm: another algorithm may differ by this from the reference, in float64."""

DIGITS_OF_ENTRY = 1e-3
"""The same of one entry, which may be small beside its slice."""


def by_another_algorithm(found: Comparison, tensor: Tensor, witness: Witness) -> Comparison | None:
    """Return the comparison as one that agrees to several digits; None where too much differs."""
    difference = (witness.in_units(tensor) - witness.in_units(witness.exact)).abs() ** 2
    pairs = zip(levels(difference), limits_of_algorithms(witness), strict=True)
    if any(bool((off > limit).any()) for (_, off, _), (_, limit, _) in pairs):
        return None
    digits = max(1, int(-torch.log10(torch.tensor(max(share_off(tensor, witness), 1e-16)))))
    remark = f"agrees to {digits} digits (more than rounding: an ε, a cut-off, another algorithm)"
    return replace(found, status="rounding", reason="algorithm", remark=remark)


def limits_of_algorithms(witness: Witness, rounding: float = 1.0) -> Iterator[Level]:
    """Yield how far another algorithm may be off at every level, beyond a share of the rounding.

    However inexact arithmetic is here, the whole may be off by no more than the ceiling.
    """
    sizes = levels(witness.in_units(witness.exact).abs() ** 2)
    for (name, size, factor), (_, noise, _) in zip(sizes, levels(witness.squares), strict=True):
        share = DIGITS_OF_ENTRY if name == "entry" else DIGITS
        limit = share * size + rounding * factor * witness.growth * noise
        most = CEILING * witness.norm if name == "tensor" else torch.inf
        yield Level(name, limit.clamp(max=most), factor)


def share_off(tensor: Tensor, witness: Witness) -> float:
    """Return how far a tensor is off, of the norm."""
    return witness.distance(tensor) / (witness.norm or 1.0)


def error_of(value: Tensor, witness: Witness) -> Tensor:
    """Return the error of a result, in units of the scale of its witness."""
    return witness.in_units(value) - witness.in_units(witness.exact)


def below(witness: Witness, most: float) -> list[Level]:
    """Return the limits of a witness, that of the whole tensor at most a share of its norm."""
    whole, *rest = witness.limits
    if witness.is_zero:
        return [whole, *rest]
    return [whole._replace(norms=whole.norms.clamp(max=most * witness.norm)), *rest]
