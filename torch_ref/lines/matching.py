"""Several values under one name, as in a loop, and as many gradients: which goes with which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from torch_ref.lines.record import Version
from torch_ref.lines.values import Named, Values
from torch_ref.steps.graph import Place

Matched = list[tuple[Place, tuple[Version, ...]]]
"""Each value with what may be its gradient, in the order in which that was made."""


def matched(xs: list[Named], gradients: list[Version], values: Values) -> Matched:
    """Return which values and which gradients of one name go together.

    As many as there are go together in reverse order: all of them, or the rounds of two loops, or what one statement
    made in each. Otherwise all may be meant for the last value.
    """
    own = [x for x in xs if x.place.key not in values.leaves]
    if not own and len(xs) > 1:  # the parameters of several layers under one name
        reverse = zip(xs, reversed(gradients), strict=len(xs) == len(gradients))
        return [(x.place, (g,)) for x, g in reverse] if len(xs) == len(gradients) else []
    if not own:
        return outcome(xs, gradients)
    for several in (own, xs):
        if len(several) > 1 and len(several) == len(gradients):
            return [(x.place, (g,)) for x, g in zip(several, reversed(gradients), strict=True)]
    rounds = rounds_of(begun(gradients))
    for several in (own, xs, *reversed(by_statement(own))):
        if len(several) > 1 and len(several) == len(rounds):
            return [(x.place, tuple(r)) for x, r in zip(several, reversed(rounds), strict=True)]
    for r in _by_repetition(gradients):
        for several in reversed(by_statement(own)):
            if len(several) > 1 and len(several) == len(r):
                return [(x.place, (g,)) for x, g in zip(several, reversed(r), strict=True)]
    return [(own[-1].place, tuple(gradients))]


def outcome(xs: list[Named], gradients: list[Version]) -> Matched:
    """Return an input or a parameter with the last value of its gradient, which is what counts."""
    return [(xs[0].place, (gradients[-1],))]


def begun(gradients: list[Version]) -> list[Version]:
    """Return the gradients without the zeros with which a loop begins: they are of no round of it."""
    first, *rest = gradients
    is_again = any(first.where is other.where for other in rest)
    return gradients if not rest or is_again or bool((torch.as_tensor(first.value) != 0).any()) else rest


def rounds_of(gradients: Sequence[Version]) -> list[list[Version]]:
    """Return the gradients in rounds of a loop: another begins where a statement comes again."""
    rounds: list[list[Version]] = [[]]
    for version in gradients:
        if any(version.where is other.where for other in rounds[-1]):
            rounds.append([])
        rounds[-1].append(version)
    return rounds


def _by_repetition(gradients: list[Version]) -> list[list[Version]]:
    found: defaultdict[tuple[int, int], list[Version]] = defaultdict(list)
    for version in gradients:
        found[version.where.line, version.where.column].append(version)
    return list(found.values())


def by_statement(xs: Sequence[Named]) -> list[list[Named]]:
    """Return values in groups, each made by one statement."""
    found: defaultdict[tuple[int, int], list[Named]] = defaultdict(list)
    for x in xs:
        found[x.where].append(x)
    return list(found.values())


def fits(place: Place, version: Version) -> bool:
    """Tell whether a gradient is of the shape of a value."""
    return tuple(place.value.shape) == tuple(np.shape(version.value))
