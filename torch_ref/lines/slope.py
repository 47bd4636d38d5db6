"""A function that backward multiplies with: sigmoid_prime(z), cost_derivative(a, y).

It is no backward of anything, but what it should give is known: the slope of a value that forward computes, or the
gradient of its argument. It is wrong where the gradient would be right with that in place of what it gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from torch_ref.lines.calls import Called, key_of
from torch_ref.lines.chained import Chained, near, off
from torch_ref.lines.flow import Flow
from torch_ref.lines.names import is_bare, named_after, path_of
from torch_ref.lines.pairing import tensor_of
from torch_ref.lines.places import copied, is_array
from torch_ref.lines.record import Version
from torch_ref.lines.trace import RETURNED, run
from torch_ref.lines.world import World
from torch_ref.numbers.given import as_gradient
from torch_ref.steps.graph import Key, Place
from torch_ref.steps.guarded import as_it_was

FARTHEST = 30
"""Values of a forward pass whose slopes are tried."""


def is_wrong_factor(call: Called, chained: Chained, version: Version) -> bool:
    """Tell whether a gradient is wrong because of what a function gave that is a factor in it."""
    if not is_array(call.returned):
        return False
    given = tensor_of(call.returned)
    for place in (p for pair in chained.pairs for p, g in _ways(pair) if version.made in g):
        mine, right = as_gradient(version.value, place.value), chained.arrived[place.key]
        if mine is None or mine.shape != right.shape or given.shape != right.shape:
            continue
        for should in _meant(call, chained):
            if should.shape == right.shape and off(given, should) > near(place) > off(mine * should, right * given):
                return True
    return _is_wrong_itself(call, chained, version, given)


def _is_wrong_itself(call: Called, chained: Chained, version: Version, given: Tensor) -> bool:
    """Tell whether what a function gave is a gradient of its argument that no pair has: ``d = softmax.diff(y, t)``."""
    name = path_of(version.place).name
    is_called_so = is_bare(name) or any(named_after(name))
    if not is_called_so or key_of(call.returned) != key_of(version.value):
        return False
    for value in filter(is_array, call.arguments.values()):
        place = chained.values.equal_to(tensor_of(value))
        if place is not None and place.value.shape == given.shape and place.key not in chained.values.leaves:
            return off(given, chained.arriving({}, [place])[place.key]) > near(place)
    return False


def _ways(pair: Any) -> Iterator[tuple[Place, set[int]]]:
    for place, several in zip(pair.places, pair.gradients, strict=True):
        yield place, {version.made for version in several}


def _meant(call: Called, chained: Chained) -> Iterator[Tensor]:
    """Yield what a function may be meant to give: slopes at one of its arguments, or the gradient of that."""
    for value in filter(is_array, call.arguments.values()):
        place = chained.values.equal_to(tensor_of(value))
        if place is not None:
            yield chained.arriving({}, [place])[place.key]
            yield from _slopes(place, chained)


def _slopes(place: Place, chained: Chained) -> Iterator[Tensor]:
    """Yield the derivatives of the values of a shape that were computed from one, entry by entry."""
    others = [p for p in chained.values.all_places if p.value.shape == place.value.shape and p.key != place.key]
    seen: set[Key] = set()
    for other in others:
        if other.key not in seen and len(seen) < FARTHEST:
            seen.add(other.key)
            (slope,) = torch.autograd.grad(
                [other.edge], [place.edge], [torch.ones_like(place.value)], retain_graph=True, allow_unused=True
            )
            if slope is not None:
                yield slope


def behind_return(call: Called, chained: Chained) -> tuple[Version, ...]:
    """Return what a function returned, and what it computed that from, without values of the forward pass."""
    world = World(copied)
    arguments = {name: world.of(value, name) for name, value in call.arguments.items()}
    with as_it_was(), torch.no_grad():
        made = run(world.of(call.function, ""), (), arguments)
    returned = next((version for version in made.versions if version.place == RETURNED), None)
    if returned is None:  # it raises now, as code may that draws random numbers
        return ()

    def is_known(version: Version) -> bool:
        return not is_array(version.value) or chained.values.equal_to(tensor_of(version.value)) is not None

    behind = Flow(made).behind(returned, is_known)
    found = [one for one in behind.values() if not one.given] or [returned]
    return tuple(sorted(found, key=lambda one: one.order))
