"""What once made the checker blind, or made it cry wolf: each a case of its own."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from manual_bp import Linear, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from torch_ref import check_autograd_function, check_function, check_layer, crosscheck
from torch_ref.faults import FAULTS

# --------------------------------------------------------------------------------------------------- not to be missed


@pytest.mark.parametrize("wrong", ["zeros", "doubled"])
def test_rounding_never_excuses_zeros_or_a_factor(wrong: str) -> None:
    """Half of the nets are 0: one unit in the last place of x switches units on and off."""
    x = torch.randint(1, 4, (12, 2)).float()
    x[:6, 1] = x[:6, 0]
    w = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])

    def backward(d, x, w):
        if wrong == "zeros":
            return torch.zeros_like(x), torch.zeros_like(w)
        d = 2 * d * (x @ w.t() > 0)
        return d @ w, d.t() @ x

    report = check_function(lambda x, w: torch.relu(x @ w.t()), backward, [x, w])
    assert [row.quantity for row in report.guilty] == ["gradient of x", "gradient of w"]
    assert "ill-conditioned" in report.verdict


def test_a_random_reference_is_refused() -> None:
    @dataclass(frozen=True)
    class Anything:
        def forward(self, x, out=None):
            return 0.9 * x, x

        def backward(self, error, saved, out=None):
            return 0 * error, {}

    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="a reference that gives the same numbers at every call"):
        check_layer(Anything(), torch.ones(4, 5), nn.Dropout(0.5))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_random_error_is_nobody_s_data() -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 5)

    @dataclass(frozen=True)
    class InPlaceOfTheError(Sigmoid):
        def forward(self, x, out=None):
            y, _ = super().forward(x)
            return y, (x, y)

        def backward(self, error, saved, out=None):
            x, y = saved
            return x * y * (1 - y), {}

    assert not check_layer(InPlaceOfTheError(), x, torch.sigmoid).ok


@pytest.mark.parametrize("left_over", [1.0, 0.0005])
def test_gradients_that_add_up_in_reused_buffers_are_noticed(left_over: float) -> None:
    @dataclass(frozen=True, eq=False, repr=False)
    class Accumulating(Linear):
        def gradients(self, error, saved, out=None):
            new = super().gradients(error, saved)
            if out:
                for name, gradient in new.items():
                    out[name].mul_(left_over).add_(gradient)
                return out
            return new

    layers = (Accumulating(torch.randn(4, 5)), Tanh(), Accumulating(torch.randn(3, 4)))
    report = crosscheck(Network(layers, SquaredError()), torch.randn(6, 5), torch.rand(6, 3))
    assert not report.ok
    assert "With out=, in tensors of another batch, the pass gives another" in report.verdict
    assert "∂L/∂W^1" in report.verdict


@pytest.mark.parametrize("name", ["linear-weight-zeros", "linear-error-sign", "sigmoid-error-no-slope"])
def test_a_perfect_fit_hides_nothing(name: str) -> None:
    """Every δ is 0: each formula is put to the test with an error of its own."""
    good = mlp([5, 4, 4, 3])
    x = torch.randn(6, 5)
    t = good.forward(x).y.clone()
    assert crosscheck(good, x, t).identical
    report = crosscheck(FAULTS[name].plant(good, 2), x, t)
    assert [row.quantity for row in report.guilty] == [FAULTS[name].quantity(good, 2)]


def test_one_sample_is_said_not_to_test_sums() -> None:
    assert "With one sample" in crosscheck(mlp([5, 3]), torch.randn(1, 5), torch.rand(1, 3)).verdict
    assert "With one sample" not in crosscheck(mlp([5, 3]), torch.randn(2, 5), torch.rand(2, 3)).verdict


def test_a_fault_in_backward_s_own_gradients_is_found_at_any_tolerance() -> None:
    @dataclass(frozen=True, eq=False, repr=False)
    class OnlyInBackward(Linear):
        def backward(self, error, saved, out=None):
            error_of_x, d = super().backward(error, saved)
            return error_of_x, d | {"weight": d["weight"] * (1 + 3e-6)}

    layer = OnlyInBackward(torch.randn(3, 5))
    (row,) = check_layer(layer, torch.randn(4, 5), nn.functional.linear).guilty
    assert (row.quantity, row.method) == ("∂L/∂weight", "backward")
    assert check_layer(layer, torch.randn(4, 5), nn.functional.linear, tolerance={torch.float32: 1e-4}).ok


def test_gradients_of_nothing_are_named() -> None:
    @dataclass(frozen=True)
    class Chatty(Sigmoid):
        def backward(self, error, saved, out=None):
            return super().backward(error, saved)[0], {"a": error}

    assert "gives gradients of a" in check_layer(Chatty(), torch.randn(4, 5), torch.sigmoid).verdict
    report = check_function(lambda x: x**2, lambda d, x: (2 * d * x, d, d), [torch.randn(4)])
    assert report.guilty[0].cause == "gives 3 gradients for 1 inputs"


def test_what_a_first_layer_does_to_x_is_undone_and_named() -> None:
    @dataclass(frozen=True)
    class Clearing(ReLU):
        def forward(self, x, out=None):
            return super().forward(x.mul_(2))

    x = torch.randn(6, 5)
    before = x.clone()
    report = crosscheck(Network((Clearing(), Linear(torch.randn(3, 5))), SquaredError()), x, torch.rand(6, 3))
    assert torch.equal(x, before)
    assert "The whole pass changed x" in report.verdict
    assert "changes x in place" in report.verdict


def test_a_module_s_buffers_are_left_alone() -> None:
    @dataclass(frozen=True)
    class Scaling:
        weight: torch.Tensor
        bias: torch.Tensor

        def forward(self, x, out=None):
            return x, x

        def backward(self, error, saved, out=None):
            return error, {"weight": self.weight, "bias": self.bias}

    module = nn.BatchNorm1d(5)
    check_layer(Scaling(torch.ones(5), torch.zeros(5)), torch.randn(4, 5), module)
    assert int(module.num_batches_tracked) == 0
    assert torch.equal(module.running_mean, torch.zeros(5))


# ------------------------------------------------------------------------------------------------------ not to cry wolf


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
    assert report.guilty[0].blame == "both"
    assert "differences=False" in report.verdict
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


def test_a_wrong_sample_is_no_dead_unit_and_a_kink_is_a_kink() -> None:
    x = torch.randn(13, 5)

    def last_sample_is_lost(d, x):
        return torch.cat([2 * d[:-1], 0 * d[-1:]])

    (row,) = check_function(lambda x: 2 * x, last_sample_is_lost, [x]).guilty
    assert row.cause == "sample 12 of 13 is zero"
    (row,) = check_layer(ReLU(), x.index_fill(0, torch.tensor([3]), 0.0), lambda x: x.clamp(min=0)).guilty
    assert row.cause == "it is the lecture's: the reference has another derivative (at a kink, another subgradient)"
    block = torch.randn(3, 4, 5)
    (row,) = check_function(lambda x: 2 * x, lambda d, x: torch.cat([2 * d[:2], d[2:]]), [block]).guilty
    assert row.cause == "only dimension 0, index 2 of 3"
