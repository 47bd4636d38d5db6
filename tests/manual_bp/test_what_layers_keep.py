"""What layers keep, replace or make themselves: what counts as a parameter, and what copies take along."""

import copy
import pickle
from dataclasses import dataclass, field

import pytest
import torch
from cases import (
    assert_identical,
)
from plain_layers import (
    AsDataclass,
    Keeping,
    PlainLinear,
    PlainScale,
    every_kind,
    made_of,
    network_of,
)
from torch import Tensor, nn

from manual_bp import (
    GradientDescent,
    Gradients,
    GradientsOfOneLayer,
    Linear,
    Network,
    Sigmoid,
    SquaredError,
    Trace,
    mlp,
)
from manual_bp.layer import parameters
from torch_ref import check_layer, crosscheck


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


@pytest.mark.long(but=3)
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
        assert crosscheck(twin, torch.randn(6, 5), torch.rand(6, 3), power=False).ok
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


class Initialised(Linear):
    """A Linear that draws its own weights: made from sizes, not from tensors."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(torch.randn(n_out, n_in) / n_in**0.5, torch.zeros(n_out))


class Remembering(Linear):
    """It inherits from a frozen dataclass and can assign to attributes all the same."""

    def forward(self, x, out=None):
        self.seen = x
        return super().forward(x, out=out)


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
