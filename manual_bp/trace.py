"""What one pass through a network computed, by the lecture's index: values forward, errors back.

    position       0     1      2     3      4     ...      values[i] goes into layer i of the network,
    values         x^0   net^1  x^1   net^2  x^2   ...      values[i + 1] comes out of it
    errors         e^0    δ^1   e^1    δ^2   e^2   ...      errors[i] = −∂L/∂values[i]

Where a layer l has no activation after it, x^l is net^l.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from manual_bp.layer import ByName, check_like, parameters
from manual_bp.layout import Layout

if TYPE_CHECKING:
    from manual_bp.network import Network


class Trace:
    """Every net^l and x^l of one forward pass, and its loss once ``Network.loss`` was called.

    Passed back as ``out=`` it is overwritten by the next pass.
    """

    def __init__(self, network: Network) -> None:
        """Begin an empty trace; ``Network.forward`` fills it."""
        self.network = network
        self.given: Tensor | None = None
        self.input: Tensor | None = None
        self.steps: list[tuple[Tensor, Any] | None] = [None] * len(network.layers)
        self.loss_step: tuple[Tensor, Any] | None = None
        self.measured = False

    def begin(self, x: Tensor) -> Tensor:
        """Take the input of the next pass: of the same shape, dtype and device as the one before."""
        self.measured = False
        if self.input is None or not self.is_of(x):
            if self.input is not None:
                check_like("Trace", "x (keep one trace for each batch size)", x, self.input)
            self.given, self.input = x, x.detach() if isinstance(x, Tensor) else x
        return self.input

    def is_of(self, x: Tensor) -> bool:
        """Return whether x is the very tensor of the last pass, not moved or reshaped since."""
        if self.input is None or x is not self.given:
            return False
        return x.is_meta or x.is_set_to(self.input)  # torch cannot tell on the meta device, which has no memory

    @property
    def values(self) -> list[Tensor]:
        """Return x^0 and the output of every layer, by position."""
        if self.input is None:
            raise ValueError("Trace expects a forward pass: call Network.forward first")
        return [self.input, *(output for output, _ in self.whole())]

    def whole(self) -> list[tuple[Tensor, Any]]:
        """Return, for every layer, its output and what its backward reads."""
        if None in self.steps:
            raise ValueError("Trace expects a whole forward pass: call Network.forward first")
        return cast("list[tuple[Tensor, Any]]", self.steps)

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
        names = ["x^0", *(f"{q}^{l}" for l in range(1, self.network.depth + 1) for q in ("net", "x"))]
        values = [self.x(0), *(v for l in range(1, self.network.depth + 1) for v in (self.net(l), self.x(l)))]
        shown = [f"{name} {tuple(value.shape)}" for name, value in zip(names, values, strict=True)]
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


class Gradients(Mapping[str, Tensor]):
    """Every δ^l, and the gradient ∂L/∂parameter under each parameter's name ('0.weight', '0.bias', ...).

    Passed back as ``out=`` it is overwritten by the next pass. The gradients lie side by side in ``buffer``, as the
    parameters do in ``Network.buffer``. With ``one_at_a_time`` there is room for one layer only: its gradients and
    its δ are good until ``Network.backward_by_layer`` goes on to the layer below.
    """

    def __init__(self, network: Network, *, one_at_a_time: bool = False) -> None:
        """Make room; ``Network.backward`` fills it."""
        self.network, self.one_at_a_time = network, one_at_a_time
        of_layers = {i: parameters(network.layers[i]) for i in network.net_positions}
        if one_at_a_time:
            layouts = {i: Layout(of_layer) for i, of_layer in of_layers.items()}
            self.buffer = max(layouts.values(), key=lambda layout: layout.size).buffer()
            self._views = {i: layout.views(self.buffer) for i, layout in layouts.items()}
        else:
            self.buffer = network.layout.buffer()
            views = network.layout.views(self.buffer)
            self._views = {i: {name: views[f"{i}.{name}"] for name in of_layer} for i, of_layer in of_layers.items()}
        self.by_position = {i: {f"{i}.{name}": v for name, v in views.items()} for i, views in self._views.items()}
        self.loss_error: Tensor | None = None
        self.steps: list[tuple[Tensor | None, ByName]] = [
            (None, dict(self._views.get(i, {}))) for i in range(len(network.layers))
        ]
        self.reached = len(network.layers) + 1

    def begin(self, trace: Trace) -> Tensor | None:
        """Forget the pass before; return the tensor for the error of the loss."""
        output, _ = trace.whole()[-1]
        if self.loss_error is None and self.one_at_a_time:
            self._make_room(trace.values)
        elif self.loss_error is not None and self.loss_error.shape[0] != output.shape[0]:
            expected, got = self.loss_error.shape[0], output.shape[0]
            raise ValueError(f"Gradients expects a batch of {expected} rows as in its last pass, got {got}")
        self.reached = len(self.network.layers)
        return self.loss_error

    def _make_room(self, values: list[Tensor]) -> None:
        """Let the errors of all values take turns in two tensors: one is read while the other is written."""
        above = {i: value for i, value in enumerate(values) if i > self.network.net_positions[0]}
        largest = max(above.values(), key=Tensor.numel)
        turns = [largest.new_empty(largest.numel()) for _ in range(2)]
        errors = {i: turns[i % 2][: value.numel()].view_as(value) for i, value in above.items()}
        self.loss_error = errors.pop(len(self.steps))
        for i, error in errors.items():
            self.steps[i] = error, self.steps[i][1]

    def placed(self, error: Tensor, room: Tensor | None, owner: object, x: Tensor) -> Tensor:
        """Return the error of x, checked where its owner did not write it into its room.

        With ``one_at_a_time`` it is copied there: what came out may lie in the other room, which is written next.
        """
        if error is room:
            return error
        check_like("Network", f"the error of x from {type(owner).__name__}", error, x)
        return room.copy_(error) if self.one_at_a_time and room is not None else error

    def keep(self, position: int, gradients: ByName) -> dict[str, Tensor]:
        """Return a layer's gradients by full name; copy those that the layer did not write where it was told to."""
        views = self._views[position]
        if gradients.keys() != views.keys():
            owner = type(self.network.layers[position]).__name__
            raise ValueError(f"Gradients expects {owner} to give gradients of {list(views)}, got {list(gradients)}")
        for name, view in views.items():
            if gradients[name] is not view:
                owner = type(self.network.layers[position]).__name__
                check_like("Gradients", f"{owner}'s gradient of {name}", gradients[name], view)
                view.copy_(gradients[name])
        self.reached = position
        return self.by_position[position]

    @property
    def complete(self) -> bool:
        """Tell whether the buffer holds every gradient of one pass."""
        return self.reached == self.network.net_positions[0] and not self.one_at_a_time

    @property
    def errors(self) -> list[Tensor | None]:
        """Return the error of every value, by position; None below δ^1, which no gradient needs, and what is gone."""
        errors = [*(error for error, _ in self.steps), self.loss_error]
        last = self.reached + 1 if self.one_at_a_time else len(errors)
        return [error if self.reached <= i <= last else None for i, error in enumerate(errors)]

    def delta(self, l: int) -> Tensor:
        """Return δ^l = −∂L/∂net^l (N, n^l), the sensitivity of layer l = 1 ... L (E13, E14, E17)."""
        delta = self.errors[self.network.index_of_net(l)]
        if delta is None:
            gone = self.one_at_a_time and self.network.index_of_net(l) > self.reached
            hint = "its room was for one layer" if gone else "call Network.backward first"
            raise ValueError(f"Gradients expects a backward pass as far as δ^{l}: {hint}")
        return delta

    def __getitem__(self, name: str) -> Tensor:
        """Return ∂L/∂parameter, of the parameter's shape."""
        for position, gradients in self.by_position.items():
            if name in gradients:
                if position < self.reached or (self.one_at_a_time and position > self.reached):
                    raise ValueError(f"Gradients does not hold {name} of this pass (yet, or any more)")
                return gradients[name]
        raise KeyError(f"no gradient named {name!r}; there are {', '.join(self)}")

    def __repr__(self) -> str:
        """Return what there is: 'Gradients(δ^1 (128, 30), ..., 0.weight (30, 784), ...)'."""
        deltas = {f"δ^{l}": self.errors[self.network.index_of_net(l)] for l in range(1, self.network.depth + 1)}
        named = {
            name: view for i, views in self.by_position.items() if i >= self.reached for name, view in views.items()
        }
        shown = [f"{name} {tuple(value.shape)}" for name, value in (deltas | named).items() if value is not None]
        return f"Gradients({', '.join(shown)})"

    def __iter__(self) -> Iterator[str]:
        """Iterate over the parameters' names, from the first layer to the last."""
        return (name for gradients in self.by_position.values() for name in gradients)

    def __len__(self) -> int:
        """Count the gradients."""
        return sum(map(len, self.by_position.values()))
