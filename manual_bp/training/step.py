"""One training step by hand, in buffers that are made once, and the accuracy of a network."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from manual_bp.descent import GradientDescent
from manual_bp.network import Network
from manual_bp.trace import Gradients, Trace
from manual_bp.training.recorder import Recorder


class Engine(Protocol):
    """What trains a network, one batch at a time."""

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        """Update the parameters with the batch x (N, n^0), t (N, n^L); return the loss before the update."""

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by name."""


ONE_AT_A_TIME = 1 << 20  # parameters: 4 MB of gradients in float32

ONE_THREAD = 1 << 24
"""Samples times parameters below which a step is faster on one thread: a second one pays for large products only."""


@dataclass(eq=False)
class _Buffers:
    """What the passes of one batch size write into, the tensors of the last batch, and why it cannot be repeated."""

    trace: Trace
    gradients: Gradients
    x: Tensor | None = None
    t: Tensor | None = None
    identity: tuple[int, ...] = ()
    obstacle: str | None = None


def _identity(x: Tensor, t: Tensor) -> tuple[int, ...]:
    """Return what tells these tensors in this memory from all others, as long as somebody holds them."""
    return id(x), x.data_ptr(), id(t), t.data_ptr()


class ManualEngine:
    """Forward, loss, backward, update.

    The parameters of a small network are updated in one operation after the backward pass. Those of a large one are
    updated layer by layer as the backward pass yields, while a layer's weights and gradients are in the cache; one
    buffer is then enough for the gradients of all layers.

    Where batches come in the same two tensors, as ``Batches`` writes them, the second step is recorded and every later
    one repeats it (see ``recorder``): the same operations on the same tensors, so the same numbers.
    """

    def __init__(self, network: Network, descent: GradientDescent) -> None:
        """Take the network and what updates it; buffers come with the first batch of each size."""
        self.network, self.descent = network, descent
        self._buffers: dict[int, _Buffers] = {}
        self._recorded: dict[tuple[int, ...], tuple[list[Callable[[], object]], Tensor]] = {}

    def __reduce__(self) -> tuple[type[ManualEngine], tuple[Network, GradientDescent]]:
        """Copy and pickle by network and descent: buffers and records belong to the tensors of this engine."""
        return type(self), (self.network, self.descent)

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        """Train on one batch; return its loss before the update, valid until the next step.

        The values of t are trusted, but for the first batch of each size: give rows that ``one_hot`` made.
        """
        recorded = self._recorded.get(_identity(x, t))
        if recorded is None:
            return self._compute(x, t)
        calls, loss = recorded
        for call in calls:
            call()
        return loss

    def _compute(self, x: Tensor, t: Tensor) -> Tensor:
        """Take a step by the formulas, and record it where the batch lies in the tensors of the one before."""
        buffers = self._buffers_for(x)
        identity = _identity(x, t)
        again = identity == buffers.identity
        if not again:
            self._recorded.pop(buffers.identity, None)
            buffers.x, buffers.t, buffers.identity = x, t, identity
        if not again or buffers.obstacle is not None:
            return self._run(x, t, buffers, operator.call)
        with Recorder() as recorder:
            loss = self._run(x, t, buffers, recorder.whole)
        buffers.obstacle = recorder.obstacle
        if recorder.obstacle is None:
            self._recorded[identity] = recorder.calls, loss
        return loss

    def _run(self, x: Tensor, t: Tensor, into: _Buffers, perform: Callable[[Callable[[], None]], None]) -> Tensor:
        """Compute one step, every update by way of ``perform``."""
        trace = self.network.forward(x, out=into.trace)
        loss = self.network.loss(trace, t, trusted=True)
        if into.gradients.one_at_a_time:
            yielded: Iterable[Mapping[str, Tensor]] = self.network.backward_by_layer(trace, into.gradients)
        else:
            yielded = [self.network.backward(trace, into.gradients)]
        for gradients in yielded:
            for move in self.descent.moves(gradients):
                perform(move)
        return loss

    def _buffers_for(self, x: Tensor) -> _Buffers:
        rows = x.shape[0]
        if rows not in self._buffers:
            gradients = Gradients(self.network, one_at_a_time=self.network.buffer.numel() > ONE_AT_A_TIME)
            self._buffers[rows] = _Buffers(Trace(self.network), gradients)
        return self._buffers[rows]

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
