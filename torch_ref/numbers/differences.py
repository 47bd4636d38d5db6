"""Central finite differences: a witness that uses neither our backward formulas nor autograd.

    D(h) = (f(q + h v) − f(q − h v)) / 2h      along one random direction v of signs

It is taken in float64 at two steps, h and h/2, and says how far it can be off: by what the step changes, by a kink
within the step (there the one-sided differences do not halve with h), and by rounding. Where that is too much it
abstains, as for a saturated unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torch_ref.numbers.witness import all_finite, doubled_tensor

STEP = 1e-5
"""How far to step, of the size of q. The step's own error is about its square, 1e-10; rounding adds 1e-11."""

SURE = 1e-4
"""A slope that may be off by more than this share of the gradient's norm decides nothing. A fault of 0.05 % is five
times as large."""

MARGIN = 10.0
"""How many times its own uncertainty (or ``LEAST``) a difference must be to count."""

LEAST = 1e-6
"""Of the norm: smaller differences are left to the comparison of the two gradients."""


@dataclass(frozen=True)
class Slope:
    """The derivative of Σ e · outputs(q) along ``direction``, and how far it may be off."""

    direction: Tensor
    value: float
    uncertainty: float

    def difference(self, gradient: Tensor) -> float:
        """Return how far ⟨gradient, v⟩ is from the slope."""
        return abs(self.along(gradient) - self.value)

    def along(self, gradient: Tensor) -> float:
        """Return ⟨gradient, v⟩; of complex tensors its real part."""
        return float(torch.vdot(doubled_tensor(gradient).flatten(), self.direction.flatten()).real)

    def share(self, gradient: Tensor) -> float | None:
        """Return how far the gradient is from the slope as a share of its norm; None where the slope cannot tell."""
        gradient = doubled_tensor(gradient)
        norm = float(gradient.norm())
        if not norm or self.agrees(gradient) is None:
            return None
        return self.difference(gradient) / norm

    def agrees(self, gradient: Tensor) -> bool | None:
        """Tell whether ⟨gradient, v⟩ is this slope; None where the slope is not sure enough to tell."""
        if not all_finite(gradient):
            return False
        gradient = doubled_tensor(gradient)
        norm, off = float(gradient.norm()), self.difference(gradient)
        if off > MARGIN * max(self.uncertainty, LEAST * norm):
            return False
        return True if self.uncertainty <= SURE * norm else None


Function = Callable[[Tensor], Sequence[Tensor]]
Outputs = Sequence[Tensor]


def slope(
    outputs: Function, q: Tensor, errors: Sequence[Tensor], gradient: Tensor, here: Outputs | None = None
) -> Slope:
    """Return the slope of Σ e · outputs at q, all in float64, along a random direction.

    ``here`` are the outputs at q, where they are known.

    Where it differs from ``gradient``, a thousand times smaller step has the last word: with numbers of very different
    size, or very large ones, the first can step over all that the function does.
    """
    here = outputs(q) if here is None else here
    found = _slope(outputs, here, q, errors, STEP)
    if gradient.shape == q.shape and found.agrees(gradient) is False:
        nearer = _slope(outputs, here, q, errors, STEP / 1000)
        return found if nearer.agrees(gradient) is False else nearer
    return found


def _slope(outputs: Function, here: Outputs, q: Tensor, errors: Sequence[Tensor], step: float) -> Slope:
    generator = torch.Generator().manual_seed(0)
    signs = (torch.randint(0, 2, q.shape, generator=generator, dtype=torch.int8).to(q.device) * 2 - 1).double()
    size = float(q.norm()) / max(q.numel(), 1) ** 0.5
    h = step * (size or 1.0)
    v = signs * (1 + 1j) if q.is_complex() else signs
    up, down, half_up, half_down = (outputs(torch.add(q, v, alpha=s)) for s in (h, -h, h / 2, -h / 2))
    wide = _weighed(errors, up, down) / (2 * h)
    narrow = _weighed(errors, half_up, half_down) / h
    kinks = _kinks(errors, (up, here, down), (half_up, here, half_down), h)
    scale = sum(float((e * doubled_tensor(y)).norm()) for e, y in zip(errors, here, strict=True))
    if all(torch.equal(a, b) for a, b in zip(up, down, strict=True)):  # 1 − 1e-18 is 1: what is inside may round
        scale += size * sum(float(e.norm()) for e in errors)
    rounding = 8 * torch.finfo(torch.float64).eps * scale / h
    return Slope(v, narrow, abs(wide - narrow) + kinks + rounding)


def _weighed(errors: Sequence[Tensor], a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """Return Σ e · (a − b): subtracted entry by entry, before the sum rounds."""
    return sum(
        float((e.conj() * (doubled_tensor(one) - doubled_tensor(other))).sum().real)
        for e, one, other in zip(errors, a, b, strict=True)
    )


def _kinks(errors: Sequence[Tensor], wide: Sequence[Outputs], narrow: Sequence[Outputs], h: float) -> float:
    """Return how much of the slope may be due to kinks: where a bend does not halve with h, entry by entry.

    Their sizes are added, for bends of different signs cancel in a sum.
    """
    found = 0.0
    for e, *values in zip(errors, *wide, *narrow, strict=True):
        up, here, down, half_up, _, half_down = (doubled_tensor(v) for v in values)
        bend = (up - here) + (down - here)
        narrow_bend = (half_up - here) + (half_down - here)
        found += float((e * (bend - 4 * narrow_bend)).abs().sum()) / h
    return found
