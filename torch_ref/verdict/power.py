"""What a check could have seen: the smallest mistakes that it would have rejected at these very numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from torch_ref.numbers.power import At, Power, Room
from torch_ref.numbers.witness import Tensors, all_finite
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.finest import Finest
from torch_ref.steps.step import Made, Step, Value

RANGE, STEPS = 4.0, 6
"""How many powers of ten below 1 are searched in half precision, and how often that interval is halved."""

MOST = 1 << 18
"""Entries: of a gradient with more of them only so many are looked at, in rows that lie evenly."""


class Plantable(Protocol):
    """A gradient by hand, and how small a change of it would be rejected."""

    @property
    def value(self) -> Tensor:
        """The gradient, or some of its rows."""

    def smallest(self, change: Tensor, at: At | None = None) -> float | None:
        """Return the smallest share of a change at a place that would be rejected; None: not all of it."""


class Planted:
    """The result by hand of one gradient at one upstream gradient, and how small a change of it would be rejected."""

    def __init__(self, seen: Evidence, made: Made) -> None:
        """Take the gradient; where float64 decides about it, that in float64 is changed."""
        self.seen, self.made = seen, made
        self.finest, value = _finest(seen, made), _result(seen, made)
        has_room = seen.second_look is not None and seen.second_look.can_be_solved(made)
        self.every = -(-value.numel() // MOST) if value.ndim and has_room else 1
        self.value = value[:: self.every] if self.every > 1 else value

    @cached_property
    def room(self) -> Room | None:
        """Return how far it may be moved; None in half precision, where no limits say what is seen."""
        look, reason = self.seen.second_look, self.seen.comparisons[self.made.name].reason
        if look is None or not look.can_be_solved(self.made):
            return None
        return look.room(self.made, self.value, reason, self.every, self.finest)

    def smallest(self, change: Tensor, at: At | None = None) -> float | None:
        """Return the smallest share of a change at a place that would be rejected; None: not all of it."""
        if self.room is not None:
            share = self.room.smallest(change, at)
            return share if share != 0 else torch.finfo(self.value.dtype).eps  # less changes no number
        where = change if at is None else torch.zeros_like(change)
        if at is not None:
            where[at] = change[at]
        return _bisected(lambda share: self._rejects(where, share))

    def lacking(self, parts: Tensors) -> float | None:
        """Return the smallest share of a part of it that would be missed."""
        part = parts[self.made.name]
        part = part[:: self.every] if self.every > 1 else part
        return self.smallest(torch.where(self.value != 0, part, 0) if self.finest else part)

    def _rejects(self, change: Tensor, share: float) -> bool:
        """Tell whether the changed result is wrong: asked in half precision, of a formula that cannot use float64."""
        value, look = Value(self.value + (share * change).to(self.value.dtype), None), self.seen.second_look
        found = self.seen.step.compared(self.made.name, value)
        return not (look.of_a_mistake().again(self.made, value, found) if look else found).ok


def power_of(points: Sequence[Evidence]) -> Power:
    """Return the smallest mistakes that would have been rejected in every gradient.

    The points are what was seen at each of the upstream gradients: a mistake is rejected where one of them shows it.
    """
    first, dropped, sample = points[0], None, None
    gradients = [made for made in first.step.gradients.values() if _can_be_changed(first, made)]
    if not gradients:
        return Power(None, None, None, None, None, _weakness(first))
    planted = [[Planted(seen, made) for seen in _of_use(points, made)] for made in gradients]
    found = [shares_of(of_points) for of_points in planted]
    summed = [of_points for of_points in planted if _is_summed(of_points[0])]
    if summed:
        which = _middle_sample(first.step)
        used = points[: max(len(of_points) for of_points in summed)]
        parts = [_parts_of_a_sample(seen.step, which) for seen in used]
        shares = [_smallest([one.lacking(part) for one, part in zip(of, parts, strict=False)]) for of in summed]
        sample = weakest(shares)
        dropped = sample is not None
    factor, entry = (weakest([one[i] for one in found]) for i in (0, 2))
    with_rows = [one for one, of in zip(found, planted, strict=True) if of[0].value.ndim > 1]
    row = weakest([one[1] for one in with_rows or found])  # the row of a vector is an entry
    return Power(factor, row, sample, entry, dropped, "")


def power_of_steps(seen: Sequence[Evidence]) -> Power:
    """Return what a check of several steps could have seen: in each of them, the smallest mistake in every gradient."""
    found = [power_of([one.looked_at_twice(strict=True)]) for one in seen if one.step.gradients]
    strong = [one for one in found if not one.weakness]
    if not strong:
        return found[0]
    factor, row, entry = (weakest([getattr(one, figure) for one in strong]) for figure in ("factor", "row", "entry"))
    summed = [one for one in strong if one.dropped_sample is not None]
    sample = weakest([one.sample for one in summed]) if summed else None
    dropped = all(bool(one.dropped_sample) for one in summed) if summed else None
    return Power(factor, row, sample, entry, dropped)


def _can_be_changed(seen: Evidence, made: Made) -> bool:
    """Tell whether a gradient has numbers of which a share could be wrong."""
    if seen.values[made.name].tensor is None or seen.comparisons[made.name].reason in ("zero", "not-finite"):
        return False
    value = _result(seen, made)
    return bool(value.any()) and all_finite(value)


def _finest(seen: Evidence, made: Made) -> Finest | None:
    """Return what there is of a gradient in float64 where that decides about it."""
    value, look = seen.values[made.name].tensor, seen.second_look
    if value is None or look is None:
        return None
    return look.decisive(made, value, seen.comparisons[made.name])


def _result(seen: Evidence, made: Made) -> Tensor:
    """Return the gradient by hand in which mistakes are planted."""
    value, finest = seen.values[made.name].tensor, _finest(seen, made)
    assert value is not None, made.name  # it is right
    return finest.by_hand if finest else value


def unseen_in(points: Sequence[Evidence]) -> list[str]:
    """Return the gradients that are 0 at every point, although they need not be: no mistake in them would show."""
    return [made.name for made in points[0].step.gradients.values() if all(_is_unseen(seen, made) for seen in points)]


def _is_unseen(seen: Evidence, made: Made) -> bool:
    value, reason = seen.values[made.name].tensor, seen.comparisons[made.name].reason
    if value is None or not value.numel() or value.any() or reason not in ("", "rounding"):
        return False
    return seen.step.input_of(made) not in seen.step.unconnected


def _of_use(points: Sequence[Evidence], made: Made) -> list[Evidence]:
    """Return the points at which a mistake is looked for."""
    return [seen for seen in (points[:1] if points[0].step.is_large else points) if _can_be_changed(seen, made)]


def _weakness(seen: Evidence) -> str:
    if all(not bool(e.any()) for e in seen.step.errors):
        return "the upstream gradient is 0 everywhere"
    return "every gradient is 0 here, whatever the formula is"


def shares_of(points: Sequence[Plantable]) -> tuple[float | None, float | None, float | None]:
    """Return the smallest change of everything, of the middle row in size, and of the middle entry."""
    value = points[0].value
    sizes = value.abs().double() / value.abs().max()  # its square may be less than the smallest number
    entry = torch.unravel_index(torch.tensor(middle(sizes.reshape(-1))), value.shape) if value.ndim else ()
    at_entry = tuple(slice(int(i), int(i) + 1) for i in entry)
    at_row = at_entry
    if value.ndim > 1:
        i = middle(sizes.reshape(len(value), -1).norm(dim=1))
        at_row = (slice(i, i + 1), *(slice(None),) * (value.ndim - 1))
    factor, row, of_entry = (
        _smallest([one.smallest(one.value, at) for one in points]) for at in (None, at_row, at_entry)
    )
    return factor, row, of_entry


def middle(sizes: Tensor) -> int:
    """Return the index of the middle one in size among those that are not 0."""
    zeros = int((sizes == 0).sum())
    return int(sizes.kthvalue(zeros + (len(sizes) - zeros) // 2 + 1).indices)


def weakest(shares: list[float | None]) -> float | None:
    """Return the largest share; None where one is None."""
    known = [share for share in shares if share is not None]
    return max(known) if len(known) == len(shares) else None


def _smallest(shares: list[float | None]) -> float | None:
    """Return the smallest share; None where all are None."""
    return min((share for share in shares if share is not None), default=None)


def _samples(step: Step) -> int:
    """Return how many samples there are; 0 where they cannot be told apart."""
    count = len(step.errors[0]) if step.errors[0].ndim else 0
    alike = all(e.ndim and len(e) == count and e.dtype != torch.bool for e in step.errors)
    return count if alike and count > 1 else 0


def _is_summed(one: Planted) -> bool:
    """Tell whether a gradient is a sum over the samples."""
    count = _samples(one.seen.step)
    return count > 0 and not (one.value.ndim and len(one.value) == count)


def _middle_sample(step: Step) -> int:
    """Return the index of the sample whose upstream gradient is the middle one in size."""
    count = _samples(step)
    sizes = sum((e.abs().double().reshape(count, -1).norm(dim=1) ** 2 for e in step.errors), torch.zeros(count))
    return middle(sizes)


def _parts_of_a_sample(step: Step, which: int) -> Tensors:
    """Return the part that a sample has in every gradient, less than nothing: as it would be lost."""
    only = torch.arange(_samples(step)) == which
    alone = step.at(tuple(torch.where(only.view(-1, *[1] * (e.ndim - 1)), e, 0) for e in step.errors))
    return {name: -part for name, part in alone.by_reference(alone.given, alone.fixed).items()}


def _bisected(rejects: Callable[[float], bool]) -> float | None:
    if not rejects(1.0):
        return None
    low, high = 0.0, RANGE
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if rejects(10**-middle) else (low, middle)
    return float(10**-low)
