"""What the end of a round of a loop makes may be for the next one: ``d = d * mask; da = f(d); d = da @ w.T``."""

from __future__ import annotations

from dataclasses import replace

from torch_ref.lines.adopted import with_adopted
from torch_ref.lines.chained import Chained
from torch_ref.lines.matching import begun
from torch_ref.lines.pairing import Pair
from torch_ref.lines.record import Version


def with_handed_on(chained: Chained) -> Chained:
    """Return the pairs with those of values without a name, each loop in the way that makes fewest wrong."""
    best = with_adopted(chained)
    for pair in chained.pairs:
        if len(pair.places) > 1 and pair.name in best.off.pairs:
            tried = with_adopted(replace(chained, pairs=_instead(chained, pair)))
            best = tried if tried.off.size < best.off.size else best
    return best


def _instead(chained: Chained, pair: Pair) -> tuple[Pair, ...]:
    return tuple(_handed_on(chained, other) if other is pair else other for other in chained.pairs)


def _handed_on(chained: Chained, pair: Pair) -> Pair:
    """Return a pair with its gradients in other groups: a variable made of something else is of another value."""
    groups: list[list[Version]] = [[]]
    for version in begun(chained.backward.gradients[pair.gradients[0][-1].place]):
        if groups[-1] and version.place.partition("[")[0] not in version.where.reads:
            groups.append([])
        groups[-1].append(version)
    count = len(pair.places)
    if len(groups) not in (count, count + 1):  # the last may be that of the input
        return pair
    return replace(pair, gradients=tuple(map(tuple, reversed(groups[:count]))))
