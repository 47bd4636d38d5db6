"""One protocol for our layers and anybody's: what is optional is, wherever a layer stands."""

import copy
import pickle
from dataclasses import dataclass, field
from typing import NamedTuple

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
from torch import Tensor, nn

from manual_bp import (
    GradientDescent,
    Gradients,
    GradientsOfOneLayer,
    Linear,
    Loss,
    Network,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Trace,
    mlp,
)
from manual_bp.layer import holding, parameters
from manual_bp.training.engine.step import ManualEngine
from torch_ref import check_layer, crosscheck, loss_of, module_of
from torch_ref.autograd.engine import AutogradEngine


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


KINDS = (PlainLinear, WithSlots, Keeping, AsTuple, AsDataclass, AsFrozenDataclass)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@pytest.fixture(autouse=True)
def mirrored() -> None:
    """Tell the reference what these layers and the loss should equal."""

    def linear(layer) -> nn.Linear:
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


@every_kind
@pytest.mark.parametrize("lowest", [True, False])
@pytest.mark.parametrize("loss", [*LOSSES, PlainHalfSquare()], ids=loss_id)
def test_a_plain_layer_is_cross_checked_wherever_it_stands(kind, lowest: bool, loss: Loss) -> None:
    report = crosscheck(network_of(kind, loss, lowest=lowest), torch.randn(6, 5), targets(6, 3, torch.float32))
    assert report.ok, str(report)
    assert all(row.max_ulp <= 4 for row in report.rows), str(report)


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


@every_kind
def test_the_layer_that_is_given_stays_as_it_is(kind) -> None:
    """The network's parameters are copies, in a copy of the layer; training moves these alone."""
    layer = made_of(kind, 5, 3)
    before = {name: p.clone() for name, p in parameters(layer).items()}
    held = parameters(layer)
    made = Network((layer,), SquaredError())
    trace = made.forward(torch.randn(6, 5))
    made.loss(trace, torch.rand(6, 3))
    GradientDescent(made, lr=1.0).update(made.backward(trace))
    assert parameters(layer).keys() == {"weight", "bias"}
    for name, parameter in parameters(layer).items():
        assert parameter is held[name]
        assert_identical(parameter, before[name], name)
        assert not torch.equal(made.parameters()[f"0.{name}"], parameter)
        assert_identical(parameters(made.layers[0])[name], made.parameters()[f"0.{name}"], name)


@every_kind
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))], ids=["deepcopy", "pickle"]
)
def test_a_network_of_plain_layers_is_copied_after_a_pass(kind, copied) -> None:
    """What a layer kept of the pass is no parameter of the copy."""
    made = network_of(kind)
    trace = made.forward(torch.randn(6, 5))
    made.loss(trace, torch.rand(6, 3))
    made.backward(trace)
    for twin in (copied(made), Network(made.layers, made.loss_function)):
        assert twin.state_dict().keys() == made.state_dict().keys()
        assert crosscheck(twin, torch.randn(6, 5), torch.rand(6, 3)).ok
        twin.buffer.zero_()
    assert made.buffer.any()


def test_pickling_a_network_takes_each_parameter_once() -> None:
    """Not the whole buffer with each of the tensors that lie in it."""
    made = mlp([100, 100, 100, 100])
    assert len(pickle.dumps(made)) < 1.1 * made.buffer.nbytes


def test_what_was_kept_before_the_network_was_made_is_named() -> None:
    """A layer that was called before carries its x about: as a parameter it lacks a gradient."""
    layer = made_of(Keeping, 5, 3)
    layer.forward(torch.randn(6, 5))
    made = Network((layer,), SquaredError())
    message = r"Keeping.forward\(x\) to leave its parameter x alone.*what is no parameter has a name that begins with _"
    with pytest.raises(ValueError, match=message):
        made.forward(torch.randn(6, 5))


def test_a_layer_that_takes_another_tensor_for_its_parameter_is_named() -> None:
    """It updates itself, and the network's own parameters would stay behind."""

    class Learning(PlainLinear):
        def backward(self, error, saved):
            returned = super().backward(error, saved)
            self.weight = self.weight - 0.1 * returned[1]["weight"]
            return returned

    made = Network((made_of(Learning, 5, 3),), SquaredError())
    trace = made.forward(torch.randn(6, 5))
    made.loss(trace, torch.rand(6, 3))
    with pytest.raises(ValueError, match=r"Learning\.backward\(error, saved\) to leave its parameter weight alone"):
        made.backward(trace)


def test_a_layer_that_holds_a_copy_is_named() -> None:
    @dataclass
    class Copying(AsDataclass):
        def __post_init__(self):
            self.weight = self.weight.clone()

    with pytest.raises(ValueError, match="Network expects Copying to hold the very tensor that it is given for weight"):
        Network((made_of(Copying, 5, 3),), SquaredError())


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


