"""Pairs as a chain; gradients without a value by name find theirs by where they stand, and misnamed ones are left out.

Somebody who writes ``dh = dy @ W.T; dh[h <= 0] = 0`` computes two gradients: that of h, and that of what relu was given,
which has no name. The second belongs to the value from which h was made, so that a mistake in it is found there.

A name can also mislead: ``dtanh = 1 - h**2`` is no gradient of tanh. Such a variable differs from the gradient, but what
is computed from it is right all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from torch_ref.lines.names import named_after, path_of
from torch_ref.lines.pairing import Backward, Pair
from torch_ref.lines.trace import Version
from torch_ref.lines.values import Values
from torch_ref.numbers.agreement import Tolerance
from torch_ref.numbers.given import as_gradient
from torch_ref.steps.chain import Chain, Claim, hooked
from torch_ref.steps.graph import Key, Place

FARTHEST = 6
"""Operations that are gone back from a value to find what it was made of."""

Roots = Sequence[tuple[Tensor, Tensor]]


def claim_of(pair: Pair, values: Values) -> Claim:
    """Return what a pair claims; of a value that is no input, ones in its shape are no matter."""
    by_hand = []
    for place, several in zip(pair.places, pair.gradients, strict=True):
        is_given = place.key in values.leaves
        by_hand.append(tuple(_tensor(version, place, keep=is_given) for version in several))
    return Claim(pair.name, pair.places, tuple(by_hand))


def _tensor(version: Version, place: Place, *, keep: bool = False) -> Tensor:
    found = as_gradient(version.value, place.value)
    assert found is not None  # only such are paired
    fits = found.squeeze().shape == place.value.squeeze().shape
    return found.reshape(place.value.shape) if fits and not keep else found


@dataclass(frozen=True)
class Chained:
    """Pairs along the graph of a forward pass."""

    roots: Roots
    values: Values
    backward: Backward
    pairs: tuple[Pair, ...]
    tolerance: Tolerance | None = None
    strict: bool = False
    misnamed: tuple[Pair, ...] = ()
    """What was left out."""

    @cached_property
    def chain(self) -> Chain:
        """Return the chain of all pairs."""
        return Chain(self.roots, [*self.claims.values()], tolerance=self.tolerance, strict=self.strict)

    @cached_property
    def claims(self) -> dict[str, Claim]:
        """Return what the pairs claim, by name."""
        return {pair.name: claim_of(pair, self.values) for pair in self.pairs}

    @cached_property
    def guilty(self) -> frozenset[str]:
        """Return the names of the pairs that are wrong by themselves."""
        return frozenset(name for name, found in self.chain.alone.items() if not all(one.found.ok for one in found))

    def made_as(self, pair: Pair, version: Version) -> Version:
        """Return the first version that is the same value, under whichever name that is not of another gradient."""
        same = [other for other in self.backward.run.versions if other.made == version.made]
        mine = path_of(pair.name).name

        def is_mine(other: Version) -> bool:
            stems = [*named_after(path_of(other.place).name)]
            owner = self._owners.get(other.place)
            return owner == pair.name if owner else not stems or mine in stems

        return next((other for other in same if is_mine(other)), version)

    @cached_property
    def _owners(self) -> dict[str, str]:
        return {v.place: pair.name for pair in self.pairs for several in pair.gradients for v in several}

    # ------------------------------------------------------------------------------ misnamed

    def without_misnamed(self) -> Chained:
        """Return the pairs without those whose gradient is that of something else.

        Handed on, such a one makes others wrong, which are right without it.
        """
        for pair in self.pairs:
            if pair.name in self.guilty and len(self.guilty) > 1 and not pair.is_outcome:
                rest = tuple(other for other in self.pairs if other is not pair)
                without = replace(self, pairs=rest, misnamed=(*self.misnamed, pair))
                if without.guilty < self.guilty - {pair.name}:
                    return without.without_misnamed()
        return self

    # ------------------------------------------------------------------------------ without a value by name

    def with_adopted(self) -> Chained:
        """Return the pairs, one gradient for each value, and those of gradients whose value has no name."""
        found = self
        for pair in self.pairs:
            found = found._adopting(pair)
        return found

    def _adopting(self, pair: Pair) -> Chained:
        """Return the pairs with what comes after the gradient of one value given to what that was made of."""
        own = [self._own(pair, i) for i in range(len(pair.places))]
        series = [[*own[i], *self._computed_from(pair, i)] for i in range(len(pair.places))]
        if all(len(one) == 1 for one in series):
            return self._replacing(pair, own)
        behind = [[*self._made_of(place)] for place in pair.places]
        for_itself, free = self._divided(pair, own, series, behind)
        stages: defaultdict[str, list[tuple[Place, tuple[Version, ...]]]] = defaultdict(list)
        for i, places in enumerate(free):
            for place, versions in _placed(series[i][for_itself[i] + 1 :], places):
                stages[self._name(pair, i, versions)].append((place, versions[-1:]))
        adopted = [
            Pair(name, tuple(place for place, _ in found), tuple(versions for _, versions in found), False)
            for name, found in stages.items()
        ]
        return self._replacing(pair, [[one[k]] for one, k in zip(own, for_itself, strict=True)], adopted)

    def _replacing(self, pair: Pair, own: Sequence[Sequence[Version]], adopted: Sequence[Pair] = ()) -> Chained:
        last = replace(pair, gradients=tuple((one[-1],) for one in own))
        pairs = (last if other is pair else other for other in self.pairs)
        return replace(self, pairs=(*pairs, *adopted))

    def _divided(
        self, pair: Pair, own: list[list[Version]], series: list[list[Version]], behind: list[list[Place]]
    ) -> tuple[list[int], list[list[tuple[Place, Tensor]]]]:
        """Return which gradient of each place is its own, and what arrives then at the places behind it.

        It is the last that is right. Where none is, it is the first after which another is right in its turn; the last
        of all where no other gradient arrives behind it.
        """
        found: list[tuple[list[int], list[list[tuple[Place, Tensor]]], bool, bool]] = []
        for j in range(max(map(len, own))):
            at = [min(j, len(one) - 1) for one in own]
            ways = {p.key: one[k] for p, one, k in zip(pair.places, own, at, strict=True)}
            arrived = self.arriving(ways, [p for places in behind for p in places])
            free = [_different(ways[p.key], places, arrived) for p, places in zip(pair.places, behind, strict=True)]
            if not any(free):
                break
            is_right = all(distance(ways[p.key], arrived[p.key]) < near(p) for p in pair.places)
            follows = any(
                distance(v, right) < near(p)
                for one, k, places in zip(series, at, free, strict=True)
                for v in one[k + 1 : k + 2]
                for p, right in places
            )
            found.append((at, free, is_right, follows))
        best = next((one for one in reversed(found) if one[2]), None) or next((one for one in found if one[3]), None)
        if best is None and found and any(len(o) == 1 < len(s) for o, s in zip(own, series, strict=True)):
            best = found[-1]
        return best[:2] if best else ([len(one) - 1 for one in own], [[] for _ in own])

    def arriving(self, ways: Mapping[Key, Version], probes: Sequence[Place]) -> dict[Key, Tensor]:
        """Return what arrives at some places where all gradients by hand are handed on, the given ones among them."""
        places = {p.key: p for pair in self.pairs for p in pair.places} | {p.key: p for p in probes}
        several = {p.key: list(g) for pair in self.pairs for p, g in zip(pair.places, pair.gradients, strict=True)}
        several |= {key: [version] for key, version in ways.items()}
        found: dict[Key, Tensor] = {}

        def at(key: Key, value: Tensor) -> Tensor | None:
            found[key] = value.detach().clone()
            if not several.get(key):
                return None
            best = min(reversed(several[key]), key=lambda version: distance(version, value))
            t = _tensor(best, places[key])
            return t.to(value.dtype) if t.shape == value.shape else None

        edges = [place.edge for place in places.values()]
        with hooked(list(places), at), torch.autograd.set_multithreading_enabled(False):
            outputs, d_outputs = zip(*self.roots, strict=True)
            arrived = torch.autograd.grad(outputs, edges, d_outputs, retain_graph=True, allow_unused=True)
        rest = zip(places.items(), arrived, strict=True)
        return {key: torch.zeros_like(p.value) if t is None else t for (key, p), t in rest} | found

    def _made_of(self, place: Place) -> Iterator[Place]:
        """Yield the values from which a value was made, one after the other, of its own shape, up to one with a name."""
        taken = {p.key for pair in self.pairs for p in pair.places}
        for _ in range(FARTHEST):
            before = [(node, number) for node, number in place.edge.node.next_functions if node is not None]
            found = [self.values.by_key[key] for key in before if key in self.values.by_key]
            found = [p for p in found if p.value.shape == place.value.shape]
            if len(found) != 1 or found[0].key in taken or found[0].key in self.values.leaves:
                return
            (place,) = found
            yield place

    def _own(self, pair: Pair, i: int) -> list[Version]:
        """Return the gradients of one place, without those that another pair has under its own name."""
        last = {g[-1].made for other in self.pairs if other is not pair for g in other.gradients}
        several = pair.gradients[i]
        return [version for version in several if version.made not in last] or [*several]

    def _computed_from(self, pair: Pair, i: int) -> list[Version]:
        """Return the gradients without a value that are computed from that of one place, in order."""
        own = pair.gradients[i]
        names = {path_of(version.place).name for version in own}
        later = [v.order for other in pair.gradients for v in other if v.order > own[-1].order]
        orders = range(own[-1].order + 1, min(later, default=len(self.backward.run.versions)))
        found = [v for versions in self._orphans.values() for v in versions if v.order in orders]
        computed = [v for v in found if names & v.where.reads]
        last = {v.place: v for v in computed}
        return sorted(last.values(), key=lambda v: v.order)

    @cached_property
    def _orphans(self) -> dict[str, list[Version]]:
        """Return the variables that are named as gradients and are in no pair."""
        made = {version.made for pair in self.pairs for several in pair.gradients for version in several}
        return {
            place: versions
            for place, versions in self.backward.gradients.items()
            if place.isidentifier() and any(named_after(place)) and not any(v.made in made for v in versions)
        }

    def _name(self, pair: Pair, i: int, versions: tuple[Version, ...]) -> str:
        if versions[-1].place in self._orphans:
            return next(named_after(versions[-1].place))
        operation = pair.places[i].edge.node.name().rpartition("::")[2].partition("Backward")[0].lower()
        return f"{pair.name} before {operation}"


def _different(version: Version, places: Sequence[Place], arrived: Mapping[Key, Tensor]) -> list[tuple[Place, Tensor]]:
    """Return the places at which another gradient arrives than at the one before, with that gradient."""
    found: list[tuple[Place, Tensor]] = []
    before = as_gradient(version.value, torch.empty(0, dtype=torch.float64))
    for place in places:
        right = arrived[place.key]
        if before is None or before.shape != right.shape or _off(before, right) > near(place):
            found.append((place, right))
        before = right
    return found


def _placed(
    rest: Sequence[Version], places: Sequence[tuple[Place, Tensor]]
) -> Iterator[tuple[Place, tuple[Version, ...]]]:
    """Yield for each place the gradients that may be meant for it: where one is right, or comes nearest."""
    free, waiting = [*places], list[Version]()
    for k, version in enumerate(rest):
        waiting.append(version)
        off = [distance(version, right) for _, right in free]
        fits = next((n for n, (place, _) in enumerate(free) if off[n] < near(place)), None)
        if fits is None and off and k == len(rest) - 1:
            fits = off.index(min(off))
        if fits is not None:
            yield free[fits][0], tuple(waiting)
            free, waiting = free[fits + 1 :], []


def distance(version: Version, right: Tensor) -> float:
    """Return how far a gradient is from another, as a share of its norm."""
    t = as_gradient(version.value, right)
    if t is None or t.squeeze().shape != right.squeeze().shape:
        return torch.inf
    return _off(t.reshape(right.shape), right)


def _off(t: Tensor, right: Tensor) -> float:
    norm = float(right.double().norm())
    return float((t.double() - right.double()).norm()) / norm if norm else float(bool(t.any()))


def near(place: Place) -> float:
    """Return how far a gradient may be off that is taken for that of a place."""
    return float(torch.finfo(place.value.dtype).eps ** 0.5)
