"""A statement is accused that calls somebody's own functions: the line inside is looked for, which is wrong."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from typing import Any

from torch_ref.check.accused import name_of
from torch_ref.check.lines_repaired import mended
from torch_ref.lines.between import wrong_between
from torch_ref.lines.calls import Called, Calls, Key, key_of
from torch_ref.lines.chained import Chained, near, off
from torch_ref.lines.inside import Inside, calls_at, in_place_of, pairs_with
from torch_ref.lines.judged import judged
from torch_ref.lines.names import path_of
from torch_ref.lines.pairing import Backward, Pair, pairing_of, tensor_of
from torch_ref.lines.places import is_array, values_in
from torch_ref.lines.scale import over
from torch_ref.lines.slope import behind_return, is_wrong_factor
from torch_ref.lines.source import Statement
from torch_ref.lines.subject import Subject, read
from torch_ref.lines.suspected import suspects_of
from torch_ref.lines.suspects import Accused
from torch_ref.lines.updates import Updates
from torch_ref.verdict.chain import report_of_chain

DEEPEST = 4
"""Functions in functions that are looked into."""


@dataclass(frozen=True)
class Outside:
    """What is known of the inputs and parameters of the whole, for what is called to compute their gradients."""

    wrong: Mapping[Key, bool]
    """Whether the gradient of each is wrong."""
    factor: Fraction = Fraction(1)
    """By what all other gradients are too large, which comes with those of these."""

    @classmethod
    def of(cls, chained: Chained, guilty: Container[str]) -> Outside:
        """Return what a chain says."""
        pairs = [pair for pair in chained.pairs if pair.is_outcome]
        return cls({key_of(pair.places[0].value): pair.name in guilty for pair in pairs}, chained.factor)

    def scaled(self, pair: Pair) -> Pair:
        """Return a pair inside with the factor that its gradient has outside."""
        return over(pair, 1 / self.factor) if key_of(pair.places[0].value) in self.wrong else pair

    def agrees(self, pair: Pair) -> bool:
        """Tell whether it may be that the gradient of a pair inside is wrong."""
        return self.wrong.get(key_of(pair.places[0].value), True)


def accused_inside(
    accused: Sequence[Accused],
    calls: Callable[[], tuple[Calls, Calls]],
    outside: Outside,
    *,
    chained: Chained | None = None,
    is_wide: bool = False,
    depth: int = 0,
    whole: Subject | None = None,
) -> list[Accused]:
    """Return accusations of the lines inside in place of those of calls, where they are found.

    Of a ``whole`` backward that only calls another, that one is the backward.
    """
    if not accused or depth == DEEPEST:
        return [*accused]
    forwards, backwards = calls()
    if not backwards.found:
        return [*accused]
    within = Within(chained, forwards if forwards.found else backwards, backwards, outside, is_wide, depth, whole)
    return _merged([found for one in accused for found in within.instead_of(one)])


def _merged(accused: Sequence[Accused]) -> list[Accused]:
    """Return accusations of which each names another statement."""
    found: dict[Statement, Accused] = {}
    for one in accused:
        before = found.get(one.named)
        found[one.named] = one if before is None else replace(before, names=before.names + one.names)
    return [*found.values()]


@dataclass(frozen=True)
class Within:
    """What is called by a forward and a backward."""

    chained: Chained | None
    forwards: Calls
    """Of one function for both those of that."""
    backwards: Calls
    outside: Outside
    is_wide: bool
    depth: int
    whole: Subject | None

    def instead_of(self, one: Accused) -> list[Accused]:
        """Return what is wrong inside of what was called by the accused statements, or else these."""
        innocent: set[int] = set()
        for value in reversed(one.values):
            for n, call in enumerate(reversed(calls_at(value, self.backwards))):
                pair, found = self._judged(call)
                if found:
                    return _in_place_of(one, [replace(f, called=(value.where.at, *f.called)) for f in found])
                if n == 0 and pair is not None and found == [] and self._is_given_wrong(pair):
                    innocent.add(value.made)
                if pair is None and self.chained is not None and (between := wrong_between(call, self.chained)):
                    return _in_place_of(one, [replace(f, called=(value.where.at,)) for f in between])
                if pair is None and self.chained is not None and is_wrong_factor(call, self.chained, value):
                    behind = behind_return(call, self.chained)
                    return [replace(one, values=behind, called=(value.where.at,))] if behind else [one]
        left = tuple(value for value in one.values if value.made not in innocent)
        return [replace(one, values=left or one.values)]

    def _judged(self, call: Called) -> tuple[Inside | None, list[Accused] | None]:
        """Return the pair of functions that a call belongs to, and what is wrong in it; None where nobody can tell."""
        pairs = pairs_with(call, self.forwards, is_wide=self.is_wide)
        whole = self.whole if self.whole is not None and self._is_given_no_gradient(call) else None
        for pair in chain(pairs, [] if whole is None else in_place_of(whole, call)):
            given = zip(pair.outputs, pair.upstream.values(), strict=True)
            if any(self._is_known(d) and not self._arrives_at(output, d) for output, d in given):
                continue
            found = _wrong_in(pair, self.outside, self.depth)
            if found is not None:
                is_part = pair.backward is not None and not pair.upstream and self._is_called_again(call)
                return pair, [] if is_part else found
        return None, None

    def _is_known(self, value: Any) -> bool:
        """Tell whether something is a value of the forward pass, and so no gradient."""
        return self.chained is not None and self.chained.values.equal_to(tensor_of(value)) is not None

    def _arrives_at(self, output: Any, d: Any) -> bool:
        """Tell whether something is the gradient of a value, as y - t is of a squared error."""
        place = self.chained.values.equal_to(tensor_of(output)) if self.chained is not None else None
        if place is None or self.chained is None:
            return False
        right = self.chained.arriving({}, [place])[place.key]
        return off(tensor_of(d).reshape(right.shape), right) < near(place)

    def _is_given_no_gradient(self, call: Called) -> bool:
        given = [part for name, value in call.inputs.items() for _, part in values_in(value, name) if is_array(part)]
        return bool(given) and all(map(self._is_known, given))

    def _is_called_again(self, call: Called) -> bool:
        """Tell whether the same function is called more than once: for a batch each, it does not do all."""
        return sum(other.function.__code__ is call.function.__code__ for other in self.backwards.found) > 1

    def _is_given_wrong(self, pair: Inside) -> bool:
        """Tell whether the gradients that a backward was given are not those that arrive there."""
        if self.chained is None or self.outside.factor != 1:
            return False
        for output, d in zip(pair.outputs, pair.upstream.values(), strict=True):
            place = self.chained.values.equal_to(tensor_of(output))
            if place is None:
                return False
            right = self.chained.arriving({}, [place])[place.key]
            if off(tensor_of(d).reshape(right.shape), right) > near(place):
                return True
        return False


def _wrong_in(pair: Inside, outside: Outside, depth: int) -> list[Accused] | None:
    """Return what is wrong in a pair of functions; None where they cannot be judged."""
    try:
        seen = read(pair, [*pair.upstream.values()] or None)
        inputs = [name for name in pair.inputs if name != "self"]
        found = Backward(seen.by_hand, inputs, len(seen.roots) if pair.backward is None else 0)
        pairing = Updates(seen.by_hand, pair.around).paired(pairing_of(seen.values, found), seen.values)
        is_told = bool(pair.upstream)  # else it may be any function of forward's values, and no backward
        pairs = tuple(outside.scaled(one) for one in pairing.pairs if is_told or not one.is_guess)
        if not pairs or seen.by_hand.failure:
            return None
        pairing = replace(pairing, pairs=pairs)
        chained = judged(seen, found, pairing, tolerance=None, strict=False)
        report = report_of_chain(chained.chain, power=False)
    except Exception:  # of somebody's code, which is called in another way here
        return None
    possible = {one.name for one in chained.pairs if outside.agrees(one)}
    guilty = [name for row in report.guilty if (name := name_of(row)) in possible]
    accused = suspects_of(chained, guilty).accused()
    inside = accused_inside(accused, seen.calls, outside, chained=chained, is_wide=pair.is_wide, depth=depth + 1)
    return mended(inside, chained, seen, pair)


def _in_place_of(one: Accused, found: Sequence[Accused]) -> list[Accused]:
    """Return what was found inside under the names of the gradients outside: those of the same name go together."""
    left = [*one.names]
    others: list[Accused] = []
    for inner in found[1:]:
        tails = {path_of(name).name for name in inner.names}
        names = [name for name in left[1:] if path_of(name).name in tails]
        if names:
            left = [name for name in left if name not in names]
            others.append(replace(inner, names=tuple(names)))
    return [replace(found[0], names=tuple(left)), *others]
