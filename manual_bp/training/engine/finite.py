"""Which number was the first that is not finite, when a run has to stop."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from manual_bp.gradients import Gradients
from manual_bp.network import Network


def forward_values(network: Network, values: Sequence[Tensor], loss: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield x^0, net^1, x^1, ..., L with their names; ``values`` are x^0 and the output of every layer."""
    yield from zip(network.names.values, values, strict=True)
    yield "L", loss


def backward_values(network: Network, gradients: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield δ^L, ∂L/∂W^L, ∂L/∂b^L, ..., ∂L/∂b^1 with their names, as far as they are among the gradients."""
    for l in range(network.depth, 0, -1):
        if isinstance(gradients, Gradients):
            yield f"δ^{l}", gradients.delta(l)
        for parameter, gradient in _of_layer(network, l, gradients):
            yield f"∂L/∂{parameter}", gradient


def updated_values(network: Network, parameters: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters with their names, in the order in which the backward pass reaches them."""
    for l in range(network.depth, 0, -1):
        for parameter, value in _of_layer(network, l, parameters):
            yield f"{parameter} after its update", value


def _of_layer(network: Network, l: int, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield what belongs to layer l as W^l, b^l, or by the layer's own name for it."""
    prefix = f"{network.net_positions[l - 1]}."
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            yield network.names.parameters[name], tensor


def first_not_finite(values: Iterable[tuple[str, Tensor]]) -> str | None:
    """Return the name of the first value that holds NaN or infinity, and which of the two."""
    for name, value in values:
        if not torch.isfinite(value).all():
            return f"{name} is {'NaN' if torch.isnan(value).any() else 'infinite'}"
    return None


def seems_finite(loss: float, parameters: Iterable[Tensor]) -> bool:
    """Return False if the loss or any parameter is not finite, at the cost of one sum over the parameters.

    A sum that overflows is False too: ``first_not_finite`` is the one to ask then.
    """
    return math.isfinite(loss) and all(math.isfinite(p.sum().item()) for p in parameters)
