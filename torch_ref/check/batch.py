"""A random batch that a network takes, where none is given."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from manual_bp import Conv2d, Network, Unflatten

ROWS = 16

SIDES = (*range(12, 257), *range(11, 0, -1))
"""Of square images, in the order in which they are tried: with 12 there are several windows in most kernels."""


def drawn_input(network: Network, generator: torch.Generator) -> Tensor:
    """Return x, rows or square images, as the network's lowest layers take them.

    Raises ValueError where no square image fits.
    """
    weights = next(p for p in network.parameters().values())
    drawn = torch.randn(ROWS, *_shape(network, weights), dtype=weights.dtype, generator=generator)
    return drawn.to(weights.device)


def drawn_targets(network: Network, x: Tensor, generator: torch.Generator) -> Tensor:
    """Return t of the shape of the network's answer: from 0 to 1, and summing to 1 over the units."""
    output = network.forward(x).values[-1]
    return torch.softmax(torch.randn(output.shape, dtype=x.dtype, generator=generator), 1).to(x.device)


def _shape(network: Network, weights: Tensor) -> tuple[int, ...]:
    """Return the shape of one sample."""
    lowest, *_ = network.layers
    if isinstance(lowest, Unflatten):
        return (prod(lowest.shape),)
    first = network.layers[network.net_positions[0]]
    return _image(network, weights) if isinstance(first, Conv2d) else (weights.shape[-1],)


def _image(network: Network, weights: Tensor) -> tuple[int, ...]:
    for side in SIDES:
        try:
            network.forward(weights.new_zeros(1, weights.shape[1], side, side))
        except (ValueError, RuntimeError):  # a kernel that is too large, a Linear that is too wide or too narrow
            continue
        return weights.shape[1], side, side
    raise ValueError(
        f"check_module expects x for a network that takes no square images of {min(SIDES)} to {max(SIDES)} pixels a "
        "side: check_module(network, module, x, t)"
    )
