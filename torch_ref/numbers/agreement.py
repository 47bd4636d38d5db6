"""When two tensors agree: relative to the norm, and measured by the reference's own rounding.

The reference is computed several times: in the dtype of the pass, in float64, and with every given number moved by
one unit in its last place. How far these lie from the float64 values is the error that arithmetic in this dtype has
here, whoever does it; what is compared may be off by twice as much. In an ill-conditioned network that is a lot, in
a well-conditioned one next to nothing, and no size of the numbers is too small or too large. What is measured is the
norm of a whole tensor: an entry that is smaller than the rounding of the largest is not seen in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import torch
from torch import Tensor

Status = Literal["identical", "rounding", "wrong"]
Tensors = dict[str, Tensor]
Tolerance = Mapping[torch.dtype, float]
"""Relative to a tensor's norm, by dtype."""

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


@dataclass(frozen=True)
class Comparison:
    """How one tensor compares with its witness."""

    status: Status
    max_abs: float
    """The largest absolute difference from the reference in the dtype of the pass."""
    max_ulp: int | None
    """The largest difference in units in the last place; None where a number is not finite."""
    relative: float
    """The norm of the difference from the float64 reference, over its norm."""
    bound: float
    """How large ``relative`` may be; 0 where nothing differs."""
    worst: tuple[int, ...] | None
    """The index of the largest difference, or of the first number that is not finite."""
    by_hand: float | None
    reference: float | None
    """The two values there."""
    remark: str = ""
    """What is wrong, in words."""

    @property
    def ok(self) -> bool:
        """Tell whether it agrees, to the last bit or within rounding."""
        return self.status != "wrong"


def compare(by_hand: Tensor, witness: Witness, tolerance: float | None = None) -> Comparison:
    """Compare a tensor with its witness; another shape or dtype, or a number that is not finite, is wrong.

    ``tolerance``, relative to the norm, takes the place of the reference's own error where it is given.
    """
    value = witness.value
    if by_hand.shape != value.shape:
        return _incomparable(f"of shape {tuple(by_hand.shape)}, expected {tuple(value.shape)}")
    if by_hand.dtype != value.dtype:
        return _incomparable(f"of dtype {by_hand.dtype}, expected {value.dtype}")
    if by_hand.device != value.device:
        return _incomparable(f"on device {by_hand.device}, expected {value.device}")
    if torch.equal(by_hand, value) and bool(torch.isfinite(by_hand).all()):
        return Comparison("identical", 0.0, 0, 0.0, 0.0, None, None, None)
    odd = ~(torch.isfinite(by_hand) & torch.isfinite(value))
    if odd.any():
        return _at(odd.double(), by_hand, value, _incomparable("a number is not finite", math.nan))
    bound = witness.bound(tolerance)
    apart = (by_hand.double() - value.double()).abs()
    max_ulp = int(ulp_distance(by_hand, value).max().item()) if value.is_floating_point() else None
    distance, norm = witness.distance(by_hand), witness.norm
    relative = distance / norm if norm else math.inf
    wrong = not distance <= bound * (norm or 1.0)
    remark = f"off by {relative:.1e} of its norm" if wrong else ""
    if wrong and bound == CEILING and tolerance is None:
        remark += "; these numbers are so ill-conditioned that arithmetic alone is off by more than 10 %: take others"
    comparison = Comparison(
        "wrong" if wrong else "rounding", apart.max().item(), max_ulp, relative, bound, None, None, None, remark
    )
    return _at(apart, by_hand, value, comparison)


def check_tolerance(tolerance: object) -> None:
    """Raise unless it is None or says by torch.dtype how far a tensor may be off, as a share of its norm."""
    if tolerance is None:
        return
    if not isinstance(tolerance, Mapping) or not all(isinstance(dtype, torch.dtype) for dtype in tolerance):
        raise TypeError(f"tolerance expects a number for each torch.dtype, {{torch.float32: 1e-4}}, got {tolerance!r}")
    if not all(isinstance(share, float | int) and 0 <= share < 1 for share in tolerance.values()):
        raise ValueError(f"tolerance expects shares of the norm from 0 to below 1, got {tolerance!r}")


def _incomparable(remark: str, size: float = math.inf) -> Comparison:
    return Comparison("wrong", size, None, size, 0.0, None, None, None, remark)


def _at(size: Tensor, by_hand: Tensor, value: Tensor, c: Comparison) -> Comparison:
    """Return the comparison with the place where ``size`` is largest."""
    flat = int(size.argmax())
    worst = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), size.shape)) if size.ndim else ()
    here, there = by_hand.flatten()[flat].item(), value.flatten()[flat].item()
    return Comparison(c.status, c.max_abs, c.max_ulp, c.relative, c.bound, worst, here, there, c.remark)


def relative_difference(a: Tensor, b: Tensor) -> float:
    """Return the norm of a − b over the norm of b, for numbers of any size: 1e-300, 1e300. inf where b is 0."""
    witness = Witness.exactly(b)
    distance, norm = witness.distance(a), witness.norm
    return distance / norm if norm else (math.inf if distance else 0.0)


def ulp_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return how many floating-point numbers lie between a and b, entry by entry, as float64.

    Exact below 2^53. The two zeros count as one number.
    """
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    magnitude_a, magnitude_b = (value.abs().view(integer).to(torch.int64) for value in (a.contiguous(), b.contiguous()))
    same_sign = (a < 0) == (b < 0)
    apart = (magnitude_a - magnitude_b).abs().double()
    return torch.where(same_sign, apart, magnitude_a.double() + magnitude_b.double())


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
