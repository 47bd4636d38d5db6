"""One protocol for our layers and anybody's: what is optional is, wherever a layer stands."""

from dataclasses import dataclass

import pytest
import torch
from cases import (
    FINITE_DIFFERENCE_TOLERANCE,
    LOSSES,
    Scale,
    assert_close,
    assert_identical,
    directional_derivative,
    loss_id,
    targets,
)
from plain_layers import AsTuple, PlainHalfSquare, PlainLinear, PlainSigmoid, WithSlots, every_kind, made_of, network_of
from torch import Tensor, nn

from manual_bp import (
    GradientDescent,
    GradientsOfOneLayer,
    Linear,
    Loss,
    Network,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    mlp,
)
from manual_bp.layer import holding, parameters
from manual_bp.training.engine.step import ManualEngine
from torch_ref import check_layer, crosscheck, module_of
from torch_ref.autograd.engine import AutogradEngine


@pytest.mark.long(but=15)
@every_kind
@pytest.mark.parametrize("lowest", [True, False])
@pytest.mark.parametrize("loss", [*LOSSES, PlainHalfSquare()], ids=loss_id)
def test_a_plain_layer_is_cross_checked_wherever_it_stands(kind, lowest: bool, loss: Loss) -> None:
    x, t = torch.randn(6, 5), targets(6, 3, torch.float32)
    report = crosscheck(network_of(kind, loss, lowest=lowest), x, t, power=False)
    assert report.ok, str(report)
    assert all(row.max_ulp <= 4 for row in report.rows), str(report)


@pytest.mark.long(but=6)
@every_kind
@pytest.mark.parametrize("lowest", [True, False])
@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), PlainHalfSquare()], ids=loss_id)
def test_a_plain_layer_is_trained_as_by_autograd(kind, lowest: bool, loss: Loss) -> None:
    """Batches of one size in the same tensors, which an engine would record if it could."""
    made = network_of(kind, loss, lowest=lowest)
    descent = GradientDescent(made, lr=0.1, momentum=0.9)
    by_hand, by_autograd = ManualEngine(made, descent), AutogradEngine(made, descent)
    x, t = torch.empty(6, 5), torch.empty(6, 3)
    for _ in range(30):
        x.copy_(torch.randn(6, 5))
        t.copy_(targets(6, 3, torch.float32))
        assert_close(by_hand.step(x, t), by_autograd.step(x, t), 1e-5, "L")
    for name, parameter in by_autograd.parameters().items():
        assert_close(made.parameters()[name], parameter, 1e-5, name)


@every_kind
@pytest.mark.parametrize("lowest", [True, False])
def test_a_plain_layer_in_room_for_one_layer(kind, lowest: bool) -> None:
    made = network_of(kind, lowest=lowest)
    trace = made.forward(torch.randn(6, 5))
    made.loss(trace, torch.rand(6, 3))
    whole, room = made.backward(trace), GradientsOfOneLayer(made)
    for _ in range(2):
        for of_one_layer in made.backward_by_layer(trace, room):
            for name, gradient in of_one_layer.items():
                assert_identical(gradient, whole[name], name)


@every_kind
def test_a_plain_layer_is_checked_alone(kind) -> None:
    layer = made_of(kind, 5, 3)
    report = check_layer(layer, torch.randn(4, 5), nn.functional.linear)
    assert report.ok, str(report)
    assert [row.quantity for row in report.rows] == ["y", "error of x", *(f"∂L/∂{name}" for name in parameters(layer))]


def test_the_law_holds_for_a_plain_layer() -> None:
    """⟨e, J v⟩ = ⟨backward(e), v⟩ for x, −⟨gradient, v⟩ for the parameters."""
    layer, x = made_of(PlainLinear, 5, 3, torch.float64), torch.randn(4, 5, dtype=torch.float64)
    y, saved = layer.forward(x)
    error = torch.randn_like(y)
    error_of_x, d = layer.backward(error, saved)
    given = {"x": (x, error_of_x)} | {name: (p, -d[name]) for name, p in parameters(layer).items()}
    for name, (at, e) in given.items():
        v = torch.randn_like(at)

        def forward(q: Tensor, name: str = name) -> Tensor:
            return layer.forward(q)[0] if name == "x" else holding(layer, {name: q}).forward(x)[0]

        expected = (error * directional_derivative(forward, at, v)).sum()
        assert_close((e * v).sum(), expected, FINITE_DIFFERENCE_TOLERANCE, name)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_direction_that_returns_no_pair_is_named(frozen: bool) -> None:
    """Also where the tensor could be taken apart, since it has two rows."""

    @dataclass(frozen=frozen)
    class ForwardOnly:
        def forward(self, x):
            return x

        def backward(self, error, saved):
            return error, {}

    @dataclass(frozen=frozen)
    class ErrorOnly:
        def forward(self, x):
            return x, None

        def backward(self, error, saved):
            return error

    first = Linear(torch.randn(3, 5))
    message = r"ForwardOnly.forward\(x\) to return \(y, saved\), got a Tensor"
    with pytest.raises(TypeError, match=message):
        Network((first, ForwardOnly()), SquaredError()).forward(torch.randn(2, 5))
    made = Network((first, ErrorOnly()), SquaredError())
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    message = r"ErrorOnly.backward\(error, saved\) to return \(error of x, gradients\), got a Tensor"
    with pytest.raises(TypeError, match=message):
        made.backward(trace)


