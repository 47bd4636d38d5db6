"""Which variable of backward is the gradient of which value of forward: by name, or as a mapping says.

Several values under one name, as in a loop, go with as many gradients in reverse order. Where a name is used again for
what comes before, all its values may be meant.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.lines.constants import CONSTANT, is_constant, is_forwards
from torch_ref.lines.matching import Matched, fits, matched, outcome
from torch_ref.lines.names import is_bare, is_behind, is_numbered, named_after, path_of, values_of
from torch_ref.lines.places import is_array
from torch_ref.lines.record import Version
from torch_ref.lines.trace import RETURNED, Run
from torch_ref.lines.values import Values
from torch_ref.steps.graph import Key, Place

BY_MAPPING = "give it by mapping={'value': 'gradient'}"

NO_GRADIENT = "backward has no variable with such a name; " + BY_MAPPING

WHOLE = "{of} was given as a whole number, which has no gradient; give it with a fraction, as 0.0"


@dataclass(frozen=True)
class Pair:
    """A value of the forward pass, and what may be its gradient by hand."""

    name: str
    places: tuple[Place, ...]
    """One, or one for each step of a loop."""
    gradients: tuple[tuple[Version, ...], ...]
    """For each place the values that may be meant, in the order in which they were made."""
    is_outcome: bool
    """Whether it is an input or a parameter: its gradient is what backward is for."""
    is_guess: bool = False
    """Whether only the shape says that they go together."""


@dataclass(frozen=True)
class Pairing:
    """All pairs, and what is in none."""

    pairs: tuple[Pair, ...]
    reasons: Mapping[str, str]
    """Why a variable of backward is in none, by its place."""

    def unpaired(self, pairs: Sequence[Pair], values: Values, backward: Backward) -> list[tuple[str, str]]:
        """Return what is in none of the pairs that are left, each with the reason."""
        taken = {place.key for pair in pairs for place in pair.places}
        made = {version.made for pair in pairs for several in pair.gradients for version in several}
        leaves = [name for key, name in values.leaves.items() if key not in taken]
        left = [item for item in self.reasons.items() if backward.gradients[item[0]][-1].made not in made]
        missing = [(f"gradient of {' and '.join(leaves)}", NO_GRADIENT)] if leaves else []
        return [*missing, *((_called(place, backward), reason) for place, reason in left)]


@dataclass(frozen=True)
class Backward:
    """What there is to pair of a run of backward."""

    run: Run
    inputs: Sequence[str]
    """The names of forward's inputs, in order: what is returned without a name is in this order."""
    outputs: int = 0
    """How many parts of what is returned are forward's outputs, where both stand in one function."""

    @cached_property
    def gradients(self) -> dict[str, list[Version]]:
        """Return the tensors, arrays and numbers with fractions that backward made, by place."""
        found = {
            place: [v for v in versions if not v.given and _is_gradient(v.value)]
            for place, versions in self.run.places.items()
        }
        return {place: versions for place, versions in found.items() if versions}

    @cached_property
    def by_order(self) -> dict[str, str]:
        """Return the input that each part of what was returned stands for; none where the counts differ."""
        returned = self.run.returned
        if not isinstance(returned, tuple | list):
            return {RETURNED: self.inputs[0]} if len(self.inputs) == 1 and not self.outputs else {}
        places = [f"{RETURNED}[{i}]" for i in range(len(returned))][self.outputs :]
        return dict(zip(places, self.inputs, strict=True)) if len(places) == len(self.inputs) else {}

    def is_output(self, place: str) -> bool:
        """Tell whether a place is one of forward's outputs."""
        return self.outputs > 0 and (place == RETURNED or place in [f"{RETURNED}[{i}]" for i in range(self.outputs)])

    def count_beside(self, place: str) -> int:
        """Return how many gradients a list holds that holds one at a place, as self.dW does at self.dW[0]."""
        return sum(path_of(other)[:2] == path_of(place)[:2] for other in self.gradients)

    def is_named(self, name: str) -> bool:
        """Tell whether a variable is called after a value, as its gradient."""
        return any(path.name == name for place in self.gradients if place.isidentifier() for path in values_of(place))

    def recomputed(self, name: str, before: int) -> Version | None:
        """Return the last value of a variable before something was made; of an argument too."""
        found = [v for v in self.run.places.get(name, []) if v.order < before and is_array(v.value)]
        return found[-1] if found else None