class Initialised(Linear):
    """A Linear that draws its own weights: made from sizes, not from tensors."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(torch.randn(n_out, n_in) / n_in**0.5, torch.zeros(n_out))


class Remembering(Linear):
    """It inherits from a frozen dataclass and can assign to attributes all the same."""

    def forward(self, x, out=None):
        self.seen = x
        return super().forward(x, out=out)


class PlainScale:
    """y = gain x, with the gain that its heirs make themselves."""

    def forward(self, x):
        return x * self.gain, x

    def backward(self, error, saved):
        return error * self.gain, {"gain": -(error * saved).sum(0)}


@dataclass
class MakingItsField(PlainScale):
    n: int
    gain: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.gain = torch.ones(self.n)


@dataclass
class MakingItsAttribute(PlainScale):
    n: int

    def __post_init__(self) -> None:
        self.gain = torch.ones(self.n)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Initialised(5, 5),
        lambda: Remembering(torch.randn(5, 5)),
        lambda: MakingItsField(5),
        lambda: MakingItsAttribute(5),
    ],
    ids=["inherited with an init", "inherited", "field made later", "attribute made later"],
)
def test_a_layer_that_makes_its_own_parameters_is_trained(layer) -> None:
    made = Network((layer(), Sigmoid(), *mlp([5, 3]).layers), SquaredError())
    assert set(parameters(layer())) <= {name.removeprefix("0.") for name in made.parameters()}
    before, descent, x, t = made.state_dict(), GradientDescent(made, lr=0.1), torch.randn(6, 5), torch.randn(6, 3)
    for _ in range(2):
        trace = made.forward(x)
        made.loss(trace, t)
        descent.update(made.backward(trace))
    assert all(not torch.equal(p, before[name]) for name, p in made.parameters().items())
    again = pickle.loads(pickle.dumps(made))
    assert all(torch.equal(p, made.parameters()[name]) for name, p in again.parameters().items())


@pytest.mark.parametrize("kind", [Gradients, GradientsOfOneLayer])
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda these: pickle.loads(pickle.dumps(these))], ids=["copy", "pickle"]
)
def test_a_pass_and_its_optimizer_are_copied_together(kind, copied) -> None:
    made = network_of(PlainLinear)
    these = made, GradientDescent(made, lr=0.1, momentum=0.9), Trace(made), kind(made)
    x, t = torch.randn(6, 5), torch.randn(6, 3)

    def step(network, descent, trace, gradients) -> None:
        network.forward(x, out=trace)
        network.loss(trace, t)
        for of_layer in network.backward_by_layer(trace, gradients):
            if kind is GradientsOfOneLayer:
                descent.update(of_layer)
        if kind is Gradients:
            descent.update(gradients)

    step(*these)
    others = copied(these)
    for _ in range(2):
        step(*these)
        step(*others)
    assert all(torch.equal(p, others[0].parameters()[name]) for name, p in made.parameters().items())


def test_what_an_heir_of_a_frozen_layer_keeps_stays_out_of_the_network() -> None:
    made = Network((Remembering(torch.randn(3, 5)),), SquaredError())
    made.forward(torch.randn(2, 5))
    assert not hasattr(made.layers[0], "seen")


def test_what_a_layer_of_the_network_keeps_later_is_no_parameter() -> None:
    made = network_of(Keeping)
    made.layers[0].forward(torch.randn(2, 5))
    trace = made.forward(torch.randn(6, 5))
    made.loss(trace, torch.randn(6, 3))
    assert list(made.backward(trace)) == list(made.parameters()) == list(made.names.parameters)
    assert list(made.backward(trace, out=GradientsOfOneLayer(made))) == list(made.parameters())


def test_a_check_leaves_layers_that_keep_what_they_saw_as_they_were() -> None:
    made, alone = network_of(Keeping), made_of(Keeping, 5, 4)
    assert crosscheck(made, torch.randn(6, 5), torch.randn(6, 3)).ok
    for _ in range(2):
        assert check_layer(alone, torch.randn(6, 5), nn.functional.linear).ok
    assert not any(hasattr(layer, "x") for layer in [*made.layers, alone])


def test_a_module_that_hides_its_parameters_is_named() -> None:
    class Hiding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.ones(5))

        forward, backward = PlainScale.forward, PlainScale.backward

    with pytest.raises(TypeError, match="Network expects Hiding to hold its parameters as plain attributes"):
        Network((Hiding(), *mlp([5, 3]).layers), SquaredError())


def test_a_parameter_that_was_replaced_is_put_back() -> None:
    class Updating(PlainLinear):
        def backward(self, error, saved):
            returned = super().backward(error, saved)
            self.weight = self.weight - returned[1]["weight"]
            return returned

    made = Network((made_of(Updating, 5, 3),), SquaredError())
    for _ in range(2):
        trace = made.forward(torch.randn(6, 5))
        made.loss(trace, torch.randn(6, 3))
        with pytest.raises(
            ValueError, match=r"expects Updating.backward\(error, saved\) to leave its parameter weight"
        ):
            made.backward(trace)


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
