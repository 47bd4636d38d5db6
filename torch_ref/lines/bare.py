"""A gradient that is called delta, or grad, at every layer: what it is of is found by the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from torch_ref.lines.chained import Chained, distance, near
from torch_ref.lines.matching import by_statement, fits, rounds_of
from torch_ref.lines.names import is_bare
from torch_ref.lines.pairing import Pair
from torch_ref.lines.record import Version
from torch_ref.lines.scale import times
from torch_ref.lines.values import Named, Values
from torch_ref.steps.graph import Place


def with_bare(chained: Chained) -> Chained:
    """Return the pairs and those of variables like ``delta``, where a series of values fits.

    A series fits where it has as many values, of the same shapes in reverse order, and at least one gradient is right,
    or is but for a factor; of several that fit the one counts with most that are.
    """
    for place, versions in chained.backward.gradients.items():
        if is_bare(place):
            found = max(_tried(chained, versions), key=lambda one: one[0], default=(0, None))
            if found[0] and found[1] is not None:
                chained = chained.with_pairs(found[1])
    return chained


def without_wrong_guess(chained: Chained) -> Chained:
    """Return the pairs without a guess by shape whose gradient is right for another value: delta of z, not of x."""
    for pair in chained.pairs:
        if pair.is_guess and pair.name in chained.off.pairs:
            shape = pair.places[0].value.shape
            others = [
                p for p in chained.values.all_places if p.value.shape == shape and p.key not in chained.values.leaves
            ]
            arrived = chained.arriving({}, others)
            if any(distance(pair.gradients[0][-1], arrived[p.key]) < near(p) for p in others):
                return replace(chained, pairs=tuple(other for other in chained.pairs if other is not pair))
    return chained


def _tried(chained: Chained, versions: Sequence[Version]) -> Iterator[tuple[int, Pair]]:
    """Yield the ways in which a variable may go with a series, each with the number of gradients that are right."""
    taken = {place.key for pair in chained.pairs if not pair.is_outcome for place in pair.places}
    for gradients in _each_once(versions):
        for name, xs in _series(chained.values):
            pairs = [*zip(xs, reversed(gradients), strict=False)]
            if len(xs) != len(gradients) or not all(fits(x.place, g) for x, g in pairs):
                continue
            if any(x.place.key in taken for x in xs):
                continue
            ways = {x.place.key: g for x, g in pairs}
            arrived = chained.arriving(ways, [x.place for x in xs])
            right = [_fitness(ways[x.place.key], arrived[x.place.key], x.place) for x in xs]
            yield sum(right), Pair(name, tuple(x.place for x in xs), tuple((g,) for g in ways.values()), False)


def _fitness(version: Version, right: Tensor, place: Place) -> int:
    """Return 2 for a gradient that is right, and 1 for one that is so but for 1/N."""
    if distance(version, right) < near(place):
        return 2
    return int(right.numel() > 1 and times(version, right, near(place)) is not None)


def _each_once(versions: Sequence[Version]) -> Iterator[list[Version]]:
    different = list({version.made: version for version in versions}.values())
    yield different
    last = [several[-1] for several in rounds_of(different)]
    if len(last) != len(different):
        yield last


def _series(values: Values) -> Iterator[tuple[str, list[Named]]]:
    """Yield the values of each name, and those of each statement alone."""
    for name, xs in values.by_place.items():
        own = [x for x in xs if x.place.key not in values.leaves]
        if own:
            yield name, xs
        for several in ([own] if len(own) < len(xs) else []) + by_statement(own):
            if len(several) < len(xs):
                yield name, several
    for name in values.holders:
        yield name, values.each_in(name)
