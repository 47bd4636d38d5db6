"""What a check could have seen: the smallest mistakes that it rejects at these very numbers, planted and bisected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from torch_ref.numbers.power import Power
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.step import Made, Value

RANGE, STEPS = 16.0, 8
"""How many powers of ten below 1 are searched, and how often that interval is halved."""

LARGE = 1 << 18
"""Entries: of a larger gradient the rows are not planted one by one; its factor says what is seen."""


@dataclass(frozen=True)
class Planted:
    """The result by hand of one gradient, and whether a change of it would be rejected."""

    seen: Evidence
    made: Made
    value: Tensor

    def rejects(self, change: Callable[[Tensor], Tensor]) -> bool:
        """Tell whether the changed result is wrong, in the dtype of the pass and, where that decides, in float64."""
        step, look = self.seen.step, self.seen.second_look
        value = Value(change(self.value.clone()), None)
        found = step.compared(self.made.name, value)
        if look is None:
            return not found.ok
        return not look.planted(self.made, change).again(self.made, value, found).ok

    def smallest(self, where: Tensor) -> float | None:
        """Return the smallest share by which the numbers there can be changed and be rejected; None: not by 1."""

        def changed(share: float) -> Callable[[Tensor], Tensor]:
            return lambda t: torch.where(where, t * (1 + share), t)

        return _bisected(lambda share: self.rejects(changed(share)))


def power_of(seen: Evidence) -> Power | None:
    """Return the smallest mistakes that would have been rejected in every gradient; None where there is none."""
    found: list[tuple[float | None, float | None, float | None]] = []
    for made in seen.step.gradients.values():
        value = seen.values[made.name].tensor
        if value is None or not value.numel() or seen.comparisons[made.name].reason in ("zero", "not-finite"):
            continue
        if not bool(value.any()) or not bool(torch.isfinite(value).all()):
            continue
        found.append(_of(Planted(seen, made, value)))
    if not found:
        return Power(None, None, None, None, None, _weakness(seen))
    factor, row, entry = (_weakest([one[i] for one in found]) for i in range(3))
    dropped, sample = _samples(seen)
    return Power(factor, row, sample, entry, dropped, "")


def _weakness(seen: Evidence) -> str:
    if all(not bool(e.any()) for e in seen.step.errors):
        return "the upstream gradient is 0 everywhere"
    return "every gradient is 0 here, whatever the formula is"


def _of(planted: Planted) -> tuple[float | None, float | None, float | None]:
    """Return the smallest change of everything, of the middle row in size, and of the middle entry."""
    value = planted.value
    everywhere = torch.ones(value.shape, dtype=torch.bool, device=value.device)
    factor = planted.smallest(everywhere)
    if value.numel() > LARGE:
        return factor, factor, factor
    rows = value.abs().double().reshape(len(value), -1).norm(dim=1) if value.ndim > 1 else value.abs().double().view(-1)
    row = torch.zeros_like(everywhere)
    (row if row.ndim else row.view(1))[_middle(rows)] = True
    entry = torch.zeros_like(everywhere)
    entry.view(-1)[_middle(value.abs().double().reshape(-1))] = True
    of_entry = planted.smallest(entry)
    return factor, planted.smallest(row) if value.ndim > 1 else of_entry, of_entry


def _middle(sizes: Tensor) -> int:
    """Return the index of the middle one in size among those that are not 0."""
    order = sizes.argsort()
    zeros = int((sizes == 0).sum())
    return int(order[zeros + (len(order) - zeros) // 2])


def _weakest(shares: list[float | None]) -> float | None:
    """Return the largest share; None where one is None."""
    known = [share for share in shares if share is not None]
    return max(known) if len(known) == len(shares) else None


def _samples(seen: Evidence) -> tuple[bool | None, float | None]:
    """Return whether one sample left out of a sum is rejected, and the smallest change of its part that is."""
    step = seen.step
    count = len(step.errors[0]) if step.errors[0].ndim else 1
    if count < 2 or any(e.ndim == 0 or len(e) != count or e.dtype == torch.bool for e in step.errors):
        return None, None
    sizes = sum((e.abs().double().reshape(count, -1).norm(dim=1) ** 2 for e in step.errors), torch.zeros(count))
    keep = torch.arange(count) != _middle(sizes)
    without = step.at(tuple(torch.where(keep.view(-1, *[1] * (e.ndim - 1)), e, 0) for e in step.errors))
    others = without.by_reference(without.inputs | _errors(without.errors), without.fixed)
    shares: list[float | None] = []
    for made in step.gradients.values():
        value, witness = seen.values[made.name].tensor, step.witnesses[made.name]
        if value is None or (value.ndim and len(value) == count) or not bool(value.any()):
            continue
        part = witness.value - others[made.name]
        planted = Planted(seen, made, value)
        shares.append(_bisected(partial(_rejects_less, planted, part)))
    if not shares:
        return None, None
    weakest = _weakest(shares)
    return weakest is not None, weakest


def _rejects_less(planted: Planted, part: Tensor, share: float) -> bool:
    """Tell whether a result that lacks this share of a part is rejected."""
    return planted.rejects(lambda t: t - (share * part).to(t.dtype))


def _bisected(rejects: Callable[[float], bool]) -> float | None:
    if not rejects(1.0):
        return None
    low, high = 0.0, RANGE
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if rejects(10**-middle) else (low, middle)
    return float(10**-low)


def _errors(errors: tuple[Tensor, ...]) -> dict[str, Tensor]:
    return {f"error of output {i}": e for i, e in enumerate(errors)}
