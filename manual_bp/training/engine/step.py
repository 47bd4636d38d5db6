"""One training step by hand, in buffers that are made once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count

import torch
from torch import Tensor

from manual_bp.gradients import Gradients, GradientsOfOneLayer
from manual_bp.network import Network
from manual_bp.trace import Trace
from manual_bp.training.engine.finite import backward_values, forward_values, updated_values
from manual_bp.training.engine.protocol import Engine, Optimizer
from manual_bp.training.engine.repetition import Repetition

ONE_AT_A_TIME = 1 << 20  # parameters: 4 MB of gradients in float32

ONE_THREAD = 1 << 24  # samples times parameters


def threads_for(network: Network, rows: int) -> int:
    """Return how many threads make a step on a batch of ``rows`` fastest: all of torch's, or one if it is small.

    A second thread pays for large products only, and on a busy machine small ones wait for it. A convolution uses its
    weights once for each of its windows: its products are large.
    """
    is_small = rows * network.buffer.numel() < ONE_THREAD and all(p.ndim < 4 for p in network.parameters().values())
    return 1 if is_small else torch.get_num_threads()


class _Room:
    """The steps on one number of rows: what they write into, the targets of the last one, and what can be repeated."""

    def __init__(self, network: Network, descent: Optimizer) -> None:
        self.trace, self.descent = Trace(network), descent
        self.is_large = network.buffer.numel() > ONE_AT_A_TIME
        self.gradients = GradientsOfOneLayer(network) if self.is_large else Gradients(network)
        self.targets: tuple[Tensor, Tensor] | None = None  # t, and a view of it then; x is the trace's
        self.parts = Repetition()

    def meet(self, t: Tensor) -> None:
        """Begin with nothing known where t is not the very tensor of the last step, not moved or reshaped since."""
        if self.targets is None or t is not self.targets[0] or not t.is_set_to(self.targets[1]):
            self.targets = None
            self.parts.forget()
            if self.trace.given is not None:
                self.trace.begin(self.trace.given)  # after a repeated forward pass the loss of this batch is open too


class ManualEngine(Engine):
    """The four parts of a step by the formulas of ``manual_bp``.

    The parameters of a small network are updated in one operation after the backward pass. Those of a large one are
    updated layer by layer as the backward pass yields, while a layer's weights and gradients are in the cache; one
    buffer is then enough for the gradients of all layers.

    Where batches come in the same two tensors, as ``Batches`` writes them, the second and the third step are recorded
    and every later one repeats them (see ``repetition``): the same operations on the same tensors, so the same numbers.
    The values of t are trusted, but for the first batch of each size: give rows that ``one_hot`` made.
    """

    def __init__(self, network: Network, descent: Optimizer) -> None:
        """Take the network and what updates it; buffers come with the first batch of each size."""
        self.network, self.descent = network, descent
        self._rooms: dict[int, _Room] = {}
        self._room: _Room | None = None  # of the step under way
        self._is_measured = False
        self._given: Mapping[str, Tensor] | None = None  # what backward gave last,
        self._number = 0  # and how often it gave something before in this step

    def __reduce__(self) -> tuple[type[ManualEngine], tuple[Network, Optimizer]]:
        """Copy and pickle by network and descent: buffers and records belong to the tensors of this engine."""
        return type(self), (self.network, self.descent)

    def forward(self, x: Tensor) -> None:
        """Compute every net^l and x^l of a batch x (N, n^0)."""
        room = self._rooms.get(x.shape[0])
        if room is None or room.trace.network is not self.network:
            room = self._rooms[x.shape[0]] = _Room(self.network, self.descent)
        self._room, self._is_measured = room, False
        room.parts.begin(again=room.descent is self.descent and room.trace.is_of(x))
        room.descent = self.descent
        room.parts.take("forward", self.network.forward, x, room.trace)

    def loss(self, t: Tensor) -> Tensor:
        """Return L of the batch against t (N, n^L), good until the next batch."""
        if (room := self._room) is None:
            raise ValueError("ManualEngine expects forward(x) before loss(t)")
        room.meet(t)
        loss = room.parts.take("loss", self._measure, room.trace, t)
        self._is_measured = True
        if room.targets is None:
            room.targets = t, t.detach()
        return loss

    def _measure(self, trace: Trace, t: Tensor) -> Tensor:
        return self.network.loss(trace, t, trusted=True)

    def backward(self) -> Iterable[Mapping[str, Tensor]]:
        """Give all gradients at once, or those of a large network layer by layer, from L to 1."""
        room = self._room
        if room is None or not self._is_measured:
            raise ValueError("ManualEngine expects forward(x) and loss(t) of a batch before backward()")
        if room.is_large:
            return self._layer_by_layer(room)
        self._given = room.parts.take("backward", self.network.backward, room.trace, room.gradients)
        return (self._given,)

    def _layer_by_layer(self, room: _Room) -> Iterator[Mapping[str, Tensor]]:
        computed = self.network.backward_by_layer(room.trace, room.gradients)  # a repeated step never asks it
        for number in count():
            self._given = room.parts.take(("backward", number), next, computed, None)
            if self._given is None:
                break
            self._number = number
            yield self._given
        room.parts.end()

    def update(self, gradients: Mapping[str, Tensor]) -> None:
        """Move the parameters that the gradients name: those that ``backward`` gave last, or any others."""
        room = self._room
        if room is None or gradients is not self._given or self.descent is not room.descent:
            for move in self.descent.moves(gradients):
                move()
            return
        for move in room.parts.take(("update", self._number), self.descent.moves, gradients):
            move()
        if not room.is_large:
            room.parts.end()

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by name."""
        return self.network.parameters()

    def optimizer_state(self) -> dict[str, dict[str, Tensor]]:
        """Return a copy of what the optimizer remembers."""
        return self.descent.state_dict()

    def load(self, parameters: Mapping[str, Tensor], optimizer_state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from the parameters and the optimizer's state of a run."""
        self.descent.load_state_dict(optimizer_state)
        self.network.load_state_dict(parameters)

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield x^0, net^1, x^1, ..., L, δ^L, ∂L/∂W^L, ..., then the parameters after the update.

        Of a large network, whose gradients take turns in one buffer, the gradients are gone.
        """
        if self._room is None:
            return
        trace, gradients = self._room.trace, self._room.gradients
        yield from forward_values(self.network, trace.values, trace.loss)
        if not self._room.is_large:
            yield from backward_values(self.network, gradients)
        yield from updated_values(self.network, self.parameters())
