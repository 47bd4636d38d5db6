"""A name that is used again in a step: which of its values is the gradient.

Backward of an LSTM adds to dc what comes through the output, and makes of the same dc the gradient for the step before.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch_ref.lines.chained import Chained, distance, near
from torch_ref.lines.pairing import Pair
from torch_ref.lines.record import Version


def most_right(chained: Chained, pair: Pair, own: Sequence[Sequence[Version]]) -> list[int]:
    """Return which of the values of each place is its gradient: that with which most gradients are right, or the last.

    In a loop it is the same of each step.
    """
    ways = [[min(j, len(one) - 1) for one in own] for j in range(max(map(len, own)))]
    return max(reversed(ways), key=lambda at: _right(chained, pair, [one[k] for one, k in zip(own, at, strict=True)]))


def _right(chained: Chained, pair: Pair, versions: Sequence[Version]) -> int:
    """Return how many gradients are right where these are those of a pair, and are handed on."""
    ways = {place.key: version for place, version in zip(pair.places, versions, strict=True)}
    arrived = chained.arriving(ways, [])
    count = 0
    for other in chained.pairs:
        for place, several in zip(other.places, other.gradients, strict=True):
            meant = [ways[place.key]] if other is pair else several
            count += any(distance(version, arrived[place.key]) < near(place) for version in meant)
    return count
