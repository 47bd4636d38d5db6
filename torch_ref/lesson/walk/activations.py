"""What the lesson knows of each activation function: how it and its slope are written, and what it can reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from manual_bp import Layer, Network, ReLU, Sigmoid, Tanh
from torch_ref.lesson.walk.expression import ONE, Difference, Expression, Square
from torch_ref.lesson.walk.functions import RELU, SIGMOID, TANH, Function, StepSlope


@dataclass(frozen=True)
class Activation:
    """An activation function of the lesson's networks."""

    layer: Layer
    function: Function
    slope: Callable[[Expression, Expression], tuple[Expression, ...]]
    """The factors of σ′(net), from the unit's output x and its net."""
    targets: tuple[int, int]
    """The lowest and the highest target that it can reach, in hundredths."""


ACTIVATIONS = {
    "sigmoid": Activation(Sigmoid(), SIGMOID, lambda x, net: (x, Difference(ONE, x)), (10, 90)),
    "tanh": Activation(Tanh(), TANH, lambda x, net: (Difference(ONE, Square(x)),), (-90, 90)),
    "relu": Activation(ReLU(), RELU, lambda x, net: (StepSlope(net),), (0, 100)),
}
"""By the name that the commands and the page use."""


def activation_of(network: Network) -> Activation:
    """Return the activation of a network; the sigmoid where it has none, before a softmax alone."""
    kinds = {type(layer) for layer in network.layers}
    return next((known for known in ACTIVATIONS.values() if type(known.layer) in kinds), ACTIVATIONS["sigmoid"])
