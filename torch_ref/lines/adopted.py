"""Gradients of values that have no name find theirs by where they stand.

Somebody who writes ``dh = dy @ W.T; dh[h <= 0] = 0`` computes two gradients: that of h, and that of what relu was
given, which has no name. The second belongs to the value from which h was made, so that a mistake in it is found there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from torch_ref.lines.chained import Chained, distance, near, off
from torch_ref.lines.matching import fits
from torch_ref.lines.names import named_after, path_of
from torch_ref.lines.pairing import Pair
from torch_ref.lines.record import Version
from torch_ref.lines.summands import numbered_parts
from torch_ref.lines.used_again import most_right
from torch_ref.numbers.given import as_gradient
from torch_ref.steps.graph import Key, Place

FARTHEST = 6
"""Operations that are gone back from a value to find what it was made of."""


def with_adopted(chained: Chained) -> Chained:
    """Return the pairs, one gradient for each value, and those of gradients whose value has no name."""
    found = chained
    for pair in chained.pairs:
        found = _adopting(found, pair)
    return found


def _adopting(chained: Chained, pair: Pair) -> Chained:
    """Return the pairs with what comes after the gradient of one value given to what that was made of."""
    own = [_own(chained, pair, i) for i in range(len(pair.places))]
    series = [[*own[i], *_computed_from(chained, pair, i)] for i in range(len(pair.places))]
    if all(len(one) == 1 for one in series):
        return _replacing(chained, pair, own)
    behind = [[*made_of(chained, place)] for place in pair.places]
    for_itself, free = _divided(chained, pair, own, series, behind)
    stages: defaultdict[str, list[tuple[Place, tuple[Version, ...]]]] = defaultdict(list)
    for i, places in enumerate(free):
        for place, versions in _placed(series[i][for_itself[i] + 1 :], places):
            stages[_name(chained, pair, i, versions)].append((place, versions[-1:]))
    adopted = [
        Pair(name, tuple(place for place, _ in found), tuple(versions for _, versions in found), False)
        for name, found in stages.items()
    ]
    return _replacing(chained, pair, [[one[k]] for one, k in zip(own, for_itself, strict=True)], adopted)


def _replacing(chained: Chained, pair: Pair, own: Sequence[Sequence[Version]], adopted: Sequence[Pair] = ()) -> Chained:
    last = replace(pair, gradients=tuple((one[-1],) for one in own))
    pairs = tuple(last if other is pair else other for other in chained.pairs)
    return replace(chained, pairs=pairs).with_pairs(*adopted)


def _divided(
    chained: Chained, pair: Pair, own: list[list[Version]], series: list[list[Version]], behind: list[list[Place]]
) -> tuple[list[int], list[list[tuple[Place, Tensor]]]]:
    """Return which gradient of each place is its own, and what arrives then at the places behind it.

    It is the last that is right. Where none is, it is the first after which another is right in its turn; the last
    of all where no other gradient arrives behind it.
    """
    found: list[tuple[list[int], list[list[tuple[Place, Tensor]]], bool, bool]] = []
    for j in range(max(map(len, own))):
        at = [min(j, len(one) - 1) for one in own]
        ways = {p.key: one[k] for p, one, k in zip(pair.places, own, at, strict=True)}
        arrived = chained.arriving(ways, [p for places in behind for p in places])
        free = [_different(ways[p.key], places, arrived) for p, places in zip(pair.places, behind, strict=True)]
        if not any(free):
            break
        is_right = all(distance(ways[p.key], arrived[p.key]) < near(p) for p in pair.places)
        follows = any(
            distance(v, right) < near(p)
            for one, k, places in zip(series, at, free, strict=True)
            for v in one[k + 1 :]
            for p, right in places
        )
        found.append((at, free, is_right, follows))
    best = next((one for one in reversed(found) if one[2]), None) or next((one for one in found if one[3]), None)
    if best is None and found and any(len(o) == 1 < len(s) for o, s in zip(own, series, strict=True)):
        best = found[-1]
    if best:
        return best[:2]
    return [len(one) - 1 for one in own] if found else most_right(chained, pair, own), [[] for _ in own]


def made_of(chained: Chained, place: Place) -> Iterator[Place]:
    """Yield the values from which a value was made, one after the other, of its own shape, up to one with a name."""
    taken = {p.key for pair in chained.pairs for p in pair.places}
    for _ in range(FARTHEST):
        before = [(node, number) for node, number in place.edge.node.next_functions if node is not None]
        found = [chained.values.by_key[key] for key in before if key in chained.values.by_key]
        found = [p for p in found if p.value.shape == place.value.shape]
        found = [p for p in found if p.key not in chained.values.leaves]  # a mask is an input
        if len(found) != 1 or found[0].key in taken:
            return
        (place,) = found
        yield place


def _own(chained: Chained, pair: Pair, i: int) -> list[Version]:
    """Return the gradients of one place, without those that another pair has under its own name.

    ``dz = dh`` is such a name: of what comes before a ReLU, whose mask was written into dh, or by mistake. Where it is
    right as it stands, it is dh all the same.
    """
    last = {g[-1].made for other in chained.pairs if other is not pair for g in other.gradients}
    several, place = pair.gradients[i], pair.places[i]
    own = [version for version in several if version.made not in last]
    if not own or len(own) == len(several):
        return [*several]
    arrived = chained.arriving({}, [])[place.key]
    return [*several] if distance(several[-1], arrived) < near(place) else own


def _computed_from(chained: Chained, pair: Pair, i: int) -> list[Version]:
    """Return the gradients without a value that are computed from that of one place, in order."""
    own = pair.gradients[i]
    names = {path_of(version.place).name for version in own}
    later = [v.order for other in pair.gradients for v in other if v.order > own[-1].order]
    orders = range(own[-1].order + 1, min(later, default=len(chained.backward.run.versions)))
    found = [v for versions in _orphans(chained).values() for v in versions if v.order in orders]
    computed = [v for v in found if names & v.where.reads and fits(pair.places[i], v)]
    last = {v.place: v for v in computed}
    return sorted(last.values(), key=lambda v: v.order)


def _orphans(chained: Chained) -> dict[str, list[Version]]:
    """Return the variables that are named as gradients and are in no pair."""
    made = {version.made for pair in chained.pairs for several in pair.gradients for version in several}
    found = {
        place: versions
        for place, versions in chained.backward.gradients.items()
        if place.isidentifier() and any(named_after(place)) and not any(v.made in made for v in versions)
    }
    parts = numbered_parts(chained.backward.run, found)
    return {place: versions for place, versions in found.items() if place not in parts}


def _name(chained: Chained, pair: Pair, i: int, versions: tuple[Version, ...]) -> str:
    if versions[-1].place in _orphans(chained):
        return next(named_after(versions[-1].place))
    return f"what {pair.name} is made of"


def _different(version: Version, places: Sequence[Place], arrived: Mapping[Key, Tensor]) -> list[tuple[Place, Tensor]]:
    """Return the places at which another gradient arrives than at the one before, with that gradient."""
    found: list[tuple[Place, Tensor]] = []
    before = as_gradient(version.value, torch.empty(0, dtype=torch.float64))
    for place in places:
        right = arrived[place.key]
        if before is None or before.shape != right.shape or off(before, right) > near(place):
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
