"""What belongs to one tie adds up: what all gradients beside a kink have in common, that by hand has to have, too.

Each of two equal numbers may get any share of what the larger one gets, but both together get it once. So beside the
kink the two gradients have the same sum, wherever one looks. That is found without knowing of any maximum: gradients at
random points nearby span the space of all that may be right, and a gradient outside of it is wrong. The space of all
numbers together is too large for some points. It is looked at in small groups, where a kink's own numbers lie: those
that stand nearest, and those that change alike; and in the sums along each dimension.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from torch_ref.numbers.half import HALF
from torch_ref.numbers.witness import Witness, all_finite
from torch_ref.steps.chain import Arrived, Chain
from torch_ref.steps.graph import Key, Use
from torch_ref.steps.pooled import POOLS, beside_ties

TIES = 1000
"""The number of the first direction in which every value is moved on its own, not the inputs alone."""

LARGER = ("maximum", "minimum", "fmax", "fmin")
"""Operations with two inputs that may be equal."""

LARGEST = ("amax", "amin", "max", "min")
"""Operations that take the largest, or the smallest, of many numbers."""

FIRST, MORE = 16, 32
"""How many points are looked at, and how many more before something is wrong."""

TOGETHER, SITES = 8, 16
"""Numbers in a group, and how many are looked at with their groups."""

OPEN = 4
"""How many times what a number may be off it has to change beside a kink to be looked at."""

FLAT = 0.02
"""Of what the numbers of a group change: what changes less is the same everywhere."""

OFF = 1e-3
"""Of what the numbers of a group change: how far from that a gradient by hand may be, but for rounding."""


@dataclass(frozen=True)
class Beside:
    """The gradient of one value at a kink: that by hand, and those nearby with the reference's own."""

    by_hand: Tensor
    room: Tensor
    """What it may be off without a kink, entry by entry."""
    runs: Tensor
    """One after the other along a first dimension."""

    @cached_property
    def size(self) -> Tensor:
        """Return how much each entry changes."""
        return self.runs.amax(0) - self.runs.amin(0)

    @cached_property
    def is_open(self) -> Tensor:
        """Tell which entries lie at a kink, and by hand between those nearby."""
        low, high = self.runs.amin(0) - self.room, self.runs.amax(0) + self.room
        return (self.size > OPEN * self.room) & (low <= self.by_hand) & (self.by_hand <= high)

    def at(self, where: Tensor) -> Beside:
        """Return some of the entries, in one dimension."""
        return Beside(self.by_hand[where], self.room[where], self.runs[:, where])

    def adds_up(self) -> bool:
        """Tell whether the sums along each dimension, and of all, are what they are nearby, where they are the same."""
        return all(self._adds_up([n]) for n in range(self.by_hand.ndim)) and self._adds_up([*range(self.by_hand.ndim)])

    def _adds_up(self, dims: list[int]) -> bool:
        if not dims:
            return True
        sums = self.runs.sum([n + 1 for n in dims])
        size = torch.where(self.is_open, self.size, 0.0).amax(dims)
        spread = sums.amax(0) - sums.amin(0)
        limit = OFF * size + 4 * spread + 4 * self.room.square().sum(dims).sqrt()
        off = (self.by_hand.sum(dims) - sums.mean(0)).abs()
        return not bool(((size > 0) & (spread <= FLAT * size) & (off > limit)).any())

    def lies_among(self) -> bool:
        """Tell whether these few entries lie in the space that those nearby span."""
        middle = self.runs.mean(0)
        runs, by_hand = (self.runs - middle) / self.size, (self.by_hand - middle) / self.size
        squares, directions = torch.linalg.eigh(runs.T @ runs / len(runs))
        off = directions.T[squares <= FLAT**2] @ by_hand
        return float(off.norm()) <= OFF + 4 * float((self.room / self.size).norm())


def adds_up(chain: Chain, key: Key, by_hand: Tensor, off: Tensor) -> bool:
    """Tell whether a gradient by hand, and others with it, has in common with all beside a kink what these have.

    ``off`` tells at which entries it is not the reference's.
    """
    if chain.nearby is None:
        return _is_shared(chain, key, by_hand, off)
    return any(
        _adds_up(chain, key, by_hand, off, range(TIES, TIES + count)) is not False for count in (FIRST, FIRST + MORE)
    )


def _adds_up(chain: Chain, key: Key, by_hand: Tensor, off: Tensor, draws: range) -> bool | None:
    """Tell it from some points nearby; None where they cannot be computed."""
    try:
        several = [chain.beside(draw) for draw in draws]
    except Exception:  # of somebody's forward pass, which may take other steps there
        return None
    own = _beside(chain, key, several, by_hand)
    if own is None:
        return None
    if not own.adds_up():
        return False
    others = [_beside(chain, other, several) for other in _claimed(chain) if other != key]
    together, at, is_off = _joined(own, [one for one in others if one is not None], off)
    return all(together.at(group).lies_among() for group in _groups(together, at, is_off))


def _claimed(chain: Chain) -> dict[Key, Arrived]:
    """Return every place that somebody has a gradient of, with what counts there."""
    return {place.key: chain.alone[c.name][i] for c in chain.claims for i, place in enumerate(c.places)}


