"""The lecture's names for everything that a pass through a network computes."""

from __future__ import annotations

from dataclasses import dataclass

from manual_bp import Layer, Network
from manual_bp.layer import parameters

SYMBOL = {"weight": "W", "bias": "b"}


@dataclass(frozen=True)
class Names:
    """The lecture's names for the values and errors of a network, by position, and for its gradients."""

    values: tuple[str, ...]
    errors: tuple[str, ...]
    layers: tuple[int, ...]
    """The lecture's index of each layer of the network."""
    gradients: dict[str, str]
    """By the parameter's name in ``nn.Sequential``."""

    @classmethod
    def of(cls, network: Network) -> Names:
        """Name everything in a network."""
        size = len(network.layers) + 1
        values, errors = [f"value {i}" for i in range(size)], [f"error of value {i}" for i in range(size)]
        for l in range(network.depth, -1, -1):
            values[network.index_of_x(l)], errors[network.index_of_x(l)] = f"x^{l}", f"e^{l}"
            if l:
                values[network.index_of_net(l)], errors[network.index_of_net(l)] = f"net^{l}", f"δ^{l}"
        layers = [sum(p <= i for p in network.net_positions) for i in range(len(network.layers))]
        gradients = {}
        for name in network.parameters():
            position, short = name.split(".", 1)
            gradients[name] = f"∂L/∂{SYMBOL.get(short, short)}^{layers[int(position)]}"
        return cls(tuple(values), tuple(errors), tuple(layers), gradients)

    @property
    def parameters(self) -> dict[str, str]:
        """Return the lecture's names of the parameters, W^1, b^1, ..., by those in ``nn.Sequential``."""
        return {name: shown.removeprefix("∂L/∂") for name, shown in self.gradients.items()}

    def of_layer(self, position: int, layer: Layer) -> dict[str, str]:
        """Return the names of one layer's gradients, by its own parameter names."""
        return {name: self.gradients[f"{position}.{name}"] for name in parameters(layer)}

    def data_flow(self) -> list[str]:
        """Return every name in the order in which a pass computes it."""
        backward = [self.errors[-1]]
        for position in range(len(self.layers) - 1, -1, -1):
            mine = [shown for name, shown in self.gradients.items() if int(name.split(".")[0]) == position]
            backward += [*mine, self.errors[position]]
        return [*self.values[1:], "y", "L", *backward]
