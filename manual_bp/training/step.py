"""One training step by hand, in buffers that are made once, and the accuracy of a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor

from manual_bp.descent import GradientDescent
from manual_bp.network import Network
from manual_bp.trace import Gradients, Trace


class Engine(Protocol):
    """What trains a network, one batch at a time."""

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        """Update the parameters with the batch x (N, n^0), t (N, n^L); return the loss before the update."""

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by name."""


ONE_AT_A_TIME = 1 << 20  # parameters: 4 MB of gradients in float32


class ManualEngine:
    """Forward, loss, backward, update.

    The parameters of a small network are updated in one operation after the backward pass. Those of a large one are
    updated layer by layer as the backward pass yields, while a layer's weights and gradients are in the cache; one
    buffer is then enough for the gradients of all layers.
    """

    def __init__(self, network: Network, descent: GradientDescent) -> None:
        """Take the network and what updates it; buffers come with the first batch of each size."""
        self.network, self.descent = network, descent
        self._buffers: dict[int, tuple[Trace, Gradients]] = {}

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        """Train on one batch; return its loss before the update, valid until the next step.

        The values of t are trusted, but for the first batch of each size: give rows that ``one_hot`` made.
        """
        rows = x.shape[0]
        trace, gradients = self._buffers.get(rows, (None, None))
        trace = self.network.forward(x, out=trace)
        loss = self.network.loss(trace, t, trusted=True)
        if gradients is None:
            gradients = Gradients(self.network, one_at_a_time=self.network.buffer.numel() > ONE_AT_A_TIME)
            self._buffers[rows] = trace, gradients
        if gradients.one_at_a_time:
            for of_one_layer in self.network.backward_by_layer(trace, gradients):
                self.descent.update(of_one_layer)
        else:
            self.descent.update(self.network.backward(trace, gradients))
        return loss

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by name."""
        return self.network.parameters()


def accuracy(network: Network, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Return the share of samples whose most confident class is the target's."""
    right = total = 0
    for x, t in batches:
        right += int((network.forward(x).y.argmax(1) == t.argmax(1)).sum())
        total += len(x)
    return right / total
