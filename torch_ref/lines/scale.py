"""Gradients that are N times the right ones inside, where 1/N comes in the end: a convention, and no mistake.

``dz = a - y`` is N times the gradient of a mean over N samples, and so is all that is computed from it, up to
``dW = dz.T @ x / N``. Where gradients are wrong, those inside are divided by such a factor, and that is kept where
fewer are wrong then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from torch import Tensor

from torch_ref.lines.chained import Chained, near, off
from torch_ref.lines.pairing import Backward, Pair
from torch_ref.lines.places import is_array
from torch_ref.lines.record import Version
from torch_ref.lines.trace import RETURNED
from torch_ref.numbers.given import as_gradient

EXACT = 1e-4
"""How near a factor has to be to a fraction, as 1/N or 2/N."""

DENOMINATORS = 64
"""The largest of a fraction that counts as one."""

MOST_NAMED = 4

REMARK = (
    "{inside} {factor} times the gradient{s}: the factor {rest} comes with the gradient{es} of {last}. That is no "
    "mistake; they were divided by {number} before they were compared"
)


def scaled(chained: Chained) -> Chained:
    """Return the pairs, those inside divided by the factor that makes fewest wrong; as they are, where none does."""
    best, least, last = chained, chained.off.size, _of_outcomes(chained)
    inside = [pair for pair in chained.pairs if not pair.is_outcome and pair.name in chained.off.pairs]
    if not last or not inside:
        return chained
    for factor in dict.fromkeys(_factors(chained)):
        if factor < 0 and not _begins_wrong(chained):
            continue  # a sign that is a convention is there from the beginning
        tried = _divided(chained, factor)
        if tried.off.size < least and _of_outcomes(tried) <= last:
            best, least = tried, tried.off.size
    return best


def _begins_wrong(chained: Chained) -> bool:
    """Tell whether the first gradient inside, in the order of the backward pass, is wrong."""
    inside = {pair.name for pair in chained.pairs if not pair.is_outcome}
    first = next((claim.name for claim in chained.chain.in_order if claim.name in inside), "")
    return first in chained.off.pairs


def _of_outcomes(chained: Chained) -> int:
    """Return how many statements are wrong for inputs and parameters."""
    outcomes = [pair for pair in chained.pairs if pair.is_outcome and pair.name in chained.off.pairs]
    made = [several[-1].where for pair in outcomes for several in pair.gradients]
    return len({(where.line, where.column) for where in made})


def _factors(chained: Chained) -> Iterator[Fraction]:
    """Yield by what gradients inside may be too large.

    That is by what those of parameters are too small for them; or a number of samples, of the gradients themselves.
    """
    sizes = {size for pair in chained.pairs for place in pair.places for size in place.value.shape}
    for pair in chained.pairs if chained.off.pairs else ():
        for place, several in zip(pair.places, pair.gradients, strict=True):
            for version in several if pair.name in chained.off.pairs else ():
                found = _multiple(version, chained.arrived[place.key], near(place))
                if found in (None, 1):
                    continue
                if pair.is_outcome:
                    yield 1 / abs(found)
                elif abs(found) > 2 and sizes & {abs(found), 2 * abs(found)}:
                    yield abs(found)
                if found < 0:  # an error, t - y, whose updates are added
                    yield found if not pair.is_outcome else 1 / found


def times(version: Version, right: Tensor, allowed: float) -> Fraction | None:
    """Return how many times another gradient one is, but for its sign; None where it is no multiple, or the same."""
    found = _multiple(version, right, allowed)
    return None if found is None or abs(found) == 1 else abs(found)


def _multiple(version: Version, right: Tensor, allowed: float) -> Fraction | None:
    """Return how many times another gradient one is; None where it is no multiple."""
    t = as_gradient(version.value, right)
    if t is None or t.numel() != right.numel() or not bool(right.any()):
        return None
    ours, theirs = t.double().flatten(), right.double().flatten()
    number = float(ours @ theirs / (theirs @ theirs))
    if not number or off(ours, number * theirs) > allowed:
        return None
    found = _fraction(abs(number))
    return found and (found if number > 0 else -found)


def _fraction(number: float) -> Fraction | None:
    if number < 1:
        found = _fraction(1 / number)
        return found and 1 / found
    found = Fraction(number).limit_denominator(DENOMINATORS)
    return found if abs(float(found) - number) < EXACT * number else None


# ------------------------------------------------------------------------------------------ divided


def _divided(chained: Chained, factor: Fraction) -> Chained:
    """Return the pairs with those inside divided by a factor, from the first in the backward pass that is wrong."""
    inside = [pair for pair in chained.pairs if not pair.is_outcome or _is_by_the_way(chained, pair)]
    order = {claim.name: n for n, claim in enumerate(chained.chain.in_order)}
    first = min((order[pair.name] for pair in inside if pair.name in chained.off.pairs), default=0)
    those = {pair.name for pair in inside if order[pair.name] >= first}
    pairs = tuple(over(pair, factor) if pair.name in those else pair for pair in chained.pairs)
    backward = _backward_over(chained, those, factor)
    return replace(chained, pairs=pairs, backward=backward, factor=factor)


def _is_by_the_way(chained: Chained, pair: Pair) -> bool:
    """Tell whether the gradient of an input is a variable that nothing keeps, where others are returned."""
    (*_, last) = pair.gradients[0]
    run = chained.backward.run
    kept = {version.place for version in run.versions if version.made == last.made}
    return run.returned is not None and all(place.isidentifier() and place != RETURNED for place in kept)


def over(pair: Pair, factor: Fraction) -> Pair:
    """Return a pair with its gradients divided by a factor."""
    if factor == 1:
        return pair
    return replace(pair, gradients=tuple(tuple(_over(v, factor) for v in several) for several in pair.gradients))


def _backward_over(chained: Chained, those: set[str], factor: Fraction) -> Backward:
    """Return the run with all divided but the gradients that are what backward is for."""
    mine, others = (
        [v for pair in chained.pairs if (pair.name in those) is ok for several in pair.gradients for v in several]
        for ok in (True, False)
    )
    made, places = {v.made for v in others}, {v.place for v in mine}
    run = chained.backward.run
    kept = {v.place for v in run.versions if v.made in made} | {v.place for v in others}
    versions = tuple(v if v.place in kept - places or v.given else _over(v, factor) for v in run.versions)
    return replace(chained.backward, run=replace(run, versions=versions))


def _over(version: Version, factor: Fraction) -> Version:
    value: Any = version.value
    if is_array(value) or isinstance(value, float | np.floating):
        return replace(version, value=value * factor.denominator / factor.numerator)
    return version


# ------------------------------------------------------------------------------------------ what is said


def remark_of(chained: Chained) -> str | None:
    """Say that gradients are a factor too large by convention; None where they are not."""
    factor = chained.factor
    if factor == 1:
        return None
    inside = [pair.gradients[-1][-1].place for pair in chained.pairs if not pair.is_outcome]
    last = [pair.name for pair in chained.pairs if pair.is_outcome]
    if not inside or not last:
        return None
    versions = chained.backward.run.versions
    named = next((f"{v.place} = " for v in versions if v.place.isidentifier() and _is(v.value, factor)), "")
    return REMARK.format(
        inside=f"{_listed(inside)} {'are' if len(inside) > 1 else 'is'}",
        factor=f"{named}{factor}",
        s="s" if len(inside) > 1 else "",
        rest=1 / factor,
        es="s" if len(last) > 1 else "",
        last=_listed(last),
        number=factor,
    )


def _is(value: Any, factor: Fraction) -> bool:
    return type(value) in (int, float) and value == factor


def _listed(names: list[str]) -> str:
    different = [*dict.fromkeys(names)]
    *before, end = [*different[:MOST_NAMED], *(["others"] if len(different) > MOST_NAMED else [])]
    return f"{', '.join(before)} and {end}" if before else end
