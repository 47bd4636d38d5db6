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
from manual_bp.training.recorder import Recorder, same_calls


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
class _Steps:
    """The steps of one batch size: what they write into, the tensors of the last batch, and their record."""

    trace: Trace
    gradients: Gradients
    batch: tuple[GradientDescent, Tensor, Tensor, Tensor, Tensor] | None = None
    """Who updated last; x and t; and views of them, which tell their memory and shape at the time."""
    record: Recorder | None = None
    repeatable: bool = True
    calls: list[Callable[[], object]] | None = None
    """The step, once two records of it said the same; it writes L into ``loss``."""
    loss: Tensor | None = None

    def of(self, descent: GradientDescent, x: Tensor, t: Tensor) -> bool:
        """Return whether the last batch came in these very tensors, which have not moved or changed shape since."""
        if self.batch is None:
            return False
        last_descent, last_x, last_t, x_then, t_then = self.batch
        same = x is last_x and t is last_t and descent is last_descent
        return same and x.is_set_to(x_then) and t.is_set_to(t_then)

    def forget(self) -> None:
        """Forget the batch and its record."""
        self.batch = self.record = self.calls = None
        self.repeatable = True

    def add(self, record: Recorder) -> None:
        """Take a record; after a second one that says the same, the step can be repeated."""
        if record.obstacle is not None or (self.record is not None and not same_calls(self.record, record)):
            self.repeatable, self.record = False, None
        elif self.record is None:
            self.record = record
        else:
            self.calls = record.calls


class ManualEngine:
    """Forward, loss, backward, update.

    The parameters of a small network are updated in one operation after the backward pass. Those of a large one are
    updated layer by layer as the backward pass yields, while a layer's weights and gradients are in the cache; one
    buffer is then enough for the gradients of all layers.

    Where batches come in the same two tensors, as ``Batches`` writes them, the second and the third step are recorded
    and every later one repeats them (see ``recorder``): the same operations on the same tensors, so the same numbers.
    """

    def __init__(self, network: Network, descent: GradientDescent) -> None:
        """Take the network and what updates it; buffers come with the first batch of each size."""
        self.network, self.descent = network, descent
        self._steps: dict[int, _Steps] = {}

    def __reduce__(self) -> tuple[type[ManualEngine], tuple[Network, GradientDescent]]:
        """Copy and pickle by network and descent: buffers and records belong to the tensors of this engine."""
        return type(self), (self.network, self.descent)

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        """Train on one batch; return its loss before the update, valid until the next step.

        The values of t are trusted, but for the first batch of each size: give rows that ``one_hot`` made.
        """
        steps = self._steps.get(x.shape[0])
        if steps is None or steps.calls is None or steps.loss is None or not steps.of(self.descent, x, t):
            return self._compute(x, t)
        for call in steps.calls:
            call()
        return steps.loss

    def _compute(self, x: Tensor, t: Tensor) -> Tensor:
        """Take a step by the formulas; record it where the batch lies in the tensors of the one before."""
        steps = self._steps.get(x.shape[0])
        if steps is None or steps.trace.network is not self.network:
            gradients = Gradients(self.network, one_at_a_time=self.network.buffer.numel() > ONE_AT_A_TIME)
            steps = self._steps[x.shape[0]] = _Steps(Trace(self.network), gradients)
        if not steps.of(self.descent, x, t):
            steps.forget()
            loss = self._run(x, t, steps, operator.call)
            if not x.is_meta:
                steps.batch = self.descent, x, t, x.detach(), t.detach()
            return loss
        if not steps.repeatable:
            return self._run(x, t, steps, operator.call)
        with Recorder() as record:
            steps.loss = self._run(x, t, steps, record.whole)
        steps.add(record)
        return steps.loss

    def _run(self, x: Tensor, t: Tensor, into: _Steps, perform: Callable[[Callable[[], None]], None]) -> Tensor:
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
