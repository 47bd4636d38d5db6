"""How long a check takes: a whole backward line by line, a loss of numpy, one function, and a network of our own.

Those of a function and of a network stand there without the statement of their power, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear

from benchmarks.part import Part
from manual_bp import mlp
from torch_ref import Report, check_function, check_gradients, check_lines, crosscheck

Array = Any


def forward(x: Tensor, t: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    """Return the loss of two layers; the intermediate values are variables."""
    z = x @ w1 + b1
    h = torch.tanh(z)
    y = h @ w2 + b2
    return ((y - t) ** 2).sum() / len(x)


def backward(x: Tensor, t: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, h: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Return its gradients by hand."""
    dy = 2 * (y - t) / len(x)
    dh = dy @ w2.T
    dz = dh * (1 - h * h)
    return {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ dy, "b2": dy.sum(0)}


class OfNumpy:
    """The same network in numpy, with its parameters in a dict."""

    def __init__(self, units: int, hidden: int, classes: int) -> None:
        """Draw parameters, a batch of 64, and its targets."""
        random = np.random.default_rng(0)
        self.params = {"w1": random.normal(size=(units, hidden)) / units**0.5, "b1": np.zeros(hidden)}
        self.params |= {"w2": random.normal(size=(hidden, classes)) / hidden**0.5, "b2": np.zeros(classes)}
        self.x, self.t = random.normal(size=(64, units)), random.normal(size=(64, classes))

    def values(self) -> tuple[Array, Array]:
        """Return the hidden layer and the output."""
        h = np.tanh(self.x.dot(self.params["w1"]) + self.params["b1"])
        return h, h.dot(self.params["w2"]) + self.params["b2"]

    def loss(self) -> Array:
        """Return the loss."""
        return ((self.values()[1] - self.t) ** 2).sum() / len(self.x)

    def gradients(self) -> dict[str, Array]:
        """Return the gradients by hand."""
        h, y = self.values()
        dy = 2 * (y - self.t) / len(self.x)
        dz = dy.dot(self.params["w2"].T) * (1 - h * h)
        return {"w1": self.x.T.dot(dz), "b1": dz.sum(0), "w2": h.T.dot(dy), "b2": dy.sum(0)}


def measure(*, quick: bool = False) -> Part:
    """Make every check in turn, five times (when quick, twice); the first round, which imports, does not count."""
    rounds = 2 if quick else 5
    tried = _checks()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in tried}
    for _ in range(rounds + 1):
        for name, check in tried.items():
            found[name].append(_timed(check))
    times = {
        name: tuple(median(column) for column in zip(*several[1:], strict=True)) for name, several in found.items()
    }
    part = Part("Checks of somebody's code", ("", "s", "s of CPU"), method=f"Medians of {rounds} rounds in turn.")
    part.rows = [(name, f"{wall:.3f}", f"{cpu:.3f}") for name, (wall, cpu) in times.items()]
    part.figures = {"seconds": {name: wall for name, (wall, _) in times.items()}}
    return part


def _checks() -> dict[str, Callable[[], Report]]:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    batch = [random(64, 784), random(64, 10)]
    network = [random(784, 1250) / 28, torch.zeros(1250), random(1250, 10) / 35, torch.zeros(10)]
    of_numpy = OfNumpy(784, 126, 10)
    gradients = of_numpy.gradients()
    layer = [random(64, 1024), random(1024, 1024) / 32, random(1024)]
    ours = mlp([784, 256, 10]), random(64, 784), random(64, 10)

    def of_a_layer(*, power: bool) -> Report:
        return check_function(linear, lambda d_y, x, w, b: (d_y @ w, d_y.T @ x, d_y.sum(0)), layer, power=power)

    return {
        "check_lines, torch, 10⁶ parameters": lambda: check_lines(forward, backward, batch + network),
        "check_gradients, numpy, 10⁵ parameters": lambda: check_gradients(of_numpy.loss, of_numpy.params, gradients),
        "check_function, a linear layer of 1,024 x 1,024": lambda: of_a_layer(power=True),
        "the same, power=False": lambda: of_a_layer(power=False),
        "crosscheck, 784-256-10, 64 samples": lambda: crosscheck(*ours),
        "the same network, power=False": lambda: crosscheck(*ours, power=False),
    }


def _timed(check: Callable[[], Report]) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    report = check()
    assert report.ok, report.verdict
    return time.perf_counter() - began, time.process_time() - cpu
