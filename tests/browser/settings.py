"""Networks as the page holds them, drawn at random, and the same networks in manual_bp."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from manual_bp import Linear, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh

Plain = dict[str, Any]
ACTIVATIONS = {"sigmoid": Sigmoid(), "tanh": Tanh(), "relu": ReLU()}
LOSSES = {"squared-error": SquaredError(), "cross-entropy": SoftmaxCrossEntropy()}


def drawn(seed: int, **fixed: Any) -> Plain:
    """Draw a network with its sample; ``fixed`` settings are kept. The same seed draws the same one."""
    dice = random.Random(seed)
    sizes = fixed.get("sizes") or [dice.randint(1, 4) for _ in range(dice.randint(2, 4))]
    pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
    activation, loss = dice.choice(list(ACTIVATIONS)), dice.choice(list(LOSSES))
    normal = [[[dice.gauss(0, 1) for _ in range(columns)] for _ in range(rows)] for rows, columns in pairs]
    biases = [[dice.gauss(0, 1) for _ in range(rows)] for rows, _ in pairs] if dice.random() < 0.5 else None
    x = [dice.gauss(0, 1) for _ in range(sizes[0])] if dice.random() < 0.9 else [0.0] * sizes[0]  # ReLU's kink
    network = {"sizes": sizes, "activation": activation, "loss": loss, "weights": normal, "biases": biases, "x": x}
    network |= {"t": [0.0] * sizes[-1], "lr": 10 ** dice.uniform(-2, 0)} | fixed
    return network | {"t": _target(dice, network["loss"], sizes[-1])}


def _target(dice: random.Random, loss: str, units: int) -> list[float]:
    """Draw t; for cross-entropy its entries sum to 1, half the time as a single 1."""
    if loss == "squared-error":
        return [dice.gauss(0, 1) for _ in range(units)]
    chosen = dice.randrange(units)
    if dice.random() < 0.5:
        return [float(k == chosen) for k in range(units)]
    shares = [dice.random() for _ in range(units)]
    return [share / sum(shares) for share in shares]


def in_manual_bp(plain: Plain) -> Network:
    """Return the same network in manual_bp, in float64."""
    layers: list[Any] = []
    for l, weight in enumerate(plain["weights"]):
        bias = None if plain["biases"] is None else _float64(plain["biases"][l])
        layers += [Linear(_float64(weight), bias), ACTIVATIONS[plain["activation"]]]
    bare = plain["loss"] == "cross-entropy"  # the softmax takes the last net itself
    return Network(tuple(layers[:-1] if bare else layers), LOSSES[plain["loss"]])


def sample(plain: Plain) -> tuple[Tensor, Tensor, float]:
    """Return x (1, n^0), t (1, n^L) and the learning rate."""
    return _float64([plain["x"]]), _float64([plain["t"]]), plain["lr"]


def walked(plain: Plain) -> list[str]:
    """Return the names of all numbers in the order of the walk, written down a second time."""
    sizes, softmax = plain["sizes"], plain["loss"] == "cross-entropy"
    last = len(sizes) - 1
    order = []
    for l in range(1, last + 1):
        nets = [f"net^{l}_{i}" for i in _units(sizes[l])]
        outputs = [f"y_{i}" if l == last else f"x^{l}_{i}" for i in _units(sizes[l])]
        unit_by_unit = [name for pair in zip(nets, outputs, strict=True) for name in pair]
        order += nets + outputs if softmax and l == last else unit_by_unit
    order.append("L")
    for l in range(last, 0, -1):
        for i in _units(sizes[l]):
            order += [f"δ^{l}_{i}"] if softmax and l == last else [f"e^{l}_{i}", f"δ^{l}_{i}"]
    for form in "∂L/∂{}", "{} after":
        for l in range(1, last + 1):
            order += [form.format(f"W^{l}_{i}{j}") for i in _units(sizes[l]) for j in _units(sizes[l - 1])]
            order += [form.format(f"b^{l}_{i}") for i in _units(sizes[l])] if plain["biases"] is not None else []
    return order


def _units(n: int) -> range:
    return range(1, n + 1)


def _float64(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
