"""A network against a module, the one assertion, and a six-layer pass with one wrong formula."""

import re
from dataclasses import dataclass

import pytest
import torch
from cases import blamed
from torch import Tensor, nn

from manual_bp import AvgPool2d, Flatten, MaxPool2d, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, Tanh, Unflatten, mlp
from manual_bp.initial import random_conv2d, random_linear
from torch_ref import (
    GradientMismatchError,
    assert_gradients_match,
    check_module,
    crosscheck,
)
from torch_ref.known.faults import FAULTS


def test_a_network_against_a_module_at_the_module_s_parameters() -> None:
    network = mlp([5, 4, 3], activation=Tanh(), loss=SoftmaxCrossEntropy())
    before = network.state_dict()
    module = nn.Sequential(nn.Sequential(nn.Linear(5, 4), nn.Tanh()), nn.Identity(), nn.Linear(4, 3))
    report = check_module(network, module)
    assert report.identical, str(report)
    assert all(torch.equal(p, before[name]) for name, p in network.parameters().items())
    x, t = torch.randn(7, 5), torch.arange(7) % 3
    assert check_module(network, module, x, t).batch == 7
    other = check_module(network, nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)), x, t)
    assert list(blamed(other)) == ["x^1"]
    assert "the reference is another function" in other.verdict


def test_a_module_that_does_not_correspond_is_named() -> None:
    network = mlp([5, 4, 3], activation=ReLU(), loss=SoftmaxCrossEntropy())
    with pytest.raises(ValueError, match=r"one module for each layer of \['Linear', 'ReLU', 'Linear'\], got \['Linear"):
        check_module(network, nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.Softmax(1)))
    with pytest.raises(ValueError, match=r"Linear at position 2 .*\(3, 4\).* got .*\(2, 4\)"):
        check_module(network, nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)))

    class Otherwise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return -self.c(self.b(self.a(x)))

    with pytest.raises(ValueError, match="computes Linear → ReLU → Linear one after the other, but its output"):
        check_module(network, Otherwise())


def test_assert_gradients_match_raises_verdict_and_table() -> None:
    good = mlp([5, 4, 3])
    x, t = torch.randn(4, 5), torch.rand(4, 3)
    assert_gradients_match(crosscheck(good, x, t))
    with pytest.raises(GradientMismatchError) as caught:
        assert_gradients_match(crosscheck(FAULTS["sigmoid-error-no-slope"].plant(good, 1), x, t))
    assert isinstance(caught.value, AssertionError)
    assert caught.value.report.guilty[0].quantity == "δ^1"
    assert "σ′ is missing" in str(caught.value)
    assert "GUILTY" in str(caught.value)
    with pytest.raises(TypeError, match=r"expects the Report of a check .* got bool"):
        assert_gradients_match(True)


def test_the_user_story_a_six_layer_pass_with_one_wrong_formula() -> None:
    """A hand-written pass of six layers whose fourth has σ′ of the wrong quantity: found by name, in one call."""

    @dataclass(frozen=True)
    class MySigmoid(Sigmoid):
        def backward(self, error, saved, out=None):
            x = saved
            return error * torch.sigmoid(x) * (1 - torch.sigmoid(x)), {}

    good = mlp([20, 30, 25, 20, 15, 12, 10], dtype=torch.float32)
    layers = list(good.layers)
    layers[7] = MySigmoid()
    report = crosscheck(Network(tuple(layers), good.loss_function), torch.randn(32, 20), torch.arange(32) % 10)
    (row,) = report.guilty
    assert (row.quantity, row.formula, row.of.layer, row.method) == ("δ^4", "E15", 4, "backward")
    assert row.cause == "σ′ of the wrong quantity: σ′(x) for σ′(net)"
    assert re.search(r"test_check_module\.py:\d+", row.source)
    first, second, *_ = report.verdict.splitlines()
    assert first.startswith(
        "Wrong: δ^4 = σ′(net^4) e^4, σ′ = x^4 (1 − x^4) (E15, with E16), layer 4, MySigmoid.backward at "
    )
    assert second == "Likely cause: σ′ of the wrong quantity: σ′(x) for σ′(net)."


def convolutions(side: int) -> tuple[Network, nn.Sequential]:
    """Return a network for images of this side and no other, and the same in PyTorch, with other parameters."""
    left = ((side - 4) // 2 - 2) // 2
    network = Network(
        (
            random_conv2d(3, 4, 5),
            ReLU(),
            MaxPool2d(2),
            random_conv2d(4, 5, 3),
            Tanh(),
            AvgPool2d(2),
            Flatten(),
            random_linear(5 * left * left, 4),
        ),
        SoftmaxCrossEntropy(),
    )
    module = nn.Sequential(
        nn.Conv2d(3, 4, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(5 * left * left, 4),
    )
    return network, module


@pytest.mark.long(but=1)
@pytest.mark.parametrize("side", [12, 16, 32])
def test_images_are_drawn_for_a_network_that_begins_with_a_convolution(side: int) -> None:
    network, module = convolutions(side)
    report = check_module(network, module)
    assert report.ok, str(report)
    assert report.rows[0].shape == (16, 4, side - 4, side - 4)
    found = {row.quantity: row.of.formula for row in report.rows}
    assert [found[name] for name in ("net^1", "e^0", "∂L/∂W^1", "∂L/∂b^2", "x^1")] == ["C1", "C2", "C3", "C3", "P1"]


def test_small_images_are_drawn_where_no_larger_ones_fit() -> None:
    network = Network((random_conv2d(1, 2, 3), Flatten(), random_linear(2 * 3 * 3, 4)), SoftmaxCrossEntropy())
    report = check_module(network, nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 4)))
    assert report.ok
    assert report.rows[-1].shape == (16, 1, 5, 5)


def test_rows_are_drawn_for_a_network_that_makes_images_of_them() -> None:
    network, module = convolutions(12)
    rows = Network((Unflatten((3, 12, 12)), *network.layers), network.loss_function)
    report = check_module(rows, nn.Sequential(nn.Unflatten(1, (3, 12, 12)), *module))
    assert report.ok, str(report)


def test_where_no_square_image_fits_the_batch_has_to_be_given() -> None:
    network = Network((random_conv2d(1, 2, 3), Flatten(), random_linear(2 * 3 * 5, 4)), SoftmaxCrossEntropy())
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(30, 4))
    with pytest.raises(ValueError, match=r"expects x for a network that takes no square images of 1 to 256"):
        check_module(network, module)
    assert check_module(network, module, torch.randn(4, 1, 5, 7)).ok


def test_a_wrong_convolution_is_found_in_drawn_images() -> None:
    network, module = convolutions(12)
    report = check_module(FAULTS["convolution-weight-turned"].plant(network, 1), module)
    assert [(row.quantity, row.code) for row in report.guilty] == [("∂L/∂W^1", "kernel-turned")]
