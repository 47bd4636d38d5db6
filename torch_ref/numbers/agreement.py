"""When two tensors agree: to the last bit, or as nearly as arithmetic can say it here (``witness``)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from torch_ref.numbers.witness import CEILING, Witness, all_finite, doubled_tensor

Status = Literal["identical", "rounding", "wrong"]
Reason = Literal["", "rounding", "zero", "kink", "algorithm", "accuracy", "half", "not-finite", "tolerance"]
"""Why two tensors that differ agree: rounding; zero but for rounding; any value between the one-sided derivatives is
right; another algorithm (an ε, a cut-off); right in float64, but less exact here; summed or rounded in half precision;
not finite on both sides at the same places, and equal elsewhere; within the tolerance that was given."""
Tolerance = Mapping[torch.dtype, float]
"""Relative to a tensor's norm, by dtype."""


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
    """The two values there; of complex numbers the ``part`` that differs more."""
    remark: str = ""
    """What is wrong, or why it agrees although it differs by more than rounding, in words."""
    reason: Reason = ""
    """Why it agrees although it differs, as a code."""
    off: int = 0
    """How many entries are farther off than rounding."""
    count: int = 0
    """How many entries were compared."""
    skipped: int = 0
    """How many were not, since both sides have the same infinity or NaN there."""
    part: Literal["", "real part", "imaginary part"] = ""
    """What the two values are of complex numbers."""

    @property
    def ok(self) -> bool:
        """Tell whether it agrees, to the last bit or within rounding."""
        return self.status != "wrong"


MUCH = 10.0
"""How many times farther off than the whole, as shares of their norms, a slice is that is named."""


def compare(by_hand: Tensor, witness: Witness, tolerance: float | None = None, *, masked: bool = False) -> Comparison:
    """Compare a tensor with its witness; another shape or dtype, or a number that is not finite, is wrong.

    ``tolerance``, relative to the norm, takes the place of the reference's own error where it is given. With ``masked``
    numbers that are not finite on both sides, in the same way at the same places, are left out and counted.
    """
    value = witness.value
    if by_hand.shape != value.shape:
        return _incomparable(f"of shape {tuple(by_hand.shape)}, expected {tuple(value.shape)}")
    if by_hand.dtype != value.dtype:
        return _incomparable(f"of dtype {by_hand.dtype}, expected {value.dtype}")
    if by_hand.device != value.device:
        return _incomparable(f"on device {by_hand.device}, expected {value.device}")
    witness = witness.beside(by_hand)
    value, count = witness.value, by_hand.numel()
    if all_finite(by_hand, value):
        return _finite(by_hand, value, witness, tolerance)
    finite = torch.isfinite(by_hand) & torch.isfinite(value)
    skipped = count - int(finite.sum())
    alike = (by_hand == value) | (by_hand.isnan() & value.isnan())
    odd = ~finite & ~alike if masked and skipped < count else ~finite
    if odd.any():
        return _at(odd.double(), by_hand, value, _incomparable("a number is not finite", math.nan))
    by_hand, value = torch.where(finite, by_hand, 0), torch.where(finite, value, 0)
    found = _finite(by_hand, value, witness.where(finite), tolerance)
    if not found.ok:
        return found
    remark = f"{skipped} of {count} entries are not finite on both sides and were not compared"
    return replace(found, reason="not-finite", remark=remark, count=count - skipped, skipped=skipped)


def _finite(by_hand: Tensor, value: Tensor, witness: Witness, tolerance: float | None) -> Comparison:
    """Return how two tensors of finite numbers compare."""
    count = by_hand.numel()
    if torch.equal(by_hand, value):
        return Comparison("identical", 0.0, 0, 0.0, 0.0, None, None, None, count=count)
    apart = (doubled_tensor(by_hand) - doubled_tensor(value)).abs()
    max_ulp = int(ulp_distance(by_hand, value).max().item()) if value.is_floating_point() else None
    if not (value.is_floating_point() or value.is_complex()):  # numbers to count with: equal or wrong
        off = int((apart > 0).sum())
        remark = f"another number in {off} of {count} entries"
        differs = Comparison("wrong", apart.max().item(), None, math.inf, 0.0, None, None, None, remark, "", off, count)
        return _at(apart, by_hand, value, differs)
    distance, norm = witness.distance(by_hand), witness.norm
    relative = distance / norm if norm else math.inf
    if tolerance is not None:
        bound, level = tolerance, "" if distance <= tolerance * (norm or 1.0) else "tensor"
        off = int((apart > 0).sum())
        if not level and witness.beyond(by_hand):
            remark = f"off by {relative:.1e} of its norm, within the tolerance that was given"
            within = Comparison("rounding", apart.max().item(), max_ulp, relative, bound, None, None, None, remark)
            return _at(apart, by_hand, value, replace(within, reason="tolerance", off=off, count=count))
    else:
        level, bound = witness.beyond(by_hand), witness.bound
        if bound > CEILING and not witness.is_zero:  # arithmetic cannot tell here
            bound, level = CEILING, level or ("tensor" if relative > CEILING else "")
        off = int(witness.entries_off(by_hand).sum()) if level else 0
    zero = tolerance is None and not level and bound > CEILING
    remark = _off(relative, by_hand, witness) if level else "zero but for rounding" if zero else ""
    if level and bound == CEILING and tolerance is None:
        remark += "; at these numbers arithmetic alone is off by more than 10 % (they are ill-conditioned): try others"
    status: Status = "wrong" if level else "rounding"
    reason: Reason = "" if level else "zero" if zero else "rounding"
    comparison = Comparison(
        status, apart.max().item(), max_ulp, relative, bound, None, None, None, remark, reason, off, count
    )
    return _at(apart, by_hand, value, comparison)


def _off(relative: float, by_hand: Tensor, witness: Witness) -> str:
    """Say how far a tensor is off, and where that is little beside the whole, which slice is."""
    if not witness.norm:
        return "the reference is 0 everywhere"
    found, worst = f"off by {relative:.1e} of its norm", witness.worst_slice(by_hand)
    if worst is None or worst[2] < MUCH * relative:
        return found
    dim, i, share = worst
    named = f"{('row', 'column')[dim]} {i}" if by_hand.ndim == 2 else f"slice {i} of dimension {dim}"
    return f"{found}, {named} by {share:.1e} of its own" if math.isfinite(share) else f"{found}, {named} should be 0"


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
    part: Literal["", "real part", "imaginary part"] = ""
    if by_hand.is_complex():
        a, b = (t.flatten()[flat] for t in (by_hand, value))
        is_real = not abs((a - b).imag.item()) > abs((a - b).real.item())
        part = "real part" if is_real else "imaginary part"
        by_hand, value = (by_hand.real, value.real) if is_real else (by_hand.imag, value.imag)
    worst = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), size.shape)) if size.ndim else ()
    here, there = by_hand.flatten()[flat].item(), value.flatten()[flat].item()
    return replace(c, worst=worst, by_hand=here, reference=there, part=part)


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
