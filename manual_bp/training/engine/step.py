"""One training step by hand, in buffers that are made once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from manual_bp.gradients import Gradients, GradientsOfOneLayer
from manual_bp.network import Network
from manual_bp.trace import Trace
from manual_bp.training.engine.finite import backward_values, forward_values, updated_values
from manual_bp.training.engine.recorder import Recorder, same_calls


class Optimizer(Protocol):
    """What moves the parameters: ``GradientDescent``, or any of ``torch.optim`` (``torch_ref.autograd.optimizer``)."""

    lr: float

    def moves(self, gradients: Mapping[str, Tensor]) -> list[Callable[[], None]]:
        """Return the update by these gradients as calls, which read ``lr`` and the gradients when they are called."""

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Return a copy of what the optimizer remembers, by parameter and quantity."""

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from a ``state_dict``."""


class Engine(Protocol):
    """What trains a network, one batch at a time."""

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        """Update the parameters with the batch x (N, n^0), t (N, n^L); return the loss before the update."""

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by name."""

    def optimizer_state(self) -> dict[str, dict[str, Tensor]]:
        """Return a copy of what the optimizer remembers, by parameter and quantity: the same from every engine."""

    def load(self, parameters: Mapping[str, Tensor], optimizer_state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from the parameters and the optimizer's state of a run."""

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the quantities of the last step that are still there with their names, in the order of computation."""


ONE_AT_A_TIME = 1 << 20  # parameters: 4 MB of gradients in float32

ONE_THREAD = 1 << 24  # samples times parameters


def threads_for(network: Network, rows: int) -> int:
    """Return how many threads make a step on a batch of ``rows`` fastest: all of torch's, or one if it is small.

    A second thread pays for large products only, and on a busy machine small ones wait for it.
    """
    return 1 if rows * network.buffer.numel() < ONE_THREAD else torch.get_num_threads()


@dataclass(eq=False)
class _Steps:
    """The steps of one batch size: what they write into, the tensors of the last batch, and their record."""

    trace: Trace
    gradients: Gradients
    last: tuple[Optimizer, Tensor, Tensor] | None = None
    """Who updated last, t, and a view of t then; x is the trace's."""
    record: Recorder | None = None
    repeatable: bool = True
    repeat: tuple[list[Callable[[], object]], Tensor] | None = None
    """The calls that are the step, and the L that they write, once two records said the same."""

    def are_of(self, descent: Optimizer, x: Tensor, t: Tensor) -> bool:
        """Return whether the last batch came in these very tensors, which have not moved or changed shape since."""
        if self.last is None:
            return False
        last_descent, last_t, t_then = self.last
        return descent is last_descent and t is last_t and t.is_set_to(t_then) and self.trace.is_of(x)

    def forget(self) -> None:
        """Forget the batch and its record."""
        self.last = self.record = self.repeat = None
        self.repeatable = True

    def add(self, record: Recorder, loss: Tensor) -> None:
        """Take a record; after a second one that says the same, the step can be repeated."""
        if record.obstacle is not None or (self.record is not None and not same_calls(self.record, record)):
            self.repeatable, self.record = False, None
        elif self.record is None:
            self.record = record
        else:
            self.repeat = record.calls, loss


class ManualEngine:
    """Forward, loss, backward, update.

    The parameters of a small network are updated in one operation after the backward pass. Those of a large one are
    updated layer by layer as the backward pass yields, while a layer's weights and gradients are in the cache; one
    buffer is then enough for the gradients of all layers.

    Where batches come in the same two tensors, as ``Batches`` writes them, the second and the third step are recorded
    and every later one repeats them (see ``recorder``): the same operations on the same tensors, so the same numbers.
    """

    def __init__(self, network: Network, descent: Optimizer) -> None:
        """Take the network and what updates it; buffers come with the first batch of each size."""
        self.network, self.descent = network, descent
        self._steps: dict[int, _Steps] = {}
        self._newest: _Steps | None = None

    def __reduce__(self) -> tuple[type[ManualEngine], tuple[Network, Optimizer]]:
        """Copy and pickle by network and descent: buffers and records belong to the tensors of this engine."""
        return type(self), (self.network, self.descent)

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        """Train on one batch; return its loss before the update, valid until the next step.

        The values of t are trusted, but for the first batch of each size: give rows that ``one_hot`` made.
        """
        steps = self._newest = self._steps.get(x.shape[0])
        if steps is None or steps.repeat is None or not steps.are_of(self.descent, x, t):
            return self._compute(x, t)
        calls, loss = steps.repeat
        for call in calls:
            call()
        return loss

    def _compute(self, x: Tensor, t: Tensor) -> Tensor:
        """Take a step by the formulas; record it where the batch lies in the tensors of the one before."""
        steps = self._steps.get(x.shape[0])
        if steps is None or steps.trace.network is not self.network:
            kind = GradientsOfOneLayer if self.network.buffer.numel() > ONE_AT_A_TIME else Gradients
            steps = self._newest = self._steps[x.shape[0]] = _Steps(Trace(self.network), kind(self.network))
        if not steps.are_of(self.descent, x, t):
            steps.forget()
            loss = self._run(x, t, steps, operator.call)
            steps.last = self.descent, t, t.detach()
            return loss
        if not steps.repeatable:
            return self._run(x, t, steps, operator.call)
        with Recorder() as record:
            loss = self._run(x, t, steps, record.whole)
        steps.add(record, loss)
        return loss

    def _run(self, x: Tensor, t: Tensor, into: _Steps, perform: Callable[[Callable[[], None]], None]) -> Tensor:
        """Compute one step, every update by way of ``perform``."""
        trace = self.network.forward(x, out=into.trace)
        loss = self.network.loss(trace, t, trusted=True)
        if isinstance(into.gradients, GradientsOfOneLayer):
            yielded: Iterable[Mapping[str, Tensor]] = self.network.backward_by_layer(trace, into.gradients)
        else:
            yielded = [self.network.backward(trace, into.gradients)]
        for gradients in yielded:
            for move in self.descent.moves(gradients):
                perform(move)
        return loss

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
        if self._newest is None:
            return
        trace, gradients = self._newest.trace, self._newest.gradients
        yield from forward_values(self.network, trace.values, trace.loss)
        if gradients.complete:
            yield from backward_values(self.network, gradients)
        yield from updated_values(self.network, self.parameters())