def test_gradients_that_are_missing_are_named() -> None:
    """Those of a tensor that was meant as a constant, too."""

    class Forgetful(PlainLinear):
        def backward(self, error, saved):
            return error @ self.weight, None

    for layers in ((made_of(Forgetful, 5, 3),), (Linear(torch.randn(4, 5)), made_of(Forgetful, 4, 3))):
        made = Network(layers, SquaredError())
        trace = made.forward(torch.randn(2, 5))
        made.loss(trace, torch.rand(2, 3))
        with pytest.raises(
            ValueError, match=r"Forgetful to give gradients of \['weight', 'bias'\], got \[\] .* begins with _"
        ):
            made.backward(trace)


def test_which_attributes_are_parameters() -> None:
    class Everything:
        shared = torch.ones(3)

        def __init__(self):
            self.a, self._hidden = torch.ones(3), torch.ones(3)
            self.indices, self.mask = torch.arange(3), torch.ones(3) > 0
            self.rate, self.name, self.nothing = 0.5, "a", None

    assert list(parameters(Everything())) == ["a"]
    assert list(parameters(made_of(WithSlots, 5, 3))) == ["bias", "weight"]
    assert list(parameters(made_of(AsTuple, 5, 3))) == ["weight", "bias"]
    assert list(parameters(Scale(torch.ones(3)))) == ["a"]
    assert parameters(PlainSigmoid()) == {}


@every_kind
def test_a_layer_with_other_parameters_is_a_copy(kind) -> None:
    layer, weight = made_of(kind, 5, 3), torch.zeros(3, 5)
    other = holding(layer, {"weight": weight, "x": torch.zeros(4, 5)})
    assert type(other) is kind
    assert other.weight is weight
    assert other.bias is layer.bias
    assert layer.weight.any()
    assert not hasattr(other, "x")


def test_gradients_of_its_own_are_taken_where_there_are_some() -> None:
    """At the lowest position; elsewhere backward gives them."""
    calls = []

    class Both(PlainLinear):
        def backward(self, error, saved):
            calls.append("backward")
            return super().backward(error, saved)

        def gradients(self, error, saved):
            calls.append("gradients")
            return super().backward(error, saved)[1]

    made = Network((made_of(Both, 5, 4), made_of(Both, 4, 3)), SquaredError())
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    made.backward(trace)
    assert calls == ["backward", "gradients"]


def test_values_of_more_than_two_dimensions_pass_through() -> None:
    class Flatten:
        def forward(self, x):
            return x.flatten(1), x.shape

        def backward(self, error, saved):
            return error.view(saved), {}

    module_of.register(Flatten, lambda layer: nn.Flatten())
    made = Network((Sigmoid(), Flatten(), Linear(torch.randn(3, 12))), SquaredError())
    report = crosscheck(made, torch.randn(2, 1, 3, 4), torch.rand(2, 3))
    assert report.identical, str(report)
    assert check_layer(Flatten(), torch.randn(2, 3, 4), nn.Flatten()).identical


class PlainLabelLoss:
    """Cross-entropy of class indices, which it takes as they are."""

    def output(self, x):
        return torch.softmax(x, 1)

    def forward(self, x, t):
        y = self.output(x)
        return -y[torch.arange(len(x)), t].log().sum(), (y, t)

    def backward(self, saved):
        y, t = saved
        return (torch.arange(y.shape[1]) == t[:, None]).to(y.dtype) - y


def test_a_loss_without_out_gets_its_targets_as_they_are_at_every_pass() -> None:
    made, x, t = mlp([5, 4, 3], loss=SoftmaxCrossEntropy()), torch.randn(6, 5), torch.randint(0, 3, (6,))
    mine, trace = Network(made.layers, PlainLabelLoss()), None
    ours = made.forward(x)
    made.loss(ours, t)
    for _ in range(2):
        trace = mine.forward(x, out=trace)
        assert_close(mine.loss(trace, t) / 6, ours.loss, 1e-5)


def test_a_loss_that_returns_no_pair_or_no_error_is_named() -> None:
    class Alone(PlainHalfSquare):
        def forward(self, x, t):
            return ((t - x) ** 2).sum() / 2

    class Silent(PlainHalfSquare):
        def backward(self, saved):
            return None

    made, x, t = mlp([5, 3]), torch.randn(2, 5), torch.rand(2, 3)
    alone, silent = (Network(made.layers, loss()) for loss in (Alone, Silent))
    with pytest.raises(TypeError, match=r"expects Alone.forward\(x, t\) to return \(L, saved\), got a Tensor"):
        alone.loss(alone.forward(x), t)
    trace = silent.forward(x)
    silent.loss(trace, t)
    with pytest.raises(TypeError, match="expects the error of x from Silent as a torch"):
        silent.backward(trace)
