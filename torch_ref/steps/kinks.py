"""At a kink or a tie: which gradients are right there, found from those of the reference just beside it.

A gradient is right at a kink where it lies in the convex hull of the gradients nearby. Two questions stand for that.
Every number has to lie between those of nearby points, of which two lie in the direction in which the handwritten
gradient differs: there the numbers that it chose come out. And of what belongs together, the entries of a tie, the
sums along several directions have to lie between those nearby: a tie that is counted twice, or not at all, does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from torch_ref.numbers.witness import Tensors

Gradients = Callable[[Tensors], Tensors]
"""From inputs to the gradient of each, +∂L/∂input, by the reference in float64."""

DRAWS, FEW = 16, 6
"""Points at random around a kink; of large tensors few have to do."""

TIED, FEW_TIED = 512, 32
"""Points more where many numbers are equal: each is the largest of them somewhere, but only one at each point."""

SITES, FEW_SITES = 16, 2
"""Ties that are looked at one by one."""

SMOOTH = 1e-6
"""Of the largest number: what a gradient changes nearby without a kink."""


EXPLAINED = 0.5
"""Of a difference: so much has to be the kink's, the rest may be rounding."""


class Interval(NamedTuple):
    """The smallest and the largest number that is right, entry by entry."""

    low: Tensor
    high: Tensor


