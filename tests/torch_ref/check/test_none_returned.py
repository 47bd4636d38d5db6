"""None for an input that requires no gradient is not compared, whatever its true gradient is at the numbers given."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from torch_ref import check_autograd_function, check_function

X, W = torch.tensor([[1.0, 0.0], [0.5, 0.0]]), torch.tensor([[-1.0], [5.0]])
"""The gradient of x is 0 here, and not 0 with the rows of w in reverse order."""


def layer(x: Tensor, w: Tensor) -> Tensor:
    return torch.relu(x @ w)


def of_weights(d: Tensor, x: Tensor, w: Tensor) -> tuple[None, Tensor]:
    return None, x.T @ (d * (x @ w > 0))


class OfWeights(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return layer(x, w)

    @staticmethod
    def backward(ctx, d: Tensor) -> tuple[None, Tensor]:
        return of_weights(d, *ctx.saved_tensors)


def test_none_is_not_compared_where_the_gradient_happens_to_be_zero() -> None:
    for report in (check_function(layer, of_weights, [X, W]), check_autograd_function(OfWeights, [X, W], layer)):
        assert report.ok, report.verdict
        assert report.not_compared[0][0] == "gradient of x"
        assert [row.quantity for row in report.rows] == ["output", "gradient of w"]


def test_none_for_an_input_that_requires_a_gradient_is_wrong_all_the_same() -> None:
    report = check_function(layer, of_weights, [X.clone().requires_grad_(), W])
    assert [row.quantity for row in report.guilty] == ["gradient of x"]


def test_none_stands_for_zeros_where_the_output_does_not_depend_on_an_input() -> None:
    report = check_function(lambda x, m: x * (m > 0), lambda d, x, m: (d * (m > 0), None), [X, X])
    assert report.outcome == "right"
    assert [row.quantity for row in report.rows][-1] == "gradient of m"


def test_none_for_everything_is_right_where_everything_is_zero() -> None:
    report = check_function(torch.round, lambda d, x: None, [X + 0.2])
    assert report.ok
    assert [row.quantity for row in report.rows][-1].startswith("gradient of")


def test_none_beside_a_gradient_that_is_zero_is_a_fault_where_it_should_not_be() -> None:
    report = check_function(lambda x, y: x.round() + y, lambda d, x, y: (torch.zeros_like(x), None), [X + 0.2, X])
    assert [row.quantity for row in report.guilty] == ["gradient of y"]
    with pytest.raises(ValueError, match="there is nothing to compare"):
        check_function(lambda y: y * 2, lambda d, y: None, [X])
