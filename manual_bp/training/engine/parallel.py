"""Several processes train one network: each takes its rows of every batch, and the gradients are summed.

The loss of a batch of N rows is a mean, so with N_r rows in process r, whose own mean has the gradient g_r,

    g = Σ_r (N_r / N) g_r

Every process begins with the same parameters and makes the same update, so they stay the same bit for bit. A layer's
sum begins as soon as the backward pass yields its gradients, and travels while the layers below are computed; the
update waits for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch.distributed as dist
from torch import Tensor

from manual_bp.gradients import Gradients
from manual_bp.network import Network
from manual_bp.trace import Trace
from manual_bp.training.engine.finite import backward_values, forward_values, updated_values
from manual_bp.training.engine.processes import Processes, answered
from manual_bp.training.engine.protocol import Engine, Optimizer


@dataclass(eq=False)
class _Room:
    """What the steps on one number of rows write into."""

    trace: Trace
    gradients: Gradients
    pieces: list[Tensor]
    """The gradients of each layer as one piece of their buffer, from layer L to 1."""


@dataclass(eq=False)
class _Batch:
    """The batch under way: this process's rows, those of all processes, and the sums that are on their way."""

    room: _Room
    own: int
    rows: Tensor
    weight: float = 1.0
    sums: list[dist.Work] = field(default_factory=list)

    def wait(self) -> None:
        """Wait for all sums that are on their way."""
        for each in self.sums:
            each.wait()
        self.sums.clear()


class DataParallelEngine(Engine):
    """The four parts of a step on this process's rows, and between backward and update the sum over all processes."""

    def __init__(self, network: Network, optimizer: Optimizer, processes: Processes) -> None:
        """Take the first process's parameters; ``processes`` are met already."""
        self.network, self.optimizer, self.processes = network, optimizer, processes
        self._rooms: dict[int, _Room] = {}
        self._step: _Batch | None = None
        self._is_mean = getattr(network.loss_function, "reduction", "mean") == "mean"
        with answered():
            dist.broadcast(network.buffer, src=0)

    def forward(self, x: Tensor) -> None:
        """Pass this process's rows, perhaps none, through the network, while the rows of all are counted."""
        rows = self.network.buffer.new_tensor(float(len(x)))
        self._step = _Batch(self._room(len(x)), len(x), rows)
        with answered():
            self._step.sums.append(dist.all_reduce(rows, async_op=True))  # travels during the forward pass
            if len(x):
                self.network.forward(x, out=self._step.room.trace)

    def loss(self, t: Tensor) -> Tensor:
        """Return L of the whole batch against this process's t; the sum is there once the backward pass has ended."""
        step = self._under_way()
        with answered():
            loss = self.network.buffer.new_zeros(())
            if step.own:
                loss.copy_(self.network.loss(step.room.trace, t, trusted=True))
            step.wait()
            step.weight = step.own / step.rows.item() if self._is_mean else 1.0
            step.sums.append(dist.all_reduce(loss.mul_(step.weight), async_op=True))
        return loss

    def backward(self) -> Iterator[Mapping[str, Tensor]]:
        """Yield the gradients of the whole batch, once the sums of all layers are there."""
        step = self._under_way()
        with answered():
            for piece in self._top_down(step.room, step.own):
                step.sums.append(dist.all_reduce(piece.mul_(step.weight), async_op=True))
            step.wait()
        gradients = step.room.gradients
        yield gradients if step.own else self.network.layout.views(gradients.buffer)

    def update(self, gradients: Mapping[str, Tensor]) -> None:
        """Move the parameters that the gradients name, as every process does."""
        for move in self.optimizer.moves(gradients):
            move()

    def _under_way(self) -> _Batch:
        if self._step is None:
            raise ValueError("DataParallelEngine expects forward(x), then loss(t), then backward()")
        return self._step

    def _room(self, rows: int) -> _Room:
        if rows not in self._rooms:
            gradients = Gradients(self.network)
            self._rooms[rows] = _Room(Trace(self.network), gradients, _pieces(self.network, gradients.buffer))
        return self._rooms[rows]

    def _top_down(self, room: _Room, rows: int) -> Iterator[Tensor]:
        """Yield the pieces one after the other, as soon as each is computed; zeros where there are no rows."""
        if rows == 0:
            for piece in room.pieces:
                yield piece.zero_()
            return
        computed = self.network.backward_by_layer(room.trace, room.gradients)
        for _, piece in zip(computed, room.pieces, strict=True):
            yield piece

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by name."""
        return self.network.parameters()

    def optimizer_state(self) -> dict[str, dict[str, Tensor]]:
        """Return a copy of what the optimizer remembers, the same in every process."""
        return self.optimizer.state_dict()

    def load(self, parameters: Mapping[str, Tensor], optimizer_state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from the parameters and the optimizer's state of a run, which every process is given."""
        self.optimizer.load_state_dict(optimizer_state)
        self.network.load_state_dict(parameters)

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield x^0, net^1, ..., L of this process's rows, the summed ∂L/∂W^L, ..., the parameters after the update."""
        if self._step is None:
            return
        room = self._step.room
        if room.trace.input is not None:
            yield from forward_values(self.network, room.trace.values, room.trace.loss)
        yield from backward_values(self.network, self.network.layout.views(room.gradients.buffer))
        yield from updated_values(self.network, self.parameters())


def _pieces(network: Network, buffer: Tensor) -> list[Tensor]:
    """Return what belongs to each layer in a buffer of the network's layout, weight and bias in one, from L to 1."""
    pieces = []
    for position in reversed(network.net_positions):
        spans = [span for name, span in network.layout.spans.items() if name.startswith(f"{position}.")]
        (begin, _), (last, shape) = spans[0], spans[-1]
        pieces.append(buffer[begin : last + shape.numel()])
    return pieces