def _beside(
    chain: Chain, key: Key, several: list[Mapping[Key, Tensor]], by_hand: Tensor | None = None
) -> Beside | None:
    arrived = _claimed(chain)[key]
    value, here = arrived.chosen if by_hand is None else by_hand, arrived.witness.exact
    if value is None or value.shape != here.shape or not value.numel() or not all_finite(value, here):
        return None
    runs = torch.stack([here.double(), *(run[key].double() for run in several)])
    return Beside(value.double(), tolerance_of(arrived.witness), runs) if all_finite(runs) else None


def tolerance_of(witness: Witness) -> Tensor:
    """Return how far a number may be off without a kink, entry by entry."""
    largest = witness.exact.abs().max()
    unit = 16 * witness.growth * witness.eps if witness.value.dtype in HALF else 1e-6
    noise = witness.scale * witness.growth * witness.squares.sqrt()
    return torch.minimum(10 * noise, unit * largest) + unit * largest


# ------------------------------------------------------------------------------------------------ one operation


def dimensions_of(use: Use, value: Tensor) -> list[int]:
    """Return the dimensions along which an operation takes the largest number."""
    saved: Any = getattr(use.node, "_saved_dim", ())
    dims = [saved] if isinstance(saved, int) else [*saved]
    return [(d - 2**64 if d >= 2**63 else d) % max(value.ndim, 1) for d in dims] or [*range(value.ndim)]


def _is_shared(chain: Chain, key: Key, by_hand: Tensor, off: Tensor) -> bool:
    """Tell whether equal numbers together get the gradient of a maximum or a minimum once."""
    claimed = _claimed(chain)
    uses = [use for use in chain.graph.uses[key] if use.operation in (*LARGER, *LARGEST, *POOLS)]
    if len(uses) != 1:  # a part of each, which nobody can tell
        return True
    (use,) = uses
    if use.operation in POOLS:
        return _is_shared_in_windows(chain, key, by_hand, off)
    if use.operation in LARGEST:
        witness = claimed[key].witness
        dims = dimensions_of(use, by_hand)
        sums = (by_hand.double() - witness.exact).sum(dims)
        return not bool((sums.abs() > 10 * tolerance_of(witness).expand(by_hand.shape).amax(dims)).any())
    other = use.node.next_functions[1 - use.position]
    found = claimed.get((other[0], other[1])) if other[0] is not None else None
    if found is None or found.chosen is None or found.chosen.shape != by_hand.shape:
        return True
    mine, its = claimed[key].witness, found.witness
    sums = by_hand.double() - mine.exact + found.chosen.double() - its.exact
    return not bool((sums.abs() > tolerance_of(mine) + tolerance_of(its))[off].any())


def _is_shared_in_windows(chain: Chain, key: Key, by_hand: Tensor, off: Tensor) -> bool:
    """Tell whether the largest numbers of each window together get its gradient once."""
    claim, i = next((c, i) for c in chain.claims for i, place in enumerate(c.places) if place.key == key)
    part = next(part for part in chain.parts(claim, i) if part.use.operation in POOLS)
    if part.came is None:
        return True
    exact = _claimed(chain)[key].witness.exact.double()
    found = beside_ties(part.use, claim.places[i].value, part.came, FIRST + MORE)
    runs = torch.stack([exact, *(exact + one.double() - part.gradient.double() for one in found)])
    own = Beside(by_hand.double(), tolerance_of(_claimed(chain)[key].witness), runs)
    together, at, is_off = _joined(own, [], off)
    return own.adds_up() and all(together.at(group).lies_among() for group in _groups(together, at, is_off))


# ------------------------------------------------------------------------------------------------ groups


def _joined(own: Beside, others: list[Beside], off: Tensor) -> tuple[Beside, Tensor, Tensor]:
    """Return all entries that lie at a kink, where each stands, and which of them are off."""
    every = [own, *others]
    most = max(one.by_hand.ndim for one in every)
    found = [one.at(one.is_open) for one in every]
    places = [torch.nn.functional.pad(one.is_open.nonzero(), (most - one.by_hand.ndim, 0)) for one in every]
    is_off = [off[own.is_open], *(torch.zeros_like(one.by_hand, dtype=torch.bool) for one in found[1:])]
    together = Beside(
        torch.cat([one.by_hand for one in found]),
        torch.cat([one.room for one in found]),
        torch.cat([one.runs for one in found], 1),
    )
    return together, torch.cat(places), torch.cat(is_off)


def _groups(beside: Beside, at: Tensor, is_off: Tensor) -> Iterator[Tensor]:
    """Yield the entries that may belong to one tie, for some of those that are off."""
    sites = is_off.nonzero().flatten()
    if not len(sites):
        return
    if len(at) <= TOGETHER:
        yield torch.arange(len(at))
        return
    alike = (beside.runs - beside.runs.mean(0)) / (beside.runs.std(0) + 1e-300)
    for site in sites[torch.linspace(0, len(sites) - 1, min(SITES, len(sites))).long()]:
        yield (at - at[site]).abs().sum(1).topk(TOGETHER, largest=False).indices
        yield (alike.T @ alike[:, site]).abs().topk(TOGETHER).indices
