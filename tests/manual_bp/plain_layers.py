"""Layers and a loss as somebody writes them who knows nothing of ours, and networks of them."""

from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from manual_bp import (
    Linear,
    Loss,
    Network,
    Sigmoid,
    SquaredError,
)
from torch_ref import loss_of, module_of


class PlainLinear:
    """E1, E12 and E14 as a student writes them: no ``out``, no ``gradients``, no dataclass."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight, bias

    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight.t()), x

    def backward(self, error, saved):
        return error @ self.weight, {"weight": -(error.t() @ saved), "bias": -error.sum(0)}


class WithSlots(PlainLinear):
    __slots__ = ("bias", "weight")


class Keeping(PlainLinear):
    """What a layer should not do: it keeps what it saw, and reads that in backward."""

    def forward(self, x):
        self.x, self.net = x, torch.addmm(self.bias, x, self.weight.t())
        return self.net, None

    def backward(self, error, saved):
        self.d_weight = -(error.t() @ self.x)
        return error @ self.weight, {"weight": self.d_weight, "bias": -error.sum(0)}


class AsTuple(NamedTuple):
    weight: Tensor
    bias: Tensor
    forward = PlainLinear.forward
    backward = PlainLinear.backward


@dataclass
class AsDataclass:
    weight: Tensor
    bias: Tensor
    forward = PlainLinear.forward
    backward = PlainLinear.backward


@dataclass(frozen=True)
class AsFrozenDataclass:
    weight: Tensor
    bias: Tensor
    forward = PlainLinear.forward
    backward = PlainLinear.backward


class PlainSigmoid:
    def forward(self, x):
        y = torch.sigmoid(x)
        return y, y

    def backward(self, error, saved):
        return error * (1 - saved) * saved, {}


class PlainHalfSquare:
    """E6 and E13, summed over the samples."""

    def output(self, x):
        return x

    def forward(self, x, t):
        return ((t - x) ** 2).sum() / 2, t - x

    def backward(self, saved):
        return saved


class PlainScale:
    """y = gain x, with the gain that its heirs make themselves."""

    def forward(self, x):
        return x * self.gain, x

    def backward(self, error, saved):
        return error * self.gain, {"gain": -(error * saved).sum(0)}


KINDS = (PlainLinear, WithSlots, Keeping, AsTuple, AsDataclass, AsFrozenDataclass)


every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def linear(layer) -> nn.Linear:
    """Return what a plain linear layer should equal."""
    module = nn.Linear(layer.weight.shape[1], layer.weight.shape[0])
    module.weight, module.bias = (nn.Parameter(p.clone()) for p in (layer.weight, layer.bias))
    return module


for kind in KINDS:
    module_of.register(kind, linear)
module_of.register(PlainSigmoid, lambda layer: nn.Sigmoid())
loss_of.register(PlainHalfSquare, lambda loss: loss_of(SquaredError("sum")))


def made_of(kind, n_in: int, n_out: int, dtype: torch.dtype = torch.float32):
    return kind(torch.randn(n_out, n_in, dtype=dtype), torch.randn(n_out, dtype=dtype))


def network_of(kind, loss: Loss | None = None, *, lowest: bool = True) -> Network:
    """Return a network with plain layers lowest, between two Linears, or last."""
    first = made_of(kind if lowest else Linear, 5, 4)
    layers = (first, PlainSigmoid(), made_of(kind, 4, 4), Sigmoid(), made_of(Linear if lowest else kind, 4, 3))
    return Network(layers, loss or SquaredError())
