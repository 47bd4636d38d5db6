"""Loops that go in the same order backward as forward, as over samples or heads.

The values of a loop go with gradients in reverse, as steps in time do. Where gradients are wrong then, other orders are
tried, and kept where fewer are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from torch_ref.lines.chained import Chained
from torch_ref.lines.matching import fits
from torch_ref.lines.pairing import Pair
from torch_ref.lines.record import Version
from torch_ref.lines.scale import scaled

MOST_ORDERS = 12


class Order(NamedTuple):
    """In which order the gradients of two nested loops come; of one loop the inner has one step."""

    rounds: int
    """Of the outer loop."""
    is_inside: bool
    """Whether it is the inner loop that goes in reverse: the steps of each sample, and not the samples."""
    singly: bool
    """Whether each gradient counts by itself: a round may have one more than it has values, that of its input."""


def with_order(chained: Chained) -> Chained:
    """Return the pairs with the gradients of each loop in the order that makes fewest of them wrong."""
    found = chained
    loops = [pair for pair in chained.pairs if len(pair.places) > 1]
    for count in sorted({len(pair.places) for pair in loops}):
        found = _ordered(found, [pair for pair in loops if len(pair.places) == count])
    for pair in loops if len(loops) > 1 else ():
        if pair.name in scaled(found).off.pairs:
            found = _ordered(found, [pair])
    return found


def _ordered(chained: Chained, loops: Sequence[Pair]) -> Chained:
    """Return the pairs with some of them, all of one length and as they were found, in the best order."""
    best, least = chained, scaled(chained).off.size
    for order in _orders(len(loops[0].places)) if least[0] else ():
        again = {pair.name: _in_order(pair, order) for pair in loops}
        tried = replace(chained, pairs=tuple(again.get(pair.name, pair) for pair in chained.pairs))
        size = scaled(tried).off.size
        if size < least:
            best, least = tried, size
    return best


def _orders(count: int) -> Iterator[Order]:
    """Yield the orders that a loop over so many values may have, but for that in which all is in reverse."""
    rounds = [n for n in range(count, 1, -1) if count % n == 0][:MOST_ORDERS]
    for singly in (False, True):
        for n in (*rounds, 1) if singly else rounds:
            yield Order(n, True, singly)
            if 1 < n < count:
                yield Order(n, False, singly)


def _in_order(pair: Pair, order: Order) -> Pair:
    """Return a pair with its gradients in an order; as it is, where numbers or shapes do not fit."""
    made: list[tuple[Version, ...]] = [*reversed(pair.gradients)]
    if order.singly:
        once = {v.made: v for v in chain.from_iterable(made)}
        made = [(v,) for v in sorted(once.values(), key=lambda v: v.order)]
    size = len(pair.places) // order.rounds
    if len(made) % order.rounds or len(made) < len(pair.places):
        return pair
    each = len(made) // order.rounds
    rounds = [made[k : k + each] for k in range(0, len(made), each)]
    inside = [[*reversed(one[:size])] if order.is_inside else one[:size] for one in rounds]
    found = tuple(chain.from_iterable(inside if order.is_inside else reversed(inside)))
    fitting = (any(fits(place, v) for v in several) for place, several in zip(pair.places, found, strict=True))
    return replace(pair, gradients=found) if all(fitting) else pair