def _is_gradient(value: Any) -> bool:
    return is_array(value) or isinstance(value, float | np.floating)


def pairing_of(values: Values, backward: Backward, mapping: Mapping[str, str | None] | None = None) -> Pairing:
    """Pair the values of a forward pass with the gradients that backward computed.

    Raises ValueError where the mapping names what is not there.
    """
    given = _checked(mapping or {}, values, backward)
    together: defaultdict[str, list[Matched]] = defaultdict(list)
    reasons: dict[str, str] = {}
    for place, versions in _ranked(backward):
        found: tuple[str, Matched] | str | None = None
        is_forwards_own = not backward.outputs and is_forwards(place, versions, values.run)
        if place not in given.values() and not is_forwards_own and not is_behind(place, backward.gradients):
            found = _found(place, versions, values, backward)
        if isinstance(found, tuple) and is_constant(versions):
            found = CONSTANT
        if isinstance(found, str) and not place.startswith(RETURNED):
            reasons[place] = found
        elif (
            isinstance(found, tuple)
            and found[0] not in given
            and not _is_a_step(place, found[1], together[found[0]], values)
        ):
            together[found[0]].append(found[1])
    for name, chosen in given.items():
        if chosen is not None:
            together[name] = [matched(values.by_place[name], backward.gradients[chosen], values)]
    pairs = [pair for name, several in together.items() if several for pair in _pairs(name, several, values)]
    pairs = _once(pairs, values)
    alone, said = _returned_alone(pairs, values, backward, {name for name, chosen in given.items() if chosen is None})
    return Pairing((*pairs, *alone), reasons | said)


def _returned_alone(
    pairs: Sequence[Pair], values: Values, backward: Backward, left_out: Collection[str]
) -> tuple[list[Pair], dict[str, str]]:
    """Pair what is returned without a name, or as gradient, with the only parameter of its shape that is left.

    Of what cannot be paired so, return the reason.
    """
    made = {version.made for pair in pairs for several in pair.gradients for version in several}
    taken = {place.key for pair in pairs for place in pair.places}
    free = {
        name: values.by_key[key] for key, name in values.leaves.items() if key not in taken and name not in left_out
    }
    returned = {
        place: versions[-1]
        for place, versions in backward.gradients.items()
        if place.startswith(RETURNED)
        and is_array(versions[-1].value)
        and versions[-1].made not in made
        and not backward.is_output(place)
        and _says_nothing(backward.run.origin(versions[-1]).place)
    }
    found: list[Pair] = []
    reasons: dict[str, str] = {}
    for place, version in returned.items():
        names = [name for name, there in free.items() if fits(there, version)]
        alike = [other for other in returned.values() if fits(free[names[0]], other)] if names else []
        if len(names) == len(alike) == 1:
            found.append(Pair(names[0], (free[names[0]],), ((version,),), True, is_guess=True))
        elif is_bare(backward.run.origin(version).place):
            reasons[place] = f"its name does not say what it is the gradient of; {BY_MAPPING}"
    return found, reasons


def _is_a_step(place: str, ways: Matched, before: Sequence[Matched], values: Values) -> bool:
    """Tell whether what is returned is the gradient of a step of a loop, and has its value already."""
    made = {version.made for several in before for _, versions in several for version in versions}
    inside = all(there.key not in values.leaves for there, _ in ways)
    return place.startswith(RETURNED) and inside and all(one.made in made for _, versions in ways for one in versions)


def _checked(mapping: Mapping[str, str | None], values: Values, backward: Backward) -> dict[str, str | None]:
    """Return a mapping, of two lists, dicts or objects one of their parts; raise ValueError for what is not there."""
    found: dict[str, str | None] = {}
    for name, place in mapping.items():
        if name in values.by_place:
            parts = {name: place}
        elif parts_in := _parts_in(name, values.by_place):
            parts = {part: place if place is None else place + part.removeprefix(name) for part in parts_in}
        else:
            raise ValueError(_not_there(name, "value of forward", [*values.by_place]))
        for part, chosen in parts.items():
            if chosen is not None and chosen not in backward.gradients:
                raise ValueError(_not_there(chosen, "variable of backward", [*backward.gradients]))
            found[part] = chosen
    return found


