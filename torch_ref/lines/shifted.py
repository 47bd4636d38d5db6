"""A name that is used again, one step too early: the gradient before is right there, and this is of what comes before.

``ds = a * (da - ...); ds /= sqrt(d)`` has two gradients for the scores before and after a mask, but both have the
first; the second is that of what was divided.
"""

from __future__ import annotations

from dataclasses import replace

from torch_ref.lines.adopted import made_of
from torch_ref.lines.chained import Chained, distance, near
from torch_ref.lines.pairing import Pair
from torch_ref.lines.record import Version


def with_shifted(chained: Chained) -> Chained:
    """Return the pairs, those that are wrong with the gradient before where that is right; theirs goes on behind."""
    for pair in chained.pairs:
        if pair.is_outcome or pair.name not in chained.guilty:
            continue
        before = [_before(chained, several[-1]) for several in pair.gradients]
        if all(version is not None for version in before):
            chained = _shifted(chained, pair, [version for version in before if version is not None])
    return chained


def _before(chained: Chained, version: Version) -> Version | None:
    """Return the value of a variable from which its next was computed."""
    earlier = [v for v in chained.backward.gradients[version.place] if v.order < version.order]
    is_read = version.place in version.where.reads
    return earlier[-1] if earlier and is_read and earlier[-1].made != version.made else None


def _shifted(chained: Chained, pair: Pair, before: list[Version]) -> Chained:
    behind = [next(made_of(chained, place), None) for place in pair.places]
    places = [place for place in behind if place is not None]
    if len(places) < len(behind):
        return chained
    ways = {place.key: version for place, version in zip(pair.places, before, strict=True)}
    arrived = chained.arriving(ways, places)
    if not all(distance(ways[place.key], arrived[place.key]) < near(place) for place in pair.places):
        return chained
    if all(distance(ways[p.key], arrived[b.key]) < near(b) for p, b in zip(pair.places, places, strict=True)):
        return chained  # nothing is to be done between the two
    moved = Pair(f"what {pair.name} is made of", tuple(places), tuple((g[-1],) for g in pair.gradients), False)
    own = replace(pair, gradients=tuple((version,) for version in before))
    pairs = tuple(own if other is pair else other for other in chained.pairs)
    return replace(chained, pairs=pairs).with_pairs(moved)
