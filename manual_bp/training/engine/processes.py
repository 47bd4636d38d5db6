"""Several processes train one network: each takes its rows of every batch, and the gradients are summed.

The loss of a batch of N rows is a mean, so with N_r rows in process r, whose own mean has the gradient g_r,

    g = Σ_r (N_r / N) g_r

Every process begins with the same parameters and makes the same update, so they stay the same bit for bit. A layer's
sum begins as soon as the backward pass yields its gradients, and travels while the layers below are computed; the
update waits for all of them. ``torchrun`` starts the processes and tells each its rank; ``torch.distributed`` sums.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from manual_bp.gradients import Gradients
from manual_bp.network import Network
from manual_bp.trace import Trace
from manual_bp.training.engine.finite import backward_values, forward_values, updated_values
from manual_bp.training.engine.protocol import Engine, Optimizer

Value = TypeVar("Value")

TIMEOUT = 60.0  # seconds without an answer after which the others are taken for lost


@dataclass(frozen=True)
class Processes:
    """The processes that train together, inside ``with``: this one's rank, and how many there are."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"
    timeout: float = TIMEOUT

    @classmethod
    def from_environment(cls, device: str, timeout: float = TIMEOUT) -> Processes:
        """Return what ``torchrun`` says, or one process alone. Each takes a GPU of its own where ``device`` is cuda."""
        if "WORLD_SIZE" not in os.environ:
            return cls(device=device)
        rank, count, local = (_number(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        if not 0 <= rank < count:
            raise ValueError(f"expected a RANK from 0 to below the WORLD_SIZE {count}, got {rank}")
        return cls(rank, count, f"cuda:{local}" if device == "cuda" else device, timeout)

    @property
    def is_main(self) -> bool:
        """Return whether this is the process that logs and saves."""
        return self.rank == 0

    def __enter__(self) -> Self:
        """Meet the others."""
        if self.count > 1:
            backend = "nccl" if self.device.startswith("cuda") else "gloo"
            if backend == "nccl":
                torch.cuda.set_device(self.device)
            timeout = timedelta(seconds=self.timeout)
            with _answered("did not come"):
                dist.init_process_group(
                    backend, store=self._meeting(timeout), rank=self.rank, world_size=self.count, timeout=timeout
                )
        return self

    def _meeting(self, timeout: timedelta) -> Store:
        """Return where the processes leave their addresses for each other.

        torchrun keeps this store when it starts them anew after the death of one: by a name of its own for each start
        they do not find the addresses of those who are gone.
        """
        store, _, _ = next(rendezvous("env://", self.rank, self.count, timeout=timeout))
        return PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Part from the others."""
        if self.count > 1:
            dist.destroy_process_group()

    def any(self, flag: bool) -> bool:
        """Return whether the flag is raised in any process."""
        if self.count == 1:
            return flag
        raised = torch.tensor([float(flag)], device=self.device)
        with _answered():
            dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return bool(raised.item())

    def from_main(self, make: Callable[[], Value]) -> Value:
        """Return in every process what ``make`` returns in the first, or raise there what it raises."""
        if self.count == 1:
            return make()
        answer: list[Any] = [None, None]
        if self.is_main:
            try:
                answer[0] = make()
            except Exception as error:  # every process has to hear of it, or it would wait
                answer[1] = error
        with _answered():
            dist.broadcast_object_list(answer, device=torch.device(self.device))
        if answer[1] is not None:
            raise answer[1]
        value: Value = answer[0]
        return value


def _number(name: str) -> int:
    text = os.environ.get(name, "")
    if not text.isdecimal():
        raise ValueError(f"expected a number in the environment variable {name}, which torchrun sets, got {text!r}")
    return int(text)


@contextmanager
def _answered(failure: str = "does not answer") -> Iterator[None]:
    """Say in one line that a process is gone, where torch.distributed raises."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ConnectionError(f"one of the processes that train together {failure}: {reason}") from error


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
        with _answered():
            dist.broadcast(network.buffer, src=0)

    def forward(self, x: Tensor) -> None:
        """Pass this process's rows, perhaps none, through the network, while the rows of all are counted."""
        rows = self.network.buffer.new_tensor(float(len(x)))
        self._step = _Batch(self._room(len(x)), len(x), rows)
        with _answered():
            self._step.sums.append(dist.all_reduce(rows, async_op=True))  # travels during the forward pass
            if len(x):
                self.network.forward(x, out=self._step.room.trace)

    def loss(self, t: Tensor) -> Tensor:
        """Return L of the whole batch against this process's t; the sum is there once the backward pass has ended."""
        step = self._under_way()
        with _answered():
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
        with _answered():
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