@dataclass(frozen=True)
class Kinks:
    """A point that may lie on kinks: its inputs, the gradients there by hand and by the reference, in float64."""

    inputs: Tensors
    gradients: Gradients
    by_hand: Tensors
    here: Tensors
    """By the reference, at the point itself."""
    near: float
    """How far beside it is nearby, of the size of an input."""
    is_large: bool = False
    more: Callable[[], Iterator[Tensors]] = lambda: iter(())
    """Further gradients nearby, where rounding inside steps over a kink."""
    in_order: Callable[[], Iterator[Tensors]] = lambda: iter(())
    """Gradients where each operation by itself takes the first, or the last, of equal numbers, as code by hand does."""

    def around(self, name: str, off: Tensor, tolerance: Tensor) -> Interval | None:
        """Return between what the gradient of an input may lie; None where that by hand is wrong.

        ``off`` tells which entries by hand are not the reference's; ``tolerance`` is what arithmetic is off without any
        kink, entry by entry.
        """
        runs, value = [self.here], self.by_hand[name]
        low = high = self.here[name]
        left = off.clone()
        for count, run in enumerate(self._nearby(left, name), 1):
            runs.append(run)
            low, high = torch.minimum(low, run[name]), torch.maximum(high, run[name])
            is_open = (high - low > 0) & (high - low >= EXPLAINED * (value - self.here[name]).abs())
            inside = (value >= low - tolerance) & (value <= high + tolerance)
            if bool(inside.all()) and bool(is_open[off].all()):
                return Interval(low, high) if self._hangs_together(name, off, tolerance, runs) else None
            left.copy_(off & ~(is_open & inside))
            if count == 4 and not bool(is_open[off].any()):
                return None  # no kink: nothing changes nearby
        return None

    def _range(self, name: str, runs: list[Tensors]) -> tuple[Tensor, Tensor]:
        found = torch.stack([run[name] for run in runs])
        return found.amin(0), found.amax(0)

    def _nearby(self, left: Tensor, name: str) -> Iterator[Tensors]:
        """Yield gradients nearby: where those by hand lead, there and back, all up, all down, then at random.

        The entries that are ``left`` by then are moved farther than the others, up and down.
        """
        generator = torch.Generator().manual_seed(0)
        towards = {key: torch.sign(self.by_hand[key] - self.here[key]) for key in self.here}
        towards[name] = torch.where(left, towards[name], 0.0)
        lead = {key: sign + 0.2 * _rand(sign, generator) for key, sign in towards.items()}
        up = {key: 0.5 + _rand(t, generator) for key, t in self.here.items()}
        for direction in (lead, _times(-1, lead), up, _times(-1, up)):
            yield self._at(direction)
        yield from self.in_order()
        for draw in range(FEW if self.is_large else DRAWS):
            at_random = {key: _signs(t, generator) * (0.5 + _rand(t, generator)) for key, t in up.items()}
            at_random[name] = at_random[name] + torch.where(left, (-1.0) ** draw, 0.0)
            yield self._at(at_random)
        yield from self.more()
        yield from self._one_by_one(left, name, generator)

    def _one_by_one(self, left: Tensor, name: str, generator: torch.Generator) -> Iterator[Tensors]:
        """Yield gradients where the numbers that are left are moved up, or down, as long as that leaves fewer."""
        still = {key: torch.zeros_like(t) for key, t in self.here.items()}
        for draw in range((FEW_TIED if self.is_large else TIED) // 2):
            before = int(left.sum())
            for sign in (1.0, -1.0):
                steps = sign * (0.5 + _rand(self.here[name], generator))
                yield self._at(still | {name: torch.where(left, steps, 0.0)})
            if draw and int(left.sum()) == before:
                return

    def _hangs_together(self, name: str, off: Tensor, tolerance: Tensor, runs: list[Tensors]) -> bool:
        """Tell whether what belongs to one tie adds up as it does nearby, along several directions."""
        generator = torch.Generator().manual_seed(1)
        places = off.flatten().nonzero().flatten()
        chosen = places[torch.randperm(len(places), generator=generator)[: FEW_SITES if self.is_large else SITES]]
        return all(self._is_right_at(name, int(place), tolerance, runs, generator) for place in chosen)

    def _is_right_at(
        self, name: str, place: int, tolerance: Tensor, runs: list[Tensors], generator: torch.Generator
    ) -> bool:
        one = torch.zeros_like(self.here[name])
        one.view(-1)[place] = 1.0
        still = {key: torch.zeros_like(t) for key, t in self.here.items()}
        sides = [self._at(still | {name: sign * one}) for sign in (1.0, -1.0)]
        site = {key: self._changes(key, sides, tolerance if key == name else None) for key in self.here}
        site[name].view(-1)[place] = True
        if not all(self._is_between(key, where, runs + sides) for key, where in site.items() if key != name):
            return True  # another input's gradient is wrong by itself there
        room = float(tolerance.max()) * sum(int(where.sum()) for where in site.values())
        for pattern in self._patterns(site, generator):
            nearby = [self._at(pattern), self._at(_times(-1, pattern)), *runs, *sides]
            along = [_inner(run, pattern) for run in nearby]
            if not min(along) - room <= _inner(self.by_hand, pattern) <= max(along) + room:
                return False
        return True

    def _is_between(self, key: str, where: Tensor, runs: list[Tensors]) -> bool:
        """Tell whether a gradient by hand lies at some places between those nearby."""
        low, high = self._range(key, runs)
        value, room = self.by_hand[key], _smooth(self.here[key])
        return bool(((value >= low - room) & (value <= high + room))[where].all())

    def _changes(self, key: str, sides: list[Tensors], tolerance: Tensor | None) -> Tensor:
        """Return where the gradient of an input is another on one side than here."""
        here = self.here[key]
        limit = torch.full_like(here, _smooth(here))
        limit = limit if tolerance is None else torch.maximum(tolerance, limit)
        return torch.stack([(side[key] - here).abs() > limit for side in sides]).any(0)

    def _patterns(self, site: dict[str, Tensor], generator: torch.Generator) -> Iterator[Tensors]:
        """Yield directions that move the entries of one tie: all alike, as by hand, then by random signs."""
        yield {key: where.double() for key, where in site.items()}
        yield {key: torch.where(t, torch.sign(self.by_hand[key] - self.here[key]), 0.0) for key, t in site.items()}
        for _ in range(2):
            yield {key: torch.where(t, _signs(self.here[key], generator), 0.0) for key, t in site.items()}

    def _at(self, direction: Tensors) -> Tensors:
        """Return the gradients a little way off along a direction."""
        moved = dict(self.inputs)
        for key, v in direction.items():
            t = self.inputs[key]
            size = float(t.norm()) / max(t.numel(), 1) ** 0.5 or 1.0
            moved[key] = t + self.near * size * v
        return self.gradients(moved)


def as_real(t: Tensor) -> Tensor:
    """Return numbers in float64; of complex ones both parts, along a last dimension."""
    return torch.view_as_real(t.to(torch.complex128).resolve_conj()) if t.is_complex() else t.double()


def as_complex(t: Tensor) -> Tensor:
    """Return complex numbers from their parts."""
    return torch.complex(t[..., 0], t[..., 1])


def _times(factor: float, direction: Tensors) -> Tensors:
    return {key: factor * v for key, v in direction.items()}


def _inner(gradients: Tensors, direction: Tensors) -> float:
    return sum(float((gradients[key] * v).sum()) for key, v in direction.items())


def _rand(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=generator, dtype=torch.float64).to(like.device)


def _signs(like: Tensor, generator: torch.Generator) -> Tensor:
    return (torch.randint(0, 2, like.shape, generator=generator) * 2 - 1).double().to(like.device)


def _smooth(here: Tensor) -> float:
    """Return what a gradient changes nearby without a kink."""
    return SMOOTH * float(here.abs().max()) if here.numel() else 0.0
