"""What a check could have seen: the smallest mistakes that it would have rejected at these very numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from torch_ref.numbers.power import At, Power, Room
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.step import Made, Value

RANGE, STEPS = 4.0, 6
"""How many powers of ten below 1 are searched in half precision, and how often that interval is halved."""


class Planted:
    """The result by hand of one gradient, and how small a change of it would be rejected."""

    def __init__(self, seen: Evidence, made: Made, value: Tensor) -> None:
        """Take the gradient and its value by hand."""
        self.seen, self.made, self.value = seen, made, value

    @cached_property
    def room(self) -> Room | None:
        """Return how far it may be moved; None in half precision, where no limits say what is seen."""
        look = self.seen.second_look
        found = look.limits(self.made, self.value, self.seen.comparisons[self.made.name].reason) if look else None
        return None if found is None else Room(*found)

    def smallest(self, change: Tensor, at: At | None = None) -> float | None:
        """Return the smallest share of a change at a place that would be rejected; None: not all of it."""
        if self.room is not None:
            return self.room.smallest(self.seen.step.witnesses[self.made.name].in_units(change), at)
        where = change if at is None else torch.zeros_like(change)
        if at is not None:
            where[at] = change[at]
        return _bisected(lambda share: self._rejects(where, share))

    def _rejects(self, change: Tensor, share: float) -> bool:
        """Tell whether the changed result is wrong, in the dtype of the pass and, where that decides, in float64."""

        def planted(t: Tensor) -> Tensor:
            return t + (share * change).to(t.dtype)

        value, look = Value(planted(self.value), None), self.seen.second_look
        found = self.seen.step.compared(self.made.name, value)
        return not (look.planted(self.made, planted).again(self.made, value, found) if look else found).ok


def power_of(seen: Evidence) -> Power:
    """Return the smallest mistakes that would have been rejected in every gradient."""
    planted = [
        Planted(seen, made, value)
        for made in seen.step.gradients.values()
        if (value := seen.values[made.name].tensor) is not None and _can_be_changed(seen, made, value)
    ]
    if not planted:
        return Power(None, None, None, None, None, _weakness(seen))
    found = [_of(one) for one in planted]
    factor, row, entry = (_weakest([one[i] for one in found]) for i in range(3))
    dropped, sample = _samples(seen, planted)
    return Power(factor, row, sample, entry, dropped, "")


def _can_be_changed(seen: Evidence, made: Made, value: Tensor) -> bool:
    """Tell whether a gradient has numbers of which a share could be wrong."""
    if seen.comparisons[made.name].reason in ("zero", "not-finite"):
        return False
    return bool(value.any()) and bool(torch.isfinite(value).all())


def _weakness(seen: Evidence) -> str:
    if all(not bool(e.any()) for e in seen.step.errors):
        return "the upstream gradient is 0 everywhere"
    return "every gradient is 0 here, whatever the formula is"


def _of(planted: Planted) -> tuple[float | None, float | None, float | None]:
    """Return the smallest change of everything, of the middle row in size, and of the middle entry."""
    value = planted.value
    sizes = value.abs().double()
    entry = torch.unravel_index(torch.tensor(_middle(sizes.reshape(-1))), value.shape) if value.ndim else ()
    of_entry = planted.smallest(value, tuple(slice(int(i), int(i) + 1) for i in entry))
    of_row = of_entry
    if value.ndim > 1:
        i = _middle(sizes.reshape(len(value), -1).norm(dim=1))
        of_row = planted.smallest(value, (slice(i, i + 1), *(slice(None),) * (value.ndim - 1)))
    return planted.smallest(value), of_row, of_entry


def _middle(sizes: Tensor) -> int:
    """Return the index of the middle one in size among those that are not 0."""
    order = sizes.argsort()
    zeros = int((sizes == 0).sum())
    return int(order[zeros + (len(order) - zeros) // 2])


def _weakest(shares: list[float | None]) -> float | None:
    """Return the largest share; None where one is None."""
    known = [share for share in shares if share is not None]
    return max(known) if len(known) == len(shares) else None


def _samples(seen: Evidence, planted: list[Planted]) -> tuple[bool | None, float | None]:
    """Return whether one sample left out of a sum is rejected, and the smallest change of its part that is."""
    step = seen.step
    count = len(step.errors[0]) if step.errors[0].ndim else 1
    if count < 2 or any(e.ndim == 0 or len(e) != count or e.dtype == torch.bool for e in step.errors):
        return None, None
    summed = [one for one in planted if not (one.value.ndim and len(one.value) == count)]
    if not summed:
        return None, None
    sizes = sum((e.abs().double().reshape(count, -1).norm(dim=1) ** 2 for e in step.errors), torch.zeros(count))
    only = torch.arange(count) == _middle(sizes)
    alone = step.at(tuple(torch.where(only.view(-1, *[1] * (e.ndim - 1)), e, 0) for e in step.errors))
    parts = alone.by_reference(alone.inputs | _errors(alone.errors), alone.fixed)
    weakest = _weakest([one.smallest(-parts[one.made.name]) for one in summed])
    return weakest is not None, weakest


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
