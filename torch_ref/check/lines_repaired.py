"""Accusations of several statements: of the one that can be mended, where that is one alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

from torch import Tensor

from torch_ref.lines.chained import Chained, distance, near
from torch_ref.lines.pairing import tensor_of
from torch_ref.lines.record import Version
from torch_ref.lines.repaired import Repairs, Wanted
from torch_ref.lines.subject import Read, Subject
from torch_ref.lines.suspected import wrong_at
from torch_ref.lines.suspects import Accused
from torch_ref.lines.trace import Run
from torch_ref.numbers.given import as_gradient
from torch_ref.steps.graph import Place
from torch_ref.verdict.measured import Measured


def mended(accused: Sequence[Accused], chained: Chained, seen: Read, subject: Subject) -> list[Accused]:
    """Return accusations, each of one statement where a change of that alone makes its gradients right."""
    names = {name for one in accused for name in one.names}
    right = [
        version
        for pair in chained.pairs
        if pair.name not in names and pair.name not in chained.guilty
        for several in pair.gradients
        for version in several
    ]
    repairs = _repairs(subject, seen.by_hand, seen.by_hand_of, right)
    return [repairs.instead_of(one, _wanted(one, chained, seen)) for one in accused]


def mended_by_differences(
    accused: Sequence[Accused],
    measured: Mapping[str, tuple[Version, Measured]],
    run: Run,
    subject: Subject,
    by_hand: Callable[[Subject], Run],
) -> list[Accused]:
    """Return the same of gradients that were ``measured``, each as backward made it and beside central differences."""
    names = {name for one in accused for name in one.names}
    right = [version for name, (version, _) in measured.items() if name not in names]
    repairs = _repairs(subject, run, by_hand, right)

    def wanted(one: Accused) -> Wanted:
        return [(version, partial(_agrees, found)) for version, found in (measured[name] for name in one.names)]

    return [repairs.instead_of(one, wanted(one)) for one in accused]


def _agrees(measured: Measured, version: Version) -> bool:
    again = replace(measured, by_hand=as_gradient(version.value, measured.parameter))
    arrived = again.arrived(None, strict=False)
    return arrived is not None and arrived.found.ok


def _repairs(subject: Subject, run: Run, by_hand: Callable[[Subject], Run], right: Sequence[Version]) -> Repairs:
    if subject.backward is None:
        return Repairs(subject.forward, run, lambda changed: by_hand(replace(subject, forward=changed)), right)
    return Repairs(subject.backward, run, lambda changed: by_hand(replace(subject, backward=changed)), right)


def _wanted(one: Accused, chained: Chained, seen: Read) -> Wanted:
    """Return the gradients of an accusation as backward made them, each with what tells whether another is right."""
    pairs = {pair.name: pair for pair in chained.pairs}
    found = []
    for name in one.names:
        i = wrong_at(chained, pairs[name])
        version = pairs[name].gradients[i][-1]
        made = seen.by_hand.versions[version.order]
        if version.place != made.place:
            return []
        if version.place in chained.values.given:  # what it was moved by is no value of backward
            right = chained.chain.alone[name][i].witness.value
            found.append((made, partial(_is_moved_by, chained.values.given[version.place], made, version, right)))
            continue
        factor = Fraction(1) if version.value is made.value else chained.factor
        right = chained.chain.alone[name][i].witness.value * float(factor)
        found.append((made, partial(_is_near, pairs[name].places[i], right)))
    return found


def _is_moved_by(place: Place, made: Version, moved: Version, right: Tensor, version: Version) -> bool:
    """Tell whether a parameter is moved by its gradient; ``made`` is what it is now, ``moved`` by what it was."""
    before, gradient = place.value.double(), tensor_of(moved.value).double()
    size = float(gradient.norm()) ** 2
    rate = float(((before - tensor_of(made.value).double()) * gradient).sum()) / size if size else 0.0
    if not rate:
        return False
    by = (before - tensor_of(version.value).double()) / rate
    return distance(replace(moved, value=by), right) < near(place)


def _is_near(place: Place, right: Tensor, version: Version) -> bool:
    return distance(version, right) < near(place)
