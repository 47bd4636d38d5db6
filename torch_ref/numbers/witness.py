"""What a quantity should be, by a reference, and how exactly arithmetic can say it here.

The reference is computed several times: in the dtype of the pass, in float64, and with every given number moved by
one unit in its last place. How far these lie from the float64 values is the error that arithmetic in this dtype has
here, whoever does it; a number that is compared may be off by twice as much. In an ill-conditioned network that is a
lot, in a well-conditioned one next to nothing, and no size of the numbers is too small or too large. What is measured
is the norm of a whole tensor: in float32 an entry that is smaller than the rounding of the largest one is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

Tensors = dict[str, Tensor]

FACTOR = 2.0
"""How many times the reference's own error an error may be: the criterion of the FlashAttention papers."""

LEAST = 4.0
"""What is always allowed, in units in the last place of the norm: a reference can be exact by luck. Over N rows it is
√N units, what the roundings of a sum in another order come to."""

CEILING = 0.1
"""Of the norm: what is never allowed, however inexact arithmetic is here. Zeros are off by 1, a factor of 2 too."""

JITTERS = 4
"""How many runs with moved numbers; the largest of their errors counts."""


@dataclass(frozen=True)
class Witness:
    """One quantity by the reference; float64 and the other runs are computed when somebody asks for them."""

    value: Tensor
    """In the dtype of the pass."""
    in_float64: Callable[[], Tensor]
    other_runs: Callable[[], Sequence[Tensor]]
    rows: int = 1
    """How many rows there are to sum over."""

    @classmethod
    def exactly(cls, value: Tensor, *, exact: Tensor | None = None, others: Sequence[Tensor] = ()) -> Witness:
        """Return the witness of given numbers: of ``value`` itself, or of what it is in float64."""
        return cls(value, lambda: (value if exact is None else exact).double(), lambda: others)

    @cached_property
    def exact(self) -> Tensor:
        """Return the quantity in float64."""
        return self.in_float64()

    @cached_property
    def scale(self) -> float:
        """Return the largest magnitude of the exact values: norms are taken of tensors divided by it."""
        return (self.exact.abs().max().item() if self.exact.numel() else 0.0) or 1.0

    @cached_property
    def norm(self) -> float:
        """Return the norm of the exact values, in units of ``scale``."""
        return float((self.exact / self.scale).norm())

    @cached_property
    def noise(self) -> float:
        """Return the largest error of the reference in the dtype of the pass, in units of ``scale``."""
        return max(map(self.distance, [self.value, *self.other_runs()]))

    def distance(self, other: Tensor) -> float:
        """Return the norm of the difference from the exact values, in units of ``scale``."""
        return float((other.double() / self.scale - self.exact / self.scale).norm())

    def bound(self, tolerance: float | None = None) -> float:
        """Return how far a tensor may be off, as a share of the norm, or of ``scale`` where the norm is 0."""
        if tolerance is not None:
            return tolerance
        if not self.value.is_floating_point():
            return 0.0
        least = max(LEAST, math.sqrt(self.rows)) * torch.finfo(self.value.dtype).eps
        return min(max(FACTOR * self.noise / (self.norm or 1.0), least), CEILING)


def witnesses(
    evaluate: Callable[[Tensors, Tensors], Mapping[str, Tensor]], given: Tensors, fixed: Tensors
) -> dict[str, Witness]:
    """Return a witness for everything that ``evaluate(given, fixed)`` returns by name.

    ``given`` and ``fixed`` are taken in float64 too; ``given`` is also moved by a unit in the last place, while
    ``fixed`` (targets) is meant exactly.
    """
    values = evaluate(given, fixed)
    first = next(iter(given.values()))
    rows = len(first) if first.ndim else 1

    @cache
    def exact() -> Mapping[str, Tensor]:
        try:
            return evaluate(doubled(given), doubled(fixed))
        except Exception:  # of a reference for one dtype only: its own numbers have to do
            return values

    generator = torch.Generator().manual_seed(0)
    others = cache(lambda: [evaluate(_jittered(given, generator), fixed) for _ in range(JITTERS)])

    def witness(name: str, value: Tensor) -> Witness:
        return Witness(value, lambda: exact()[name].double(), lambda: [run[name] for run in others()], rows)

    return {name: witness(name, value) for name, value in values.items()}


def doubled(tensors: Tensors) -> Tensors:
    """Return the floating-point tensors in float64, the others as they are."""
    return {name: t.double() if t.is_floating_point() else t for name, t in tensors.items()}


def _jittered(tensors: Tensors, generator: torch.Generator) -> Tensors:
    """Return the tensors with every number moved up or down by about one unit in its last place."""
    moved = {}
    for name, t in tensors.items():
        if t.is_floating_point():
            signs = torch.randint(0, 2, t.shape, generator=generator, dtype=torch.int8).to(t.device) * 2 - 1
            moved[name] = t * (1 + signs.to(t.dtype) * torch.finfo(t.dtype).eps)
        else:
            moved[name] = t
    return moved
