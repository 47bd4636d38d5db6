"""What layers draw at random, for a whole network: another mask for each training step, and none in tests.

A layer that draws has two more methods than others: ``draw`` and ``in_tests`` (see ``dropout``). In a training
loop of your own, call ``draw_masks`` before each forward pass:

    draw_masks(network, seed, step)
    trace = network.forward(x)
"""

from __future__ import annotations

from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.random import SeedSequence  # here, not at first use: its import swallows a Ctrl-C

from manual_bp.layer import Layer
from manual_bp.network import Network


class Drawing(Layer, Protocol):
    """A layer that draws at random."""

    def draw(self, seed: int, first: int = 0) -> None:
        """Let what is drawn be that of a seed from now on, for rows of which the first has a number in the batch."""

    def in_tests(self) -> Layer:
        """Return the layer that stands here when the network is tested."""


def draw_masks(network: Network, seed: int, step: int, first: int = 0) -> None:
    """Let every layer that draws have the mask of a training step: the same for the same numbers, in any run.

    The masks of two layers or steps have nothing to do with each other. Where several processes share a batch,
    ``first`` is the number of this one's first row: together they draw what one process alone would.
    """
    for position, layer in enumerate(network.layers):
        if _draws(layer):
            (number,) = SeedSequence((seed, step, position)).generate_state(1, np.uint64)
            layer.draw(int(number) >> 1, first)


def in_tests(network: Network) -> Network:
    """Return the network for tests, with copies of the parameters; a network that draws nothing is returned itself."""
    if not any(map(_draws, network.layers)):
        return network
    layers = (layer.in_tests() if _draws(layer) else layer for layer in network.layers)
    return Network(tuple(layers), network.loss_function)


def _draws(layer: Any) -> TypeGuard[Drawing]:
    return hasattr(layer, "draw") and hasattr(layer, "in_tests")
