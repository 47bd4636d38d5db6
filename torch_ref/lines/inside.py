"""A function that backward calls, and the one whose backward it is: a forward and a backward of their own.

They belong together where the one has what the other was given: a cache, or an object on which both keep their values.
So a mistake in a layer's method, or in a function for one step, is looked for where it stands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from torch_ref.lines.arguments import Result
from torch_ref.lines.calls import Called, Calls
from torch_ref.lines.cells import Cell
from torch_ref.lines.names import is_bare, named_after
from torch_ref.lines.places import is_array
from torch_ref.lines.record import Version
from torch_ref.lines.subject import Subject
from torch_ref.lines.trace import Run
from torch_ref.lines.world import World

DIRECTION = re.compile(r"_*(?:forwards?|backwards?|backprop|fwd|bwd|back|fw|bw|[fb]prop|deriv\w*|prime|grad\w*)_*")
"""What the name of a function says about its direction."""


@dataclass(frozen=True)
class Inside(Subject):
    """A forward and a backward, each with the arguments with which it was called."""

    given: Mapping[str, Any] = field(default_factory=dict)
    """Those of backward, by name."""
    upstream: Mapping[str, Any] = field(default_factory=dict)
    """The gradients of forward's outputs, by the names that backward has for them."""
    outputs: Sequence[Any] = ()
    """What they are the gradients of."""

    def by_hand(self, upstream: Sequence[Any], calls: tuple[Calls | None, Calls | None] = (None, None)) -> Run:
        """Run backward with what it was given; of a function that is both, run that."""
        if self.backward is None:
            return super().by_hand(upstream, calls)
        if calls[0] is not None:
            self._alone(self.forward, self.inputs, calls[0])
        return self._alone(self.backward, self.given, calls[1])

    def _alone(self, function: Any, arguments: Mapping[str, Any], calls: Calls | None) -> Run:
        world = World(self.copied, self.instead_of_number)
        named = {name: world.of(value, name) for name, value in arguments.items()}
        return self.run_plain(self.within(world, function), named, calls)


def calls_at(version: Version, calls: Calls) -> list[Called]:
    """Return the calls that the statement of a value made until it made that, in order."""
    return [one for one in calls.found if one.where == version.where and one.is_done and one.order <= version.order]


def pairs_with(backward: Called, forwards: Calls, *, is_wide: bool) -> Iterator[Inside]:
    """Yield what a function may be the backward of, the most likely first."""
    made = [one for one in forwards.found if one.is_done and one.returned is not None and one is not backward]
    related = [one for one in made if _rating(backward, one)[1]]
    around = [one for one in made if backward.stands_in(one)]
    namesakes = around or [one for one in related if _rating(backward, one)[0]]
    for forward in sorted(namesakes or related, key=lambda one: _rating(backward, one), reverse=True):
        upstream = _upstream(backward, forward)
        if upstream is not None and _is_given_its_own(backward, forward, upstream):
            both = forward.function, backward.function
            d_outputs = {name: backward.arguments[name] for name in upstream}
            outputs = [*upstream.values()]
            yield Inside(
                *both,
                forward.arguments,
                True,
                is_wide,
                given=backward.arguments,
                upstream=d_outputs,
                outputs=outputs,
            )
    if _is_loss(backward):
        yield Inside(backward.function, None, backward.arguments, True, is_wide)


def in_place_of(whole: Subject, called: Called) -> Iterator[Inside]:
    """Yield a function that a backward calls to do all, with the forward of that."""
    if not isinstance(whole.forward, Cell):
        given = called.arguments
        yield Inside(whole.forward, called.function, whole.prepared, True, whole.is_wide, given=given)


def _rating(backward: Called, forward: Called) -> tuple[bool, int, int]:
    """Return how surely two functions belong together: by their names, by the arrays that both have."""
    shared = len(forward.keys & {key for _, key in backward.given})
    shared += backward.owner is forward.owner is not None
    return _stem(backward) == _stem(forward), shared, -len(forward.keys)


def _stem(one: Called) -> str:
    return DIRECTION.sub("", one.name)


def _is_loss(one: Called) -> bool:
    """Tell whether a function returns a loss with other things, and so may compute its gradients, too."""
    try:
        outputs = Result.of(one.returned, one.variables, None).outputs
    except TypeError:
        return False
    return isinstance(one.returned, tuple | list | dict) and all(
        math.prod(np.shape(value)) == 1 for value in outputs.values()
    )


def _upstream(backward: Called, forward: Called) -> dict[str, Any] | None:
    """Return forward's outputs by the arguments that are their gradients; None where those are not all there."""
    try:
        result = Result.of(forward.returned, forward.variables, backward.function)
    except TypeError:
        return None
    known = {place for place, key in backward.given if key in forward.keys}
    between = {name for name in forward.variables if name not in result.outputs}
    free = {
        name: value
        for name, value in backward.inputs.items()
        if is_array(value) and name not in known and (is_bare(name) or not between & {*named_after(name)})
    }
    found: dict[str, Any] = {}
    for of, output in result.outputs.items():
        fits = [name for name, value in free.items() if np.shape(value) == np.shape(output) and name not in found]
        called = [name for name in fits if of in named_after(name)]
        if not fits:
            return None
        found[(called or fits)[0]] = output
    return found


def _is_given_its_own(backward: Called, forward: Called, upstream: Container[str]) -> bool:
    """Tell whether all that backward was given is forward's: under the same name, where it has one there."""
    names = dict(forward.had)
    plain = [name for name in backward.arguments if isinstance(backward.arguments[name], str | int | float | None)]
    if any(backward.arguments[name] != forward.arguments.get(name, backward.arguments[name]) for name in plain):
        return False
    return all(
        key in forward.keys and names.get(place, key) == key
        for place, key in backward.given
        if place not in upstream and not place.startswith("self.")
    )
