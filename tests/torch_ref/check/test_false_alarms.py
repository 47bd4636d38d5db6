"""What once made the checker cry wolf, or blame the wrong one: each a case of its own."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from manual_bp import Linear, ReLU, SoftmaxCrossEntropy, Tanh, mlp
from torch_ref import check_autograd_function, check_function, check_layer, crosscheck


def function(forward, backward):
    class Made(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return forward(*inputs)

        @staticmethod
        def backward(ctx, *d):
            return backward(*d, *ctx.saved_tensors)

    return Made


X = torch.linspace(-2, 3, 24).view(6, 4)
X_WITH_A_KINK = X.clone().index_fill_(1, torch.tensor([1]), 0.0)


@pytest.mark.parametrize(
    ("forward", "backward", "reference", "x"),
    [
        (lambda x: x.clamp_min(0), lambda d, x: d * (x > 0), torch.relu, X_WITH_A_KINK),
        (
            lambda x: x.float().exp().to(x.dtype),
            lambda d, x: (d.float() * x.float().exp()).to(d.dtype),
            torch.exp,
            X,
        ),
        (torch.log, lambda d, x: d / x, torch.log, X.abs() * 1e-5 + 1e-6),
        (lambda x: 2 * x, lambda d, x: 2 * d, lambda x: 2 * x, 1e11 * X),
        (lambda x: x**3, lambda d, x: 3 * d * x**2, lambda x: x**3, X[:1].double().expand(6, 4)),
    ],
    ids=["kink", "computes in float32", "small numbers", "large numbers", "expanded"],
)
def test_right_functions_pass(forward, backward, reference, x) -> None:
    report = check_autograd_function(function(forward, backward), [x], reference)
    assert report.ok, str(report)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_right_functions_pass_where_autograd_is_switched_off(mode) -> None:
    with mode():
        assert check_autograd_function(function(torch.exp, lambda d, x: d * torch.exp(x)), [X.clone()], torch.exp).ok


def test_a_sum_in_another_order_is_right() -> None:
    def one_after_the_other(d):
        total = torch.zeros_like(d[0])
        for row in d:
            total = total + row
        return total

    x = torch.randn(1000, 4)
    report = check_function(lambda x, b: x + b, lambda d, x, b: (d, one_after_the_other(d)), [x, torch.randn(4)])
    assert report.ok, str(report)


def test_numbers_of_very_different_size_do_not_fool_the_differences() -> None:
    x = torch.randn(8, 4)
    x[0] *= 1e9
    network = mlp([4, 6, 3], activation=Tanh(), loss=SoftmaxCrossEntropy())
    assert crosscheck(network, x, torch.arange(8) % 3).identical
    assert check_function(torch.sin, lambda d, x: d * x.cos(), [torch.tensor([1e8, 2e8]).double()]).ok


def test_a_straight_through_estimator_can_be_meant() -> None:
    def through(x):
        return x + (x.round() - x).detach()

    x = torch.randn(40).double()
    report = check_function(lambda x: x.round(), lambda d, x: d, [x], reference=through)
    assert report.ok
    assert "it calls round" in report.remarks[0]
    assert check_function(lambda x: x.round(), lambda d, x: d, [x], reference=through, differences=False).ok


def test_none_stands_for_a_gradient_of_zeros() -> None:
    inputs = [torch.randn(4), torch.rand(3)]
    assert check_function(lambda x, u: x**2, lambda d, x, u: (2 * d * x, None), inputs).ok
    assert not check_function(lambda x, u: x**2, lambda d, x, u: (None, None), inputs).ok


def test_an_output_without_a_gradient_is_compared_and_no_more() -> None:
    inputs = [torch.randn(4, 5)]
    for forward in (lambda x: (2 * x, x.detach().mean()), lambda x: (2 * x, x >= 0)):
        assert check_function(forward, lambda d, m, x: 2 * d, inputs).ok
    wrong = check_function(
        lambda x: (2 * x, x >= 0), lambda d, m, x: 2 * d, inputs, reference=lambda x: (2 * x, x > 0.5)
    )
    assert [row.quantity for row in wrong.guilty] == ["output 1"]


def test_a_reference_for_one_dtype_only_still_serves() -> None:
    module = nn.Linear(5, 3)
    layer = Linear(module.weight, module.bias)
    assert check_layer(layer, torch.randn(4, 5), lambda x, weight, bias: x.float() @ weight.float().t() + bias).ok
    w = module.weight.detach()
    assert check_function(lambda x: x @ w.t(), lambda d, x: d @ w, [torch.ones(4, 5)]).ok


def test_a_backward_that_is_right_for_what_it_reads_is_not_blamed() -> None:
    """The forward forgot its function and saved x: the backward formula, from x, is right."""

    @dataclass(frozen=True)
    class Forgetful:
        def forward(self, x, out=None):
            return x, x

        def backward(self, error, saved, out=None):
            return error * torch.sigmoid(saved), {}

    report = check_layer(Forgetful(), torch.randn(4, 5), nn.functional.softplus)
    assert [row.quantity for row in report.guilty] == ["y"]


def test_a_wrong_backward_beside_an_infinite_input_is_still_guilty() -> None:
    inputs = [torch.randn(5, 4, requires_grad=True), torch.tensor([0.0, 0.0, 0.0, -torch.inf])]
    report = check_function(lambda x, m: torch.softmax(x + m, 1), lambda d, x, m: (d, None), inputs)
    assert [row.quantity for row in report.guilty] == ["gradient of x"]


@pytest.mark.parametrize("bad", [1e-3, {"float32": 1e-3}, {torch.float32: -1.0}, {torch.float32: torch.nan}])
def test_a_wrong_tolerance_is_named(bad) -> None:
    with pytest.raises((TypeError, ValueError), match="tolerance expects"):
        crosscheck(mlp([5, 3]), torch.randn(2, 5), torch.rand(2, 3), tolerance=bad)
    with pytest.raises((TypeError, ValueError), match="tolerance expects"):
        check_function(lambda x: x**2, lambda d, x: 2 * d * x, [X], tolerance=bad)


def slope_of_clamp_at_0() -> float:
    x = torch.zeros(1, requires_grad=True)
    (slope,) = torch.autograd.grad(x.clamp(min=0), x)
    return float(slope)


def test_a_wrong_row_is_no_dead_unit_and_a_kink_is_a_kink() -> None:
    x = torch.randn(13, 5)

    def last_sample_is_lost(d, x):
        return torch.cat([2 * d[:-1], 0 * d[-1:]])

    (row,) = check_function(lambda x: 2 * x, last_sample_is_lost, [x]).guilty
    assert row.cause == "row 12 of 13 is zero"
    report = check_layer(ReLU(), x.index_fill(0, torch.tensor([3]), 0.0), lambda x: x.clamp(min=0))
    assert report.ok
    if slope_of_clamp_at_0() == 1:  # it is 0 in newer versions of torch, as by hand
        assert report.rows[1].isolated.reason == "kink"
        assert "at a kink: any value from" in report.rows[1].remark
    block = torch.randn(3, 4, 5)
    (row,) = check_function(lambda x: 2 * x, lambda d, x: torch.cat([2 * d[:2], d[2:]]), [block]).guilty
    assert row.cause == "only dimension 0, index 2 of 3"
