"""One planted fault, and the layers and losses that carry it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

from manual_bp import Layer, Linear, Loss, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh
from manual_bp.loss import checked_targets

Wrong = Callable[..., Tensor]


@dataclass(frozen=True)
class Fault:
    """One wrong formula: of a type of layer or loss, what it makes (forward, error, output, weight, bias), and how."""

    name: str
    of: type
    makes: str
    cause: str
    """How the checker's likely cause has to begin."""
    wrong: Wrong
    """Linear: (layer, x) forward and (layer, δ, x) backward. An activation: (net) and (e, net, x).
    A loss: (loss, net or y, t) to y, L or the error."""

    def plant(self, network: Network, l: int) -> Network:
        """Return a copy of the network with the fault in its layer l = 1 ... L, or in its loss.

        Raises ValueError where the layer has no formula of that type.
        """
        if issubclass(self.of, (SquaredError, SoftmaxCrossEntropy)):
            return Network(network.layers, self._of_loss(network.loss_function))
        position = network.net_positions[l - 1] + (self.of is not Linear)
        layers = list(network.layers)
        if position >= len(layers) or not isinstance(layers[position], self.of):
            raise ValueError(f"{self.name} expects a {self.of.__name__} in layer {l}, got {network.layers}")
        layers[position] = self._of_layer(layers[position])
        return Network(tuple(layers), network.loss_function)

    def quantity(self, network: Network, l: int) -> str:
        """Return the name of the one quantity that the checker has to find guilty."""
        linear = self.of is Linear
        last = "δ" if len(network.layers) == network.net_positions[-1] + 1 else "e"
        if issubclass(self.of, (SquaredError, SoftmaxCrossEntropy)):
            return {"output": "y", "forward": "L", "error": f"{last}^{network.depth}"}[self.makes]
        symbols = {"weight": f"∂L/∂W^{l}", "bias": f"∂L/∂b^{l}", "forward": f"{'net' if linear else 'x'}^{l}"}
        return symbols.get(self.makes, f"e^{l - 1}" if linear else f"δ^{l}")

    def _of_layer(self, layer: Any) -> Layer:
        if self.of is Linear:
            return FaultyLinear(layer.weight, layer.bias, fault=self)
        kinds: dict[type, Callable[..., Layer]] = {Sigmoid: FaultySigmoid, Tanh: FaultyTanh, ReLU: FaultyReLU}
        return kinds[self.of](fault=self)

    def _of_loss(self, loss: Loss) -> Loss:
        if not isinstance(loss, SquaredError | SoftmaxCrossEntropy) or not isinstance(loss, self.of):
            raise ValueError(f"{self.name} expects the loss {self.of.__name__}, got {loss}")
        kinds: dict[type, Callable[..., Loss]] = {
            SquaredError: FaultySquaredError,
            SoftmaxCrossEntropy: FaultyCrossEntropy,
        }
        return kinds[self.of](loss.reduction, fault=self)


# ------------------------------------------------------------------------------------------------- the faulty types


@dataclass(frozen=True, eq=False, repr=False)
class FaultyLinear(Linear):
    """A Linear with one wrong formula."""

    fault: Fault | None = None

    def forward(self, x: Tensor, out: Any = None) -> tuple[Tensor, Tensor]:
        """Return net (E1), unless that is the fault."""
        wrong = _wrong(self, "forward")
        return super().forward(x) if wrong is None else (wrong(self, x), x)

    def backward(self, error: Tensor, saved: Tensor, out: Any = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the error of x (E14), unless that is the fault, then the gradients."""
        wrong = _wrong(self, "error")
        right, _ = super().backward(error, saved)
        error_of_x = right if wrong is None else wrong(self, error, saved)
        return error_of_x, self.gradients(error, saved)

    def gradients(self, error: Tensor, saved: Tensor, out: Any = None) -> dict[str, Tensor]:
        """Return the gradients (E12), unless one of them is the fault."""
        d = super().gradients(error, saved)
        for name in d:
            wrong = _wrong(self, name)
            d[name] = d[name] if wrong is None else wrong(self, error, saved)
        return d


class _FaultyActivation:
    fault: Fault | None

    def forward(self, x: Tensor, out: Any = None) -> tuple[Tensor, Any]:
        """Return x^l (E2), unless that is the fault; saves net beside x^l."""
        wrong = _wrong(self, "forward")
        y = super().forward(x)[0] if wrong is None else wrong(x)  # type: ignore[misc]  # mixed into an activation
        return y, (x, y)

    def backward(self, error: Tensor, saved: Any, out: Any = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Return δ (E15), unless that is the fault."""
        wrong = _wrong(self, "error")
        net, y = saved
        if wrong is not None:
            return wrong(error, net, y), {}
        right: tuple[Tensor, dict[str, Tensor]] = super().backward(error, y)  # type: ignore[misc]
        return right


@dataclass(frozen=True)
class FaultySigmoid(_FaultyActivation, Sigmoid):
    """A Sigmoid with one wrong formula."""

    fault: Fault | None = None


@dataclass(frozen=True)
class FaultyTanh(_FaultyActivation, Tanh):
    """A Tanh with one wrong formula."""

    fault: Fault | None = None


@dataclass(frozen=True)
class FaultyReLU(_FaultyActivation, ReLU):
    """A ReLU with one wrong formula."""

    fault: Fault | None = None


class _FaultyLoss:
    fault: Fault | None

    def output(self, x: Tensor) -> Tensor:
        """Return y, unless that is the fault."""
        wrong = _wrong(self, "output")
        y: Tensor = super().output(x) if wrong is None else wrong(self, x, None)  # type: ignore[misc]
        return y

    def forward(self, x: Tensor, t: Tensor, out: Any = None) -> tuple[Tensor, Any]:
        """Return L, unless that is the fault; saves x and t beside."""
        wrong, t = _wrong(self, "forward"), checked_targets(cast("Loss", self), t, x)
        loss, saved = super().forward(x, t)  # type: ignore[misc]
        return loss if wrong is None else wrong(self, x, t), (saved, x, t)

    def backward(self, saved: Any, out: Any = None) -> Tensor:
        """Return the error of x, unless that is the fault."""
        wrong = _wrong(self, "error")
        inner, x, t = saved
        error: Tensor = super().backward(inner) if wrong is None else wrong(self, x, t)  # type: ignore[misc]
        return error


@dataclass(frozen=True)
class FaultySquaredError(_FaultyLoss, SquaredError):
    """A SquaredError with one wrong formula."""

    fault: Fault | None = None


@dataclass(frozen=True)
class FaultyCrossEntropy(_FaultyLoss, SoftmaxCrossEntropy):
    """A SoftmaxCrossEntropy with one wrong formula."""

    fault: Fault | None = None


def _wrong(owner: Any, makes: str) -> Wrong | None:
    """Return the wrong formula where this is the one."""
    fault: Fault | None = owner.fault
    return fault.wrong if fault is not None and fault.makes == makes else None
