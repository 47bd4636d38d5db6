"""How a network calls a layer and a loss: every direction can be given ``out``, whether its owner takes it or not.

What somebody else's method returns is checked at every call; our own layers are trusted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, NamedTuple

from torch import Tensor

from manual_bp.layer import ByName, Layer, described, is_frozen, own_copy, parameters
from manual_bp.loss import Loss


@dataclass(frozen=True)
class Directions:
    """The directions of one layer as a network calls them: each takes ``out``, whether the layer's own does or not."""

    forward: Callable[..., tuple[Tensor, Any]]
    """(x, out=(y, saved)) -> (y, saved)"""
    backward: Callable[..., tuple[Tensor, ByName]]
    """(error, saved, out=(error of x, gradients)) -> (error of x, gradients)"""
    gradients: Callable[..., ByName]
    """(error, saved, out=gradients) -> gradients"""


def directions(layer: Layer) -> Directions:
    """Return how a network calls the layer.

    The methods are the layer's own; those of a layer that can be changed are a copy's, which holds the same
    parameters. What such a layer keeps, against the protocol, stays in the copy.
    """
    own = own_copy(layer)
    forward = _checked(own, own.forward, "forward(x)", "(y, saved)")
    backward = _checked(own, own.backward, "backward(error, saved)", "(error of x, gradients)")
    alone = getattr(own, "gradients", None)
    if callable(alone):
        return Directions(forward, backward, with_out(alone))

    def gradients(error: Tensor, saved: Any, out: ByName | None = None) -> ByName:
        d: ByName
        _, d = backward(error, saved, out=None if out is None else (None, out))  # the error of x is dropped
        return d

    return Directions(forward, backward, gradients)


class LossDirections(NamedTuple):
    """The directions of a loss as a network calls them: each takes ``out``, whether the loss's own does or not."""

    forward: Callable[..., tuple[Tensor, Any]]
    backward: Callable[..., Tensor]
    trusts_t: bool
    """Whether forward leaves the check of t to its caller when it is given ``out``."""


def directions_of_loss(loss: Loss) -> LossDirections:
    """Return how a network calls the loss: by the methods of a copy, which keeps what a loss should not keep."""
    own = copy.copy(loss)
    call, owner = with_out(own.forward), f"{type(loss).__name__}.forward(x, t)"

    def forward(x: Tensor, t: Tensor, out: Any = None) -> tuple[Tensor, Any]:
        returned: tuple[Tensor, Any] = call(x, t, out=out)
        _check_pair(owner, "(L, saved)", returned)
        return returned

    return LossDirections(forward, with_out(own.backward), takes_out(own.forward))


def takes_out(method: Callable[..., Any]) -> bool:
    """Tell whether a method has an argument called ``out``."""
    return "out" in signature(method).parameters


def with_out(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that can be given ``out``: the method itself, or one that leaves ``out`` away for it."""
    if takes_out(method):
        return method

    def without(*given: Any, out: Any = None) -> Any:
        return method(*given)

    return without


def _checked(layer: Layer, method: Callable[..., Any], name: str, pair: str) -> Callable[..., Any]:
    """Return a method that takes ``out``, and checks what it returns unless the layer is frozen and takes it itself."""
    if is_frozen(layer) and takes_out(method):
        return method
    call, held = with_out(method), {} if is_frozen(layer) else parameters(layer)
    owner = f"{type(layer).__name__}.{name}"

    def checked(*given: Any, out: Any = None) -> Any:
        returned = call(*given, out=out)
        _check_pair(owner, pair, returned)
        for parameter, tensor in held.items():
            if getattr(layer, parameter) is not tensor:
                object.__setattr__(layer, parameter, tensor)
                raise ValueError(
                    f"Network expects {owner} to leave its parameter {parameter} alone, got another tensor in its "
                    "place. The optimizer updates parameters; what is no parameter has a name that begins with _"
                )
        return returned

    return checked


def _check_pair(owner: str, pair: str, returned: Any) -> None:
    """Raise TypeError unless a method returned two things."""
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise TypeError(f"Network expects {owner} to return {pair}, got {described(returned)}")