def _called(place: str, backward: Backward) -> str:
    """Return how a reader finds a variable: of what is returned, its name, too."""
    if not place.startswith(RETURNED):
        return place
    return f"{place}, called {backward.run.origin(backward.gradients[place][-1]).place}"


def _parts_in(name: str, places: Iterable[str]) -> list[str]:
    """Return the places that lie in a list, a dict or an object of that name."""
    return [place for place in places if place.startswith((f"{name}[", f"{name}."))]


def _not_there(name: str, what: str, there: Sequence[str]) -> str:
    return (
        f"check_lines expects mapping={{'value of forward': 'variable of backward'}}, but {name!r} is no {what}. There "
        f"are {', '.join(there) or 'none'}"
    )


def _ranked(backward: Backward) -> list[tuple[str, list[Version]]]:
    """Return the gradients by place: variables first, then what objects and dicts hold, what is returned last."""

    def rank(item: tuple[str, list[Version]]) -> int:
        return 2 if item[0].startswith(RETURNED) else 0 if item[0].isidentifier() else 1

    return sorted(backward.gradients.items(), key=rank)


def _found(place: str, versions: list[Version], values: Values, backward: Backward) -> tuple[str, Matched] | str | None:
    """Return the name of the value that a gradient is of, and how they go together; a reason why not; None for none."""
    alias = backward.run.origin(versions[-1]).place
    if backward.is_output(place) or (alias.isidentifier() and alias == path_of(place).name != place):
        return None  # the value itself, kept under its own name
    if place.startswith(RETURNED):
        is_told = alias != place and not (place in backward.by_order and is_bare(alias))  # dout is used again and again
        named = [*values_of(place)] + ([*values_of(alias)] if is_told else [])
        is_alone = not named and place not in backward.by_order
        if is_alone and (name := _returned_of(place, versions[-1], values, backward)):
            return name, outcome(values.by_place[name], versions)
        if place in backward.by_order and not any(values.called(path) for path in named):
            name = backward.by_order[place]
            if is_bare(alias) and not _fits_input(name, versions[-1], values) and backward.is_named(name):
                return None  # delta, beside a gradient of its own for that input
            return (name, outcome(values.by_place[name], versions)) if name in values.by_place else None
    else:
        named = [*values_of(place)]
    for path in named:
        names = values.called(path)
        if len(names) > 1:
            fitting = [name for name in names if fits(values.by_place[name][-1].place, versions[-1])]
            if len(fitting) != 1:
                return f"it may be the gradient of {' or of '.join(sorted(names))}; {BY_MAPPING}"
            names = fitting
        if names:
            return names[0], matched(values.by_place[names[0]], versions, values)
    for path in named:
        several = values.steps_in(path.name, len(versions)) if not path.behind else []
        several = several or values.numbered(path.name)
        if len(several) > 1 or (several and several == values.steps_in(path.name, len(versions))):
            return path.name, matched(several, versions, values)
        if step := values.step(path, backward.count_beside(place)):
            return step[0], outcome([step[1]], versions)
    return _recomputed(place, versions, values, backward)


def _says_nothing(name: str) -> bool:
    """Tell whether a name does not say what something is the gradient of; an expression that is returned has none."""
    return is_bare(name) or name.startswith(RETURNED)


def _fits_input(name: str, version: Version, values: Values) -> bool:
    return name in values.by_place and fits(values.by_place[name][0].place, version)


def _returned_of(place: str, version: Version, values: Values, backward: Backward) -> str:
    """Return the parameter whose gradient a returned part is computed from: of ``return dW / n, db / n`` W and b."""
    index = re.fullmatch(rf"{RETURNED}\[(\d+)\]", place)
    number = int(index[1]) if index else 0
    reads = version.where.elements[number] if number < len(version.where.elements) else frozenset[str]()
    called = [values.called(path) for name in reads & backward.gradients.keys() for path in values_of(name)]
    names = {one[0] for one in called if len(one) == 1}
    leaves = {name for name in names if values.by_place[name][0].place.key in values.leaves}
    fitting = [name for name in leaves if fits(values.by_place[name][0].place, version)]
    return fitting[0] if len(fitting) == 1 else ""


