"""What trains a network: the four parts of a step, and what moves the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from torch import Tensor


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
    """What trains a network, one batch at a time, in the lecture's four parts.

        engine.forward(x)                      # every net^l and x^l                     E1, E2, E4
        loss = engine.loss(t)                  # L                                       E6 to E8
        for gradients in engine.backward():    # every δ^l, then ∂L/∂W^l and ∂L/∂b^l     E12 to E17
            engine.update(gradients)           # W^l and b^l                             E9

    The gradients of a small network come all at once. Those of a large one come layer by layer, from L to 1: update
    with them before the next ones come, for they may take turns in one place.
    """

    def forward(self, x: Tensor) -> None:
        """Pass a batch x (N, n^0) through the network."""

    def loss(self, t: Tensor) -> Tensor:
        """Return L of the batch against t (N, n^L); read it after the backward pass and before the next batch."""

    def backward(self) -> Iterable[Mapping[str, Tensor]]:
        """Give the gradients of L by the names of their parameters, all of them or some at a time."""

    def update(self, gradients: Mapping[str, Tensor]) -> None:
        """Move the parameters that the gradients name."""

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        """Take the four parts in a row; return L before the update, which is good until the next batch."""
        self.forward(x)
        loss = self.loss(t)
        for gradients in self.backward():
            self.update(gradients)
        return loss

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters by name."""

    def optimizer_state(self) -> dict[str, dict[str, Tensor]]:
        """Return a copy of what the optimizer remembers, by parameter and quantity: the same from every engine."""

    def load(self, parameters: Mapping[str, Tensor], optimizer_state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from the parameters and the optimizer's state of a run."""

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the quantities of the last step that are still there with their names, in the order of computation."""
