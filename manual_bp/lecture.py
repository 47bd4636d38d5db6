"""The lecture's worked examples X1 and X2: the networks, their inputs, and every number that the slides print.

X1 is a 2-2-2-2 network, forward only. X2 is backpropagation on a 2-2-1 network without biases. The slides
calculate X2 by hand and round as they go, each number computed from rounded ones: their ∂L/∂W^1_11 is
0.0027 * 0.35 = 0.000945, where the exact gradient is 0.000929. ``on_paper`` repeats their arithmetic digit for
digit; ``quantities`` reads the exact numbers off a pass of the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import torch
from torch import Tensor

from manual_bp.activation import Sigmoid
from manual_bp.descent import GradientDescent
from manual_bp.linear import Linear
from manual_bp.loss import SquaredError
from manual_bp.network import Network


@dataclass(frozen=True)
class PrintedNumber:
    """One number of the slides: its quantity, the value that is printed, and the exact value, rounded as given."""

    quantity: str
    printed: str
    exact: str


# ------------------------------------------------------------------------------------------------ X1: forward only


def x1_network() -> Network:
    """Return the 2-2-2-2 sigmoid network of X1, in float64."""
    return _network(
        Linear(_matrix([[1, -2], [-1, 1]]), _matrix([1, 0])),
        Linear(_matrix([[2, -1], [-2, -1]]), _matrix([0, 0])),
        Linear(_matrix([[3, -1], [-1, 4]]), _matrix([-2, 2])),
    )


X1_INPUTS = ((1.0, -1.0), (0.0, 0.0))
"""The two inputs; the second one is the zero vector."""

X1_NUMBERS = (
    (
        PrintedNumber("net^1_1", "4", "4.000000000000"),
        PrintedNumber("net^1_2", "-2", "-2.000000000000"),
        PrintedNumber("x^1_1", "0.98", "0.982013790038"),
        PrintedNumber("x^1_2", "0.12", "0.119202922022"),
        PrintedNumber("y_1", "0.62", "0.617704777755"),
        PrintedNumber("y_2", "0.83", "0.829123984157"),
    ),
    (
        PrintedNumber("y_1", "0.51", "0.511847376987"),
        PrintedNumber("y_2", "0.85", "0.854383900988"),
    ),
)
"""For each input of ``X1_INPUTS`` the numbers on the slides."""


# ----------------------------------------------------------------------------------------------- X2: backpropagation


def x2_network() -> Network:
    """Return the 2-2-1 sigmoid network of X2, without biases, in float64."""
    return _network(Linear(_matrix(X2_W1)), Linear(_matrix(X2_W2)))


X2_W1 = [[0.1, 0.8], [0.4, 0.6]]
X2_W2 = [[0.3, 0.9]]
X2_INPUT = (0.35, 0.9)
X2_TARGET = (0.5,)
X2_LEARNING_RATE = 1.0

X2_NUMBERS = (
    PrintedNumber("x^1_1", "0.68", "0.680267"),
    PrintedNumber("x^1_2", "0.6637", "0.663739"),
    PrintedNumber("y_1", "0.69", "0.690283"),
    PrintedNumber("δ^2_1", "-0.0406", "-0.040681"),
    PrintedNumber("δ^1_1", "-0.0027", "-0.002654"),
    PrintedNumber("δ^1_2", "-0.0082", "-0.008172"),
    PrintedNumber("∂L/∂W^1_11", "0.000945", "0.000929"),
    PrintedNumber("∂L/∂W^1_12", "0.00243", "0.002389"),
    PrintedNumber("∂L/∂W^1_21", "0.00287", "0.002860"),
    PrintedNumber("∂L/∂W^1_22", "0.00738", "0.007354"),
    PrintedNumber("∂L/∂W^2_11", "0.0276", "0.027674"),
    PrintedNumber("∂L/∂W^2_12", "0.0269", "0.027002"),
    PrintedNumber("W^1_11 after", "0.0991", "0.099071"),
    PrintedNumber("W^1_12 after", "0.7976", "0.797611"),
    PrintedNumber("W^1_21 after", "0.3971", "0.397140"),
    PrintedNumber("W^1_22 after", "0.5926", "0.592646"),
    PrintedNumber("W^2_11 after", "0.2724", "0.272326"),
    PrintedNumber("W^2_12 after", "0.8731", "0.872998"),
)


@dataclass(frozen=True)
class Calculation:
    """What the slides calculate for one quantity: the (rounded) numbers put in, and the outcome as they round it."""

    text: str
    value: Decimal


def on_paper() -> dict[str, Calculation]:
    """Calculate X2 as the slides do, in decimal arithmetic with their rounding; return it by quantity.

    Each number is rounded to the digits that the slides print and goes rounded into the next one. Half a unit
    rounds away from zero. The products 0.0027 * 0.35 and the like are printed, and kept, in full.
    """
    x1, x2 = map(_decimal, X2_INPUT)
    (t,) = map(_decimal, X2_TARGET)
    w11, w12, w21, w22, v1, v2 = (_decimal(w) for row in X2_W1 + X2_W2 for w in row)  # W^1, then W^2
    lr = _decimal(X2_LEARNING_RATE)
    done: dict[str, Calculation] = {}

    def note(name: str, text: str, value: Decimal, places: int | None) -> Decimal:
        value = value.normalize() if places is None else _round(value, places)
        done[name] = Calculation(text.replace("-", "−"), value)
        return value

    h1 = note("x^1_1", f"σ({w11}·{x1} + {w12}·{x2})", _sigmoid(w11 * x1 + w12 * x2), 2)  # E1, E2
    h2 = note("x^1_2", f"σ({w21}·{x1} + {w22}·{x2})", _sigmoid(w21 * x1 + w22 * x2), 4)
    y = note("y_1", f"σ({v1}·{h1} + {v2}·{h2})", _sigmoid(v1 * h1 + v2 * h2), 2)

    delta = note("δ^2_1", f"({t} - {y})·{y}·(1 - {y})", (t - y) * y * (1 - y), 4)  # E13
    delta1 = note("δ^1_1", f"{h1}·(1 - {h1})·{v1}·({delta})", h1 * (1 - h1) * v1 * delta, 4)  # E14
    delta2 = note("δ^1_2", f"{h2}·(1 - {h2})·{v2}·({delta})", h2 * (1 - h2) * v2 * delta, 4)

    gradients = {  # E12
        "W^1_11": note("∂L/∂W^1_11", f"{-delta1}·{x1}", -delta1 * x1, None),
        "W^1_12": note("∂L/∂W^1_12", f"{-delta1}·{x2}", -delta1 * x2, None),
        "W^1_21": note("∂L/∂W^1_21", f"{-delta2}·{x1}", -delta2 * x1, None),
        "W^1_22": note("∂L/∂W^1_22", f"{-delta2}·{x2}", -delta2 * x2, None),
        "W^2_11": note("∂L/∂W^2_11", f"{-delta}·{h1}", -delta * h1, 4),
        "W^2_12": note("∂L/∂W^2_12", f"{-delta}·{h2}", -delta * h2, 4),
    }
    for (name, gradient), w in zip(gradients.items(), (w11, w12, w21, w22, v1, v2), strict=True):
        note(f"{name} after", f"{w} - {gradient}", w - lr * gradient, 4)  # E9, η = 1
    return done


def quantities(network: Network, x: tuple[float, ...], t: tuple[float, ...], lr: float) -> dict[str, float]:
    """Run one forward pass, backward pass and update of a network; return every number by the slides' name.

    The network's parameters are updated.
    """
    trace = network.forward(_matrix([list(x)]))
    network.loss(trace, _matrix([list(t)]))
    gradients = network.backward(trace)
    numbers: dict[str, float] = {}
    for l, position in enumerate(network.net_positions, start=1):
        numbers |= entries(f"net^{l}", trace.net(l)[0]) | entries(f"x^{l}", trace.x(l)[0])
        numbers |= entries(f"δ^{l}", gradients.delta(l)[0])
        numbers |= entries(f"∂L/∂W^{l}", gradients[f"{position}.weight"])
    numbers |= entries("y", trace.y[0])
    GradientDescent(network, lr=lr).update(gradients)
    for l, position in enumerate(network.net_positions, start=1):
        after = entries(f"W^{l}", network.parameters()[f"{position}.weight"])
        numbers |= {f"{name} after": value for name, value in after.items()}
    return numbers


def entries(name: str, tensor: Tensor) -> dict[str, float]:
    """Name the entries of a vector or matrix as the lecture does, from 1: 'x^1_2', 'W^1_21'."""
    if tensor.ndim == 1:
        return {f"{name}_{i}": value for i, value in enumerate(tensor.tolist(), start=1)}
    rows = enumerate(tensor.tolist(), start=1)
    return {f"{name}_{i}{j}": value for i, row in rows for j, value in enumerate(row, start=1)}


def _network(*linears: Linear) -> Network:
    layers = [layer for linear in linears for layer in (linear, Sigmoid())]
    return Network(tuple(layers), SquaredError(reduction="sum"))


def _matrix(values: Sequence[float] | Sequence[Sequence[float]]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _decimal(value: float) -> Decimal:
    """Return the decimal number that was written, not the binary one nearest to it."""
    return Decimal(repr(value))


def _sigmoid(z: Decimal) -> Decimal:
    return 1 / (1 + (-z).exp())


def _round(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
