"""Accusations of several statements: of the one that can be mended, where that is one alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from torch_ref.check.lines_mended import with_mend
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

MOST_REFUSED = 2
"""Changes of one check that are right here and wrong at other numbers: each takes as long as a check of all lines."""

MORE_LINES, LINES_BESIDES = 10, 10_000
"""Times as many lines as backward itself may run in a changed one, and so many more for what it calls."""


LEAST_ENTRIES = 3


def mended(
    accused: Sequence[Accused],
    chained: Chained,
    seen: Read,
    subject: Subject,
    is_right: Callable[[Subject, Accused], bool] | None = None,
) -> list[Accused]:
    """Return accusations, each of one statement where a change of that alone makes its gradients right.

    ``is_right`` tells of a backward that is changed so whether nothing of that accusation is wrong at other numbers.
    Without it a gradient has to have a few entries: one number is right by chance now and then.
    """
    names = {name for one in accused for name in one.names}
    right = [
        version
        for pair in chained.pairs
        if pair.name not in names and pair.name not in chained.guilty
        for several in pair.gradients
        for version in several
    ]
    repairs = _repairs(subject, seen.by_hand, seen.by_hand_of, right)
    found: list[Accused] = []
    refused: list[Accused] = []
    for one in accused:
        wanted = _wanted(one, chained, seen)
        fewer = repairs.instead_of(one, wanted)
        has_entries = sum(math.prod(np.shape(version.value)) for version, _ in wanted) >= LEAST_ENTRIES

        def is_confirmed(changed: Callable[..., Any], one: Accused = fewer, has_entries: bool = has_entries) -> bool:
            if is_right is None or len(refused) >= MOST_REFUSED:
                return has_entries and is_right is None
            is_it = is_right(_changed(subject, changed), one)
            refused.extend([] if is_it else [one])
            return is_it

        found.append(with_mend(fewer, repairs, wanted, is_confirmed))
    return found


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
    limited = replace(subject, most_lines=MORE_LINES * run.lines + LINES_BESIDES)
    function = subject.forward if subject.backward is None else subject.backward
    return Repairs(function, run, lambda changed: by_hand(_changed(limited, changed)), right)


def _changed(subject: Subject, function: Callable[..., Any]) -> Subject:
    """Return a subject with another function for that which makes the gradients."""
    return replace(subject, forward=function) if subject.backward is None else replace(subject, backward=function)


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
