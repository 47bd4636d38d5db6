"""Of a layer, alone and in a network, the change of a method that makes its gradients right."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import manual_bp
import torch_ref

Saved = tuple[Tensor, Tensor]


class Gate:
    """y = σ(x Wᵀ) tanh(b) + the mean of x."""

    def __init__(self, w: Tensor, b: Tensor) -> None:
        self.w, self.b = w, b

    def forward(self, x: Tensor) -> tuple[Tensor, Saved]:
        s = torch.sigmoid(x @ self.w.T)
        return s * torch.tanh(self.b) + x.mean(1, keepdim=True), (x, s)

    def backward(self, error: Tensor, saved: Saved) -> tuple[Tensor, dict[str, Tensor]]:
        x, s = saved
        d_a = -error * torch.tanh(self.b) * s * (1 - s)
        d_x = d_a @ self.w - error.sum(1, keepdim=True) / x.shape[1]
        return -d_x, {"w": d_a.T @ x, "b": (-error * s).sum(0) * (1 - torch.tanh(self.b) ** 2)}


class OfAnotherShape(Gate):
    def backward(self, error: Tensor, saved: Saved) -> tuple[Tensor, dict[str, Tensor]]:
        x, s = saved
        d_a = -error * torch.tanh(self.b) * s * (1 - s)
        d_x = d_a @ self.w - error.sum(1, keepdim=True) / s.shape[1]
        return -d_x, {"w": d_a.T @ x, "b": (-error * s).sum(0) * (1 - torch.tanh(self.b) ** 2)}


@dataclass(frozen=True)
class Frozen:
    w: Tensor

    def forward(self, x: Tensor) -> tuple[Tensor, Saved]:
        s = x.norm(dim=1, keepdim=True)
        return x / s * self.w, (x, s)

    def backward(self, error: Tensor, saved: Saved) -> tuple[Tensor, dict[str, Tensor]]:
        x, s = saved
        y, e = x / s, error * self.w
        return (e - x * (e * y).sum(1, keepdim=True)) / s, {"w": -(error * y).sum(0)}


def reference(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return torch.sigmoid(x @ w.T) * torch.tanh(b) + x.mean(1, keepdim=True)


@pytest.fixture
def numbers() -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(*shape, generator=generator) for shape in ((4, 5), (3, 5), (3,), (5,))]


def test_a_method_is_changed(numbers: list[Tensor]) -> None:
    x, w, b, _ = numbers
    assert torch_ref.check_layer(Gate(w, b), x, reference).ok
    layer = OfAnotherShape(w, b)
    (row,) = torch_ref.check_layer(layer, x, reference).guilty
    assert row.why is not None
    assert (row.quantity, row.why.numbers["old"], row.why.numbers["new"]) == ("error of x", "s.shape", "x.shape")
    assert (vars(layer), type(layer)) == ({"w": w, "b": b}, OfAnotherShape)


def test_a_method_of_a_frozen_layer_is_changed(numbers: list[Tensor]) -> None:
    x, _, _, w = numbers
    (row,) = torch_ref.check_layer(Frozen(w), x, lambda x, w: x / x.norm(dim=1, keepdim=True) * w).guilty
    assert row.cause.startswith("it is right with `y * (e * y).sum(1, keepdim=True)` in place of")


def test_a_layer_of_a_network_is_changed(numbers: list[Tensor]) -> None:
    class Module(nn.Module):
        def __init__(self, w: Tensor, b: Tensor) -> None:
            super().__init__()
            self.w, self.b = nn.Parameter(w.clone()), nn.Parameter(b.clone())

        def forward(self, x: Tensor) -> Tensor:
            return reference(x, self.w, self.b)

    x, w, b, _ = numbers
    linear = manual_bp.Linear(torch.randn(2, 3), torch.randn(2))
    network = manual_bp.Network([OfAnotherShape(w, b), linear], manual_bp.SquaredError())
    last = nn.Linear(3, 2)
    with torch.no_grad():
        last.weight.copy_(linear.weight)
        last.bias.copy_(linear.bias)
    report: Any = torch_ref.check_module(network, nn.Sequential(Module(w, b), last), x, torch.randn(4, 2))
    (row,) = report.guilty
    assert "it is right with `x.shape` in place of `s.shape` in line" in row.cause
