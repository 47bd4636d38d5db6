"""The structure of a network: its layers and its loss, and the lecture's index and names for what a pass computes.

    position       0     1      2     3      4     ...      values[i] goes into layer i of the network,
    values         x^0   net^1  x^1   net^2  x^2   ...      values[i + 1] comes out of it
    errors         e^0   δ^1    e^1   δ^2    e^2   ...      errors[i] = −∂L/∂values[i]

A layer that has parameters begins the lecture's layer l: its output is net^l, and what reaches the next such layer (or
the loss) is x^l. Where a layer l has no activation after it, x^l is net^l. x^0 is the input, whatever stands first.
What lies between two of the lecture's quantities bears the name of the layer that makes it: "ReLU 1" comes out of the
first ReLU of the network. Positions, as in ``nn.Sequential``, count every layer from 0 and name the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from manual_bp.layer import ByName, Layer, parameters
from manual_bp.layout import Layout
from manual_bp.loss import Loss

SYMBOL = {"weight": "W", "bias": "b"}
"""The lecture's letters for parameters. Any other parameter keeps the name that its layer gives it."""


@dataclass(frozen=True, eq=False)
class Structure:
    """Layers in order and the loss at the end: what a pass, its trace and its gradients know of a network."""

    layers: tuple[Layer, ...]
    loss_function: Loss

    @cached_property
    def owned(self) -> tuple[ByName, ...]:
        """Return each layer's parameters by its own names for them; what a layer keeps later on is none."""
        return tuple(map(parameters, self.layers))

    @cached_property
    def net_positions(self) -> tuple[int, ...]:
        """Return the positions of the layers with parameters: entry l - 1 is the layer that makes net^l."""
        return tuple(i for i, mine in enumerate(self.owned) if mine)

    @property
    def depth(self) -> int:
        """Return L, the number of layers with parameters."""
        return len(self.net_positions)

    def index_of_net(self, l: int) -> int:
        """Return where net^l, l = 1 ... L, stands among the values of a trace (and δ^l among the errors)."""
        if not 1 <= l <= self.depth:
            raise IndexError(f"Network expects a layer l from 1 to {self.depth}, got {l}")
        return self.net_positions[l - 1] + 1

    def index_of_x(self, l: int) -> int:
        """Return where x^l, l = 0 ... L, stands among the values of a trace (and e^l among the errors)."""
        if not 0 <= l <= self.depth:
            raise IndexError(f"Network expects a layer l from 0 to {self.depth}, got {l}")
        return [0, *self.net_positions[1:], len(self.layers)][l]

    @cached_property
    def layout(self) -> Layout:
        """Return where each parameter lies in a buffer that holds all of them, or all gradients."""
        return Layout(self._named())

    @cached_property
    def names(self) -> Names:
        """Return the lecture's names for everything that a pass computes."""
        values = ["x^0", *self._names_of_outputs()]
        errors = ["e^0", *(f"error of {name}" for name in values[1:])]
        for l in range(self.depth, 0, -1):  # where x^l is net^l, the name is net^l
            values[self.index_of_x(l)], errors[self.index_of_x(l)] = f"x^{l}", f"e^{l}"
            values[self.index_of_net(l)], errors[self.index_of_net(l)] = f"net^{l}", f"δ^{l}"
        layers = tuple(sum(p <= i for p in self.net_positions) for i in range(len(self.layers)))
        symbols = {}
        for name in self._named():
            position, own = name.split(".", 1)
            symbols[name] = f"{SYMBOL.get(own, own)}^{layers[int(position)]}"
        return Names(tuple(values), tuple(errors), layers, symbols)

    def _named(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": p for i, mine in enumerate(self.owned) for name, p in mine.items()}

    def _names_of_outputs(self) -> list[str]:
        """Return 'Linear 1', 'ReLU 1', 'Linear 2', ...: the type of each layer, and which of this type it is."""
        kinds = [type(layer).__name__ for layer in self.layers]
        return [f"{kind} {kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]


@dataclass(frozen=True)
class Names:
    """The lecture's names for the values and errors of a network, by position, and for its parameters."""

    values: tuple[str, ...]
    """x^0, net^1, x^1, ...: what goes into layer i, and last what goes into the loss."""
    errors: tuple[str, ...]
    """e^0, δ^1, e^1, ...: the errors of these values."""
    layers: tuple[int, ...]
    """The lecture's index of each layer of the network."""
    parameters: dict[str, str]
    """W^1, b^1, ... by the parameter's name in ``nn.Sequential``."""

    @property
    def gradients(self) -> dict[str, str]:
        """Return the names of the gradients, ∂L/∂W^1, ∂L/∂b^1, ..., by the parameter's name in ``nn.Sequential``."""
        return {name: f"∂L/∂{symbol}" for name, symbol in self.parameters.items()}

    def of_layer(self, position: int) -> dict[str, str]:
        """Return the names of one layer's gradients, by the layer's own names for its parameters."""
        prefix = f"{position}."
        mine = {name: shown for name, shown in self.gradients.items() if name.startswith(prefix)}
        return {name.removeprefix(prefix): shown for name, shown in mine.items()}

    def data_flow(self) -> list[str]:
        """Return every name in the order in which a pass computes it."""
        backward = [self.errors[-1]]
        for position in range(len(self.layers) - 1, -1, -1):
            backward += [*self.of_layer(position).values(), self.errors[position]]
        return [*self.values[1:], "y", "L", *backward]
