"""What once made the checker blind: each a case of its own."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from manual_bp import Linear, Network, ReLU, Sigmoid, SquaredError, Tanh, mlp
from torch_ref import check_function, check_layer, crosscheck
from torch_ref.known.faults import FAULTS


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


def test_a_reference_that_counts_its_calls_is_refused() -> None:
    calls = []

    def counting(x):
        calls.append(x)
        return len(calls) * x

    with pytest.raises(ValueError, match="a reference that gives the same numbers at every call"):
        check_function(lambda x: x, lambda d, x: d, [torch.ones(4, 5)], reference=counting)


def test_what_draws_random_numbers_draws_the_same_at_every_call() -> None:
    def dropped(x):
        return x * (torch.rand(x.shape) < 0.5)

    x, state = torch.randn(4, 5), torch.get_rng_state()
    report = check_function(dropped, lambda d, x: dropped(d), [x], reference=dropped)
    assert torch.equal(torch.get_rng_state(), state)
    assert report.rows[0].status == "identical"


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


@pytest.mark.long(but=1)
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
            return error_of_x, d | {"weight": d["weight"] * (1 + 6e-6)}

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
    assert report.guilty[0].cause == "gives 3 gradients for 1 input"


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
