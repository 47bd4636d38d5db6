"""Layers of somebody else in the engine: repeated only where nothing would be missed."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from cases import Scale
from twins import Twins

from manual_bp import Layer, Linear, Network, Sigmoid, SquaredError


@dataclass(frozen=True, eq=False)
class Noise:
    """A layer that does another thing at every call: numbers from outside torch, in place."""

    def forward(self, x, out=None):
        y, _ = out or (torch.empty_like(x), None)
        return y.copy_(x).add_(random.random()), None

    def backward(self, error, saved, out=None):
        return error, {}


@dataclass(frozen=True, eq=False)
class FromNumpy:
    """A layer with a tensor made where torch does not say so."""

    def forward(self, x, out=None):
        y, _ = out or (torch.empty_like(x), None)
        return y.copy_(x).add_(torch.from_numpy(np.full(4, random.random(), dtype=np.float32))), None

    def backward(self, error, saved, out=None):
        return error, {}


@dataclass(frozen=True, eq=False)
class Threshold:
    """A layer that looks at its values: y = x, or 0 where the mean of the batch is negative."""

    def forward(self, x, out=None):
        return x * float(x.mean() > 0), bool(x.mean() > 0)

    def backward(self, error, saved, out=None):
        return error * float(saved), {}


@dataclass(frozen=True, eq=False)
class Identity:
    """A layer that hands on what it gets, forward and back: no tensor of its own."""

    def forward(self, x, out=None):
        return x, None

    def backward(self, error, saved, out=None):
        return error, {}


@dataclass(frozen=True, eq=False)
class Flat:
    """Another that hands on a view."""

    def forward(self, x, out=None):
        return x.view(x.shape), None

    def backward(self, error, saved, out=None):
        return error.view(error.shape), {}


@pytest.mark.parametrize(
    ("make", "repeatable"),
    [
        (lambda: Scale(torch.rand(4)), False),
        (Threshold, False),
        (Noise, False),
        (FromNumpy, False),
        (Identity, True),
        (Flat, True),
    ],
    ids=["Scale", "Threshold", "Noise", "FromNumpy", "Identity", "Flat"],
)
@pytest.mark.usefixtures("each_size")
def test_layers_of_somebody_else_are_repeated_only_where_nothing_is_missed(
    make: Callable[[], Layer], repeatable: bool
) -> None:
    made = Network(
        (
            Linear(torch.randn(4, 6)),
            make(),
            Linear(torch.randn(4, 4), torch.randn(4)),
            make(),
            Sigmoid(),
            Linear(torch.randn(4, 4)),
            make(),
            Linear(torch.randn(3, 4), torch.randn(3)),
        ),
        SquaredError(),
    )
    twins = Twins(made, lr=0.01)
    x, t = torch.empty(5, 6), torch.empty(5, 3)
    for number in range(6):
        x.normal_()
        t.uniform_()
        twins.assert_same_step(x, t, f"at step {number}")
    assert twins.repeat == repeatable
