"""What one forward pass through a network computed, by the lecture's index and by position (see ``structure``)."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor

from manual_bp.layer import check_like
from manual_bp.structure import Structure
from manual_bp.transforms import check_no_autocast, check_untransformed


class Trace:
    """Every net^l and x^l of one forward pass, and its loss once ``Network.loss`` was called.

    Passed back as ``out=`` it is overwritten by the next pass.

    network     the network, as its structure: layers, loss and the lecture's index
    net(l)      net^l, the total input of layer l = 1 ... L
    x(l)        x^l, the output of layer l = 0 ... L: x^0 is the input, x^L is y
    y           the network's answer
    loss        L
    values      x^0 and the output of every layer, by position

    Each raises ValueError before the call that computes it.
    """

    def __init__(self, network: Structure) -> None:
        """Begin an empty trace; ``Network.forward`` fills it."""
        self.network = network
        self.input: Tensor | None = None
        """x^0, without the history that autograd may have noted."""
        self.given: Tensor | None = None
        """x^0 as it was given."""
        self.steps: list[tuple[Tensor, Any] | None] = [None] * len(network.layers)
        """For every layer its output, and what its backward reads."""
        self.loss_step: tuple[Tensor, Any] | None = None
        """L, and what the loss's backward reads."""
        self.measured = False
        """Whether they are of this pass."""

    def begin(self, x: Tensor) -> Tensor:
        """Take the input of the next pass: of the same shape, dtype and device as the one before."""
        self.measured = False
        if not self.is_of(x):
            if self.input is not None:
                check_like("Trace", "x (keep one trace for each batch size)", x, self.input)
            if isinstance(x, Tensor):
                check_untransformed("Network.forward", "x", x)
                check_no_autocast("Network.forward", x)
            self.given, self.input = x, x.detach() if isinstance(x, Tensor) else x
        return cast("Tensor", self.input)

    def is_of(self, x: Tensor) -> bool:
        """Return whether x is the very tensor of the last pass, not moved or reshaped since."""
        if self.input is None or x is not self.given:
            return False
        return x.is_meta or x.is_set_to(self.input)  # torch cannot tell on the meta device, which has no memory

    @property
    def values(self) -> list[Tensor]:
        """Return x^0 and the output of every layer, by position. Raises ValueError before a whole forward pass."""
        if self.input is None or None in self.steps:
            raise ValueError("Trace expects a whole forward pass: call Network.forward first")
        return [self.input, *(output for output, _ in cast("list[tuple[Tensor, Any]]", self.steps))]

    def value(self, position: int) -> Tensor:
        """Return what goes into the layer at a position; after the last one, what goes into the loss."""
        if position == 0 and self.input is not None:
            return self.input
        return self._step(position - 1)[0]

    def saved(self, position: int) -> Any:
        """Return what the backward of the layer at a position reads."""
        return self._step(position)[1]

    def _step(self, position: int) -> tuple[Tensor, Any]:
        step = self.steps[position]
        if step is None:
            raise ValueError("Trace expects a whole forward pass: call Network.forward first")
        return step

    @property
    def loss(self) -> Tensor:
        """Return L of this pass, a tensor without dimensions."""
        return self.measured_step()[0]

    @property
    def y(self) -> Tensor:
        """Return the network's answer y = x^L (N, n^L): for a softmax output the confidences (E5)."""
        return self.network.loss_function.output(self.values[-1])

    def __repr__(self) -> str:
        """Return what there is: 'Trace(x^0 (128, 784), net^1 (128, 30), ...)'."""
        if self.input is None:
            return "Trace()"
        named = zip(self.network.names.values, self.values, strict=True)
        shown = [f"{name} {tuple(value.shape)}" for name, value in named]
        return f"Trace({', '.join(shown)}{f', L {self.loss.item():.6g}' if self.measured else ''})"

    def net(self, l: int) -> Tensor:
        """Return net^l (N, n^l), the total input of layer l = 1 ... L (E1)."""
        return self.values[self.network.index_of_net(l)]

    def x(self, l: int) -> Tensor:
        """Return the output x^l (N, n^l) of layer l = 0 ... L (E2): x^0 is the input, x^L is y."""
        return self.y if l == self.network.depth else self.values[self.network.index_of_x(l)]

    def measured_step(self) -> tuple[Tensor, Any]:
        """Return L and what its backward reads; raise where the loss of this very pass is missing."""
        if not self.measured or self.loss_step is None:
            raise ValueError("Trace expects its loss first: call Network.loss(trace, t) before Network.backward(trace)")
        return self.loss_step
