"""Networks as the page holds them, drawn at random, and the same networks in manual_bp."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from manual_bp import Linear, Network
from torch_ref.lesson.walk.activations import ACTIVATIONS
from torch_ref.lesson.walk.examples import LOSSES
from torch_ref.lesson.walk.steps import walk

Plain = dict[str, Any]


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
        layers += [Linear(_float64(weight), bias), ACTIVATIONS[plain["activation"]].layer]
    bare = plain["loss"] == "cross-entropy"  # the softmax takes the last net itself
    return Network(tuple(layers[:-1] if bare else layers), LOSSES[plain["loss"]])


def sample(plain: Plain) -> tuple[Tensor, Tensor, float]:
    """Return x (1, n^0), t (1, n^L) and the learning rate."""
    return _float64([plain["x"]]), _float64([plain["t"]]), plain["lr"]


def walked(plain: Plain) -> list[str]:
    """Return the names of all numbers in the order in which the terminal walks through them."""
    return [step.name for step in walk(in_manual_bp(plain))]


def _float64(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
