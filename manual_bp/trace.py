"""What one pass through a network computed, by the lecture's index: values forward, errors back.

    position       0     1      2     3      4     ...      values[i] goes into layer i of the network,
    values         x^0   net^1  x^1   net^2  x^2   ...      values[i + 1] comes out of it
    errors         e^0    δ^1   e^1    δ^2   e^2   ...      errors[i] = −∂L/∂values[i]

Where a layer l has no activation after it, x^l is net^l.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from manual_bp.layer import check_like

if TYPE_CHECKING:
    from manual_bp.network import Network


class Trace:
    """Every net^l and x^l of one forward pass, and its loss once ``Network.loss`` was called.

    Passed back as ``out=`` it is overwritten by the next pass.
    """

    def __init__(self, network: Network) -> None:
        """Begin an empty trace; ``Network.forward`` fills it."""
        self.network = network
        self.input: Tensor | None = None
        self.steps: list[tuple[Tensor, Any] | None] = [None] * len(network.layers)
        self.loss_step: tuple[Tensor, Any] | None = None
        self.measured = False

    def begin(self, x: Tensor) -> Tensor:
        """Take the input of the next pass: of the same shape, dtype and device as the one before."""
        before = self.input
        if before is not None and not (
            isinstance(x, Tensor) and x.shape == before.shape and x.dtype == before.dtype and x.device == before.device
        ):
            check_like("Trace", "x (keep one trace for each batch size)", x, before)
        self.input, self.measured = x, False
        return x

    @property
    def values(self) -> list[Tensor]:
        """Return x^0 and the output of every layer, by position."""
        if self.input is None:
            raise ValueError("Trace expects a forward pass: call Network.forward first")
        return [self.input, *(self.step(i)[0] for i in range(len(self.steps)))]

    def step(self, position: int) -> tuple[Tensor, Any]:
        """Return what the layer at a position gave: its output, and what its backward reads."""
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


class Gradients(Mapping[str, Tensor]):
    """Every δ^l, and the gradient ∂L/∂parameter under each parameter's name ('0.weight', '0.bias', ...).

    Passed back as ``out=`` it is overwritten by the next pass.
    """

    def __init__(self, network: Network) -> None:
        """Begin with no gradients; ``Network.backward`` fills them in."""
        self.network = network
        self.loss_error: Tensor | None = None
        self.steps: list[tuple[Tensor, dict[str, Tensor]] | None] = [None] * len(network.layers)
        self.lowest: dict[str, Tensor] | None = None
        self.by_position: dict[int, dict[str, Tensor]] = {}

    def named(self, position: int, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        """Keep the gradients of the layer at a position under the parameters' full names, and return them."""
        known = self.by_position.get(position)
        if known is None or any(known.get(f"{position}.{name}") is not d for name, d in gradients.items()):
            known = self.by_position[position] = {f"{position}.{name}": d for name, d in gradients.items()}
        return known

    @property
    def errors(self) -> list[Tensor | None]:
        """Return the error of every value, by position; None below δ^1, which no gradient needs."""
        if self.loss_error is None:
            raise ValueError("Gradients expects a whole backward pass: call Network.backward first")
        return [*(None if step is None else step[0] for step in self.steps), self.loss_error]

    def delta(self, l: int) -> Tensor:
        """Return δ^l = −∂L/∂net^l (N, n^l), the sensitivity of layer l = 1 ... L (E13, E14, E17)."""
        delta = self.errors[self.network.index_of_net(l)]
        if delta is None:
            raise ValueError(f"Gradients expects a whole backward pass, which has not reached δ^{l}")
        return delta

    def __getitem__(self, name: str) -> Tensor:
        """Return ∂L/∂parameter, of the parameter's shape."""
        for gradients in self.by_position.values():
            if name in gradients:
                return gradients[name]
        raise KeyError(f"no gradient named {name!r}; there are {', '.join(self)}")

    def __iter__(self) -> Iterator[str]:
        """Iterate over the parameters' names, from the first layer to the last."""
        for position in sorted(self.by_position):
            yield from self.by_position[position]

    def __len__(self) -> int:
        """Count the gradients."""
        return sum(map(len, self.by_position.values()))
