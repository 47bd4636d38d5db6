"""A step that backward leaves out: the gradient of h is used as if it were that of what h was made of.

Then several gradients are wrong by themselves, all of them computed from the one. If they are right for it, they are
not to blame: what is wrong is that one, where it is used first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch_ref.lines.adopted import made_of
from torch_ref.lines.chained import Chained, distance, near
from torch_ref.lines.names import path_of
from torch_ref.lines.pairing import Pair
from torch_ref.lines.record import Version
from torch_ref.steps.graph import Place

ONCE = 1e-6
"""Of the norm: what differs by less is one gradient."""


def with_left_out(chained: Chained) -> Chained:
    """Return the pairs and those of values without a name that are given the gradient of what is made of them."""
    for pair in chained.pairs if chained.guilty else ():
        if pair.is_outcome or pair.name in chained.guilty:
            continue
        behind = [next(made_of(chained, place), None) for place in pair.places]
        places = tuple(place for place in behind if place is not None)
        if len(places) < len(behind):
            continue
        name = f"what {pair.name} is made of"
        explained = _explained(chained, pair, places)
        if explained:
            moved = [_where_used(chained, several[-1], explained) for several in pair.gradients]
            return with_left_out(chained.with_pairs(Pair(name, places, tuple((v,) for v in moved), False)))
    return chained


def _explained(chained: Chained, pair: Pair, places: Sequence[Place]) -> frozenset[str]:
    """Return the names of the gradients that are right if the gradient of one value is also that of others."""
    ways = {place.key: several[-1] for place, several in zip(places, pair.gradients, strict=True)}
    arrived = chained.arriving(ways, places)
    if all(distance(version, arrived[key]) < ONCE for key, version in ways.items()):
        return frozenset()  # it is right there, too
    guilty = [other for other in chained.pairs if other.name in chained.guilty]
    return frozenset(
        other.name
        for other in guilty
        if all(
            distance(several[-1], arrived[place.key]) < near(place)
            for place, several in zip(other.places, other.gradients, strict=True)
        )
    )


def _where_used(chained: Chained, version: Version, explained: frozenset[str]) -> Version:
    """Return a gradient with the first statement that takes it for another."""
    name = path_of(version.place).name
    pairs = [pair for pair in chained.pairs if pair.name in explained]
    made = [chained.made_as(pair, several[-1]) for pair in pairs for several in pair.gradients]
    users = [one for one in made if name in one.where.reads]
    later = (one for one in chained.backward.run.versions if one.order > version.order and name in one.where.reads)
    first = min(users, key=lambda one: one.order, default=next(later, version))
    return replace(version, where=first.where, made=-1 - version.made)


def is_left_out(version: Version) -> bool:
    """Tell whether it is a gradient that is taken for another."""
    return version.made < 0
