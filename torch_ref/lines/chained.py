"""Pairs as a chain, each judged by itself; those whose name misleads are left out.

``dtanh = 1 - h**2`` is no gradient of tanh. Such a variable differs from the gradient, but what is computed from it is
right all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import Node

from torch_ref.lines.names import is_bare, path_of, values_of
from torch_ref.lines.pairing import Backward, Pair
from torch_ref.lines.record import Version
from torch_ref.lines.subject import Pass
from torch_ref.lines.values import Values
from torch_ref.numbers.agreement import Tolerance
from torch_ref.numbers.given import as_gradient
from torch_ref.numbers.witness import doubled_tensor
from torch_ref.steps.beside import at_a_kink
from torch_ref.steps.chain import Chain, Claim, hooked
from torch_ref.steps.graph import Key, Place

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


class Off(NamedTuple):
    """How much is wrong by itself, but for rounding; kinks count."""

    statements: frozenset[tuple[int, int]]
    """Line and column of what made it."""
    pairs: frozenset[str]
    places: int

    @property
    def size(self) -> tuple[int, int, int]:
        """Return what is compared: the fewer statements the better, then the fewer pairs and places."""
        return len(self.statements), len(self.pairs), self.places


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
    beside: Callable[[int], Pass] | None = None
    """Computes the forward pass once more, at inputs moved a little."""
    factor: Fraction = Fraction(1)
    """By what the gradients inside were divided: 1/N that comes in the end is a convention."""

    @cached_property
    def chain(self) -> Chain:
        """Return the chain of all pairs."""
        nearby = None if self.beside is None else self._nearby
        return Chain(self.roots, [*self.claims.values()], tolerance=self.tolerance, strict=self.strict, nearby=nearby)

    def _nearby(self, draw: int) -> Chain:
        """Return the same claims about a pass beside this one; raise ValueError where it takes other steps."""
        assert self.beside is not None
        there = self.beside(draw)
        pairs = zip(self.values.all_places, there.values.all_places, strict=True)
        other = {mine.key: place for mine, place in pairs}
        claims = [
            replace(claim, places=tuple(other[place.key] for place in claim.places)) for claim in self.claims.values()
        ]
        return Chain(there.roots, claims, strict=self.strict)

    @cached_property
    def claims(self) -> dict[str, Claim]:
        """Return what the pairs claim, by name."""
        return {pair.name: claim_of(pair, self.values) for pair in self.pairs}

    @cached_property
    def guilty(self) -> frozenset[str]:
        """Return the names of the pairs that are wrong by themselves."""
        chain = self.chain
        return frozenset(
            claim.name
            for claim in chain.claims
            if not all(at_a_kink(chain, claim, i).found.ok for i in range(len(claim.places)))
        )

    @cached_property
    def off(self) -> Off:
        """Return what is wrong, from one pass that is quicker than that of ``guilty``."""
        found = [
            (pair.name, several[-1].where)
            for pair in self.pairs
            for place, several in zip(pair.places, pair.gradients, strict=True)
            if not any(distance(version, self.arrived[place.key]) < near(place) for version in several)
        ]
        statements = frozenset((where.line, where.column) for _, where in found)
        return Off(statements, frozenset(name for name, _ in found), len(found))

    @cached_property
    def arrived(self) -> Mapping[Key, Tensor]:
        """Return what arrives at each place where all gradients by hand are handed on."""
        return self.arriving({}, [], is_last=True)

    def made_as(self, pair: Pair, version: Version) -> Version:
        """Return the first version that is the same value, under whichever name that is not of another gradient."""
        same = [other for other in self.backward.run.versions if other.made == version.made]
        mine = path_of(pair.name).name

        def is_mine(other: Version) -> bool:
            if is_bare(other.place):
                return True
            owners, stems = self._owners.get(other.place), {path.name for path in values_of(other.place)}
            if owners:  # what its variable was used for once more is nobody's
                return owners.get(other.made, pair.name) == pair.name
            return not stems or mine in stems

        return next((other for other in same if is_mine(other)), version)

    @cached_property
    def _owners(self) -> dict[str, dict[int, str]]:
        """Return for each variable which of its values are the gradients of which pairs."""
        found: defaultdict[str, dict[int, str]] = defaultdict(dict)
        for pair in self.pairs:
            for version in (v for several in pair.gradients for v in several):
                found[version.place][version.made] = pair.name
        return dict(found)

    # ------------------------------------------------------------------------------ misnamed

    def without_misnamed(self) -> Chained:
        """Return the pairs without those whose gradient is that of something else.

        Handed on, such a one makes others wrong, which are right without it. Several may do so together: a gradient of
        one sample, say, whose 1/N comes in the end.
        """
        inside = [pair for pair in self.pairs if pair.name in self.guilty and not pair.is_outcome]
        if inside and len(inside) == len(self.guilty) and all(map(self._is_without_effect, inside)):
            without = self._without(inside)
            return self if without.guilty else without
        for pair in inside if len(self.guilty) > 1 else []:
            without = self._without([pair])
            if without.guilty < self.guilty - {pair.name}:
                return without.without_misnamed()
        rest = self.guilty - {pair.name for pair in inside}
        if inside and rest:
            without = self._without(inside)
            return without if without.guilty <= rest else self
        return self

    def _is_without_effect(self, pair: Pair) -> bool:
        """Tell whether gradients of inputs or parameters that a value was made of are right although its own is not."""
        outcomes = {place.edge.node: other for other in self.pairs if other.is_outcome for place in other.places}
        waiting, seen = [place.edge.node for place in pair.places], set[Node]()
        while waiting:
            node = waiting.pop()
            seen.add(node)
            waiting += [before for before, _ in node.next_functions if before is not None and before not in seen]
        reached = [other for node, other in outcomes.items() if node in seen]
        return bool(reached) and all(one.found.ok for other in reached for one in self.chain.whole[other.name])

    def _without(self, pairs: Sequence[Pair]) -> Chained:
        kept = tuple(other for other in self.pairs if all(other is not pair for pair in pairs))
        return replace(self, pairs=kept, misnamed=(*self.misnamed, *pairs))

    def with_pairs(self, *pairs: Pair) -> Chained:
        """Return the pairs and some more, each under a name of its own."""
        taken, found = {pair.name for pair in self.pairs}, []
        for pair in pairs:
            name, count = pair.name, 2
            while name in taken:
                name, count = f"{pair.name} ({count})", count + 1
            taken.add(name)
            found.append(replace(pair, name=name))
        return replace(self, pairs=(*self.pairs, *found))

    def arriving(
        self, ways: Mapping[Key, Version], probes: Sequence[Place], *, is_last: bool = False
    ) -> dict[Key, Tensor]:
        """Return what arrives at some places where all gradients by hand are handed on, the given ones among them.

        Of several that may be meant for a place it is the nearest, or with ``is_last`` one that is right or the last.
        """
        places = {p.key: p for pair in self.pairs for p in pair.places} | {p.key: p for p in probes}
        several = {p.key: list(g) for pair in self.pairs for p, g in zip(pair.places, pair.gradients, strict=True)}
        several |= {key: [version] for key, version in ways.items()}
        found: dict[Key, Tensor] = {}

        def at(key: Key, value: Tensor) -> Tensor | None:
            found[key] = value.detach().clone()
            meant = several.get(key)
            if not meant:
                return None
            best = meant[-1]
            if len(meant) > 1:
                nearest = min(reversed(meant), key=lambda version: distance(version, value))
                best = best if is_last and distance(nearest, value) >= near(places[key]) else nearest
            t = _tensor(best, places[key])
            return t.to(value.dtype) if t.shape == value.shape else None

        edges = [place.edge for place in places.values()]
        with hooked(list(places), at), torch.autograd.set_multithreading_enabled(False):
            outputs, d_outputs = zip(*self.roots, strict=True)
            arrived = torch.autograd.grad(outputs, edges, d_outputs, retain_graph=True, allow_unused=True)
        rest = zip(places.items(), arrived, strict=True)
        return {key: torch.zeros_like(p.value) if t is None else t for (key, p), t in rest} | found


def distance(version: Version, right: Tensor) -> float:
    """Return how far a gradient is from another, as a share of its norm."""
    t = as_gradient(version.value, right)
    if t is None or t.squeeze().shape != right.squeeze().shape:
        return torch.inf
    return off(t.reshape(right.shape), right)


def off(t: Tensor, right: Tensor) -> float:
    """Return how far a tensor is from another, as a share of its norm."""
    right, t = doubled_tensor(right), doubled_tensor(t)
    norm = float(torch.linalg.vector_norm(right))
    return float(torch.linalg.vector_norm(t - right)) / norm if norm else float(bool(t.any()))


def near(place: Place) -> float:
    """Return how far a gradient may be off that is taken for that of a place."""
    return float(torch.finfo(place.value.dtype).eps ** 0.5)