def _recomputed(
    place: str, versions: list[Version], values: Values, backward: Backward
) -> tuple[str, Matched] | str | None:
    """Pair a gradient with a value that has its name in backward only, where it was computed again."""
    stems = [*named_after(path_of(place).name)] if place.isidentifier() else []
    for of in stems:
        found: dict[Key, tuple[Place, tuple[Version, ...]]] = {}
        for version in versions:
            again = backward.recomputed(of, version.order)
            there = None if again is None else values.equal_to(tensor_of(again.value))
            if there is not None:
                _, before = found.get(there.key, (there, ()))
                found[there.key] = there, (*before, version)
        if found:
            return of, [*found.values()]
    if is_numbered(place):
        return f"its name does not say what it is the gradient of; {BY_MAPPING}"
    if not is_array(versions[-1].value):
        whole = next((of for of in stems if of in backward.inputs), None)
        return WHOLE.format(of=whole) if whole else None
    if not stems:
        return None
    return f"no value that the output is made of is called {' or '.join(stems)}; {BY_MAPPING}"


# ------------------------------------------------------------------------------------------------ pairs


def _pairs(name: str, several: list[Matched], values: Values) -> list[Pair]:
    """Return the pairs of one name: one for each statement that made its values, and one for an input of that name.

    An input with the name of what a loop makes is a step of the loop.
    """
    places: dict[Key, Place] = {}
    gradients: defaultdict[Key, list[Version]] = defaultdict(list)
    for place, versions in (one for pairs in several for one in pairs):
        places[place.key] = place
        if place.key in values.leaves:
            gradients[place.key] = [*versions]  # what is returned or stored comes last, and counts
        else:
            gradients[place.key] += versions
    given = [place for key, place in places.items() if key in values.leaves]
    groups: defaultdict[tuple[int, int], list[Place]] = defaultdict(list)
    for key, place in places.items():
        if key not in values.leaves:
            groups[values.where(key)].append(place)
    found = []
    for where, group in groups.items():
        if given and len(group) > 1:
            group, given = [*given, *group], []
        called = f"{name} of line {where[0]}" if len(groups) > 1 else name
        ways = tuple(tuple(_fitting(place, gradients[place.key])) for place in group)
        found.append(Pair(called, tuple(group), ways, False))
    for place in given:
        called = f"{name} as it is given" if groups else name
        found.append(Pair(called, (place,), (tuple(gradients[place.key]),), True))
    return found


def _fitting(place: Place, versions: list[Version]) -> list[Version]:
    """Return the values of the right shape in the order in which they were made; all where there is none."""
    different = {version.made: version for version in sorted(versions, key=lambda version: -version.order)}
    fitting = [version for version in different.values() if fits(place, version)]
    return sorted(fitting or different.values(), key=lambda version: version.order)


def _once(pairs: Sequence[Pair], values: Values) -> list[Pair]:
    """Return every input and every parameter once, under its first name, with what was stored or returned last.

    As a step of a loop it is there already, unless another gradient is made of that one in the end.
    """
    outcomes = sorted((pair for pair in pairs if pair.is_outcome), key=lambda pair: pair.gradients[0][-1].order)
    last = {pair.places[0].key: pair for pair in outcomes}
    found = [pair for pair in pairs if not pair.is_outcome]
    in_loops = {
        (place.key, *(version.made for version in several))
        for pair in found
        for place, several in zip(pair.places, pair.gradients, strict=True)
    }
    for key, pair in last.items():
        if (key, pair.gradients[0][-1].made) not in in_loops:
            name = values.leaves[key] if pair.name in values.by_place else pair.name
            found.append(replace(pair, name=name))
    return found


def tensor_of(value: Any) -> Tensor:
    """Return a tensor, an array or a number as a tensor without history."""
    return value.detach() if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
