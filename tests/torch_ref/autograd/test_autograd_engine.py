"""The engine by autograd: its four parts, in their order."""

import pytest
import torch
from cases import assert_identical

from manual_bp import GradientDescent, mlp
from torch_ref.autograd.engine import AutogradEngine


def engine() -> AutogradEngine:
    network = mlp([6, 4, 3], generator=torch.Generator().manual_seed(1))
    return AutogradEngine(network, GradientDescent(network, lr=0.1, momentum=0.9))


def test_the_four_parts_are_the_step() -> None:
    one, other = engine(), engine()
    x, t = torch.randn(5, 6), torch.rand(5, 3)
    for _ in range(3):
        loss = one.step(x, t)
        other.forward(x)
        assert_identical(other.loss(t), loss)
        for gradients in other.backward():
            other.update(gradients)
    for name, parameter in one.parameters().items():
        assert_identical(other.parameters()[name], parameter, name)


def test_parts_in_another_order_are_refused() -> None:
    made = engine()
    with pytest.raises(ValueError, match=r"expects forward\(x\) before loss\(t\)"):
        made.loss(torch.rand(5, 3))
    made.forward(torch.randn(5, 6))
    with pytest.raises(ValueError, match=r"expects forward\(x\) and loss\(t\) of a batch before backward"):
        next(iter(made.backward()))
