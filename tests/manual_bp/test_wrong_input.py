"""What does not fit is named, before anything is changed."""

import pytest
import torch
from cases import (
    Scale,
    assert_identical,
)
from torch import Tensor

from manual_bp import (
    Gradients,
    GradientsOfOneLayer,
    Linear,
    Network,
    ReLU,
    Sigmoid,
    SquaredError,
    mlp,
)


def test_an_index_outside_the_network_is_named() -> None:
    trace = mlp([5, 4, 3]).forward(torch.randn(2, 5))
    with pytest.raises(IndexError, match="a layer l from 1 to 2, got 0"):
        trace.net(0)
    with pytest.raises(IndexError, match="a layer l from 0 to 2, got 3"):
        trace.x(3)
    with pytest.raises(IndexError, match="a layer l from 0 to 2, got -1"):
        trace.x(-1)


def test_targets_are_checked_in_reused_buffers_too() -> None:
    made = mlp([5, 3])
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    made.forward(torch.randn(2, 5), out=trace)
    with pytest.raises(ValueError, match="SquaredError expects finite targets"):
        made.loss(trace, torch.full((2, 3), torch.nan))


def test_a_trace_or_gradients_of_another_network_is_named() -> None:
    mine, other = mlp([5, 4, 3]), mlp([5, 4, 3])
    trace = other.forward(torch.randn(2, 5))
    other.loss(trace, torch.rand(2, 3))
    gradients = other.backward(trace)
    own = mine.forward(torch.randn(2, 5))
    mine.loss(own, torch.rand(2, 3))
    for wrong in (
        lambda: mine.forward(torch.randn(2, 5), out=trace),
        lambda: mine.loss(trace, torch.rand(2, 3)),
        lambda: mine.backward(trace),
        lambda: mine.backward(own, out=gradients),
    ):
        with pytest.raises(TypeError, match=r"Network expects a \w+ of its own, got that of another network"):
            wrong()
    with pytest.raises(TypeError, match="Network expects a Trace of its own, got Tensor"):
        mine.loss(torch.randn(2, 3), torch.rand(2, 3))


@pytest.mark.parametrize("before", [(), (Sigmoid(),)], ids=["weights first", "activation first"])
@pytest.mark.parametrize("kind", [Gradients, GradientsOfOneLayer])
def test_gradients_of_another_batch_size_are_named(kind, before: tuple) -> None:
    made = Network((*before, *mlp([5, 3]).layers), SquaredError())
    traces = [made.forward(torch.randn(rows, 5)) for rows in (2, 3)]
    for trace in traces:
        made.loss(trace, torch.rand(len(trace.y), 3))
    gradients = made.backward(traces[0], out=kind(made))
    with pytest.raises(ValueError, match=r"Gradients expects x of shape \(2, 5\) as in its last pass, got \(3, 5\)"):
        made.backward(traces[1], out=gradients)


@pytest.mark.parametrize("kind", [Gradients, GradientsOfOneLayer])
def test_gradients_of_another_shape_of_x_are_named(kind) -> None:
    class Pool:
        def forward(self, x):
            return x.mean((2, 3)), x.shape

        def backward(self, error, saved):
            return error[:, :, None, None].expand(saved) / (saved[2] * saved[3]), {}

    class Channels(Scale):
        def backward(self, error, saved, out=None):
            return self.a * error, {"a": -(error * saved).sum((0, 2, 3)).view_as(self.a)}

    made = Network((Channels(torch.ones(3, 1, 1)), Sigmoid(), Pool()), SquaredError())
    traces = [made.forward(torch.randn(2, 3, size, size)) for size in (4, 5)]
    for trace in traces:
        made.loss(trace, torch.rand(2, 3))
    gradients = made.backward(traces[0], out=kind(made))
    with pytest.raises(ValueError, match=r"expects x of shape \(2, 3, 4, 4\) as in its last pass, got \(2, 3, 5, 5\)"):
        made.backward(traces[1], out=gradients)


def test_a_gradient_under_a_wrong_name_or_of_a_wrong_shape_is_named() -> None:
    class Renamed(Scale):
        def backward(self, error, saved, out=None):
            return self.a * error, {"scale": -(error * saved).sum(0)}

    class Broadcast(Scale):
        def backward(self, error, saved, out=None):
            return self.a * error, {"a": -(error * saved).sum(0, keepdim=True)}

    for kind, message in (
        (Renamed, r"Gradients expects Renamed to give gradients of \['a'\], got \['scale'\]"),
        (Broadcast, r"Gradients expects Broadcast's gradient of a of shape \(3,\), got \(1, 3\)"),
    ):
        made = Network((Linear(torch.randn(3, 5)), kind(torch.rand(3))), SquaredError())
        trace = made.forward(torch.randn(2, 5))
        made.loss(trace, torch.rand(2, 3))
        with pytest.raises(ValueError, match=message):
            made.backward(trace)


def test_an_error_of_a_wrong_shape_is_named_with_the_layer_that_gave_it() -> None:
    class OneRow(Scale):
        def backward(self, error, saved, out=None):
            return (self.a * error)[:1], {"a": -(error * saved).sum(0)}

    made = Network((Linear(torch.randn(3, 5)), Sigmoid(), OneRow(torch.rand(3)), ReLU()), SquaredError())
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    with pytest.raises(ValueError, match=r"the error of x from OneRow of shape \(2, 3\), got \(1, 3\)"):
        made.backward(trace)


@pytest.mark.parametrize("x", [torch.randn(3, 5), torch.randn(2, 5).double(), torch.randn(2, 5, device="meta")])
def test_another_batch_does_not_fit_into_old_buffers(x: Tensor) -> None:
    made = mlp([5, 4, 3])
    trace = made.forward(torch.randn(2, 5))
    before = trace.net(1).clone()
    with pytest.raises((ValueError, TypeError), match=r"Trace expects x \(keep one trace for each batch size\)"):
        made.forward(x, out=trace)
    assert_identical(trace.net(1), before)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"2.weight": torch.zeros(3, 5)}, ValueError, r"2.weight of shape \(3, 4\), got \(3, 5\)"),
        ({"2.weight": torch.zeros(3, 4).double()}, TypeError, "2.weight of dtype torch.float32, got torch.float64"),
        ({"2.bias": torch.tensor([0, torch.nan, 0])}, ValueError, r"got NaN or infinity in 2.bias at \(1,\)"),
        ({"2.bias": torch.tensor([0, 0, torch.inf])}, ValueError, r"got NaN or infinity in 2.bias at \(2,\)"),
        ({"2.bias": [0.0, 0, 0]}, TypeError, "2.bias as a torch.Tensor, got list"),
        ({"4.bias": torch.zeros(3)}, ValueError, r"missing \[\], unexpected \['4.bias'\]"),
    ],
)  # fmt: skip
def test_loading_what_does_not_fit_changes_nothing(change: dict, error: type[Exception], message: str) -> None:
    made = mlp([5, 4, 3])
    before = made.state_dict()
    state = {name: torch.zeros_like(p) for name, p in before.items()} | change
    with pytest.raises(error, match=message):
        made.load_state_dict(state)
    for name, parameter in made.parameters().items():
        assert_identical(parameter, before[name], name)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([5], r"at least two layers.*got \[5\]"),
        ([], "at least two"),
        ([5, 0, 3], r"got \[5, 0, 3\]"),
        ([5, 2.5], "got"),
        ([5, True], "got"),
        (5, "got 5"),
        ("53", "got '53'"),
    ],
)
def test_wrong_sizes_are_named(sizes: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mlp(sizes)


def test_no_message_shows_the_numbers_of_a_tensor() -> None:
    layers = mlp([5, 3]).layers
    with pytest.raises(TypeError, match="layers with forward and backward, got a Tensor at position 0"):
        Network((torch.randn(2, 2), *layers), SquaredError())
    with pytest.raises(TypeError, match="a loss with output, forward and backward, got a Tensor"):
        Network(layers, torch.randn(2, 2))


def test_one_layer_alone_is_no_tuple_of_layers() -> None:
    with pytest.raises(TypeError, match="Network expects its layers in a tuple, got a Linear"):
        Network(Linear(torch.randn(3, 5)), SquaredError())


def test_what_is_no_layer_or_loss_is_named() -> None:
    linear = Linear(torch.randn(3, 5))
    with pytest.raises(TypeError, match=r"layers with forward and backward, got <class .*ReLU'> at position 1"):
        Network((linear, ReLU), SquaredError())
    with pytest.raises(TypeError, match=r"a loss with output, forward and backward, got <class .*SquaredError'>"):
        Network((linear,), SquaredError)
    with pytest.raises(ValueError, match="at least one layer with parameters"):
        Network((Sigmoid(),), SquaredError())
    with pytest.raises(ValueError, match="do not share parameters"):
        Network((linear, Sigmoid(), Linear(linear.weight)), SquaredError())
    with pytest.raises(TypeError, match=r"Network expects 1.weight of dtype torch.float32, got torch.float64"):
        Network((linear, Linear(torch.randn(2, 3).double())), SquaredError())


@pytest.mark.parametrize("x", [torch.zeros(64, 1, 28, 28), torch.zeros(0, 784), torch.zeros(4, 784).double()])
def test_wrong_input_is_named_before_anything_is_computed(x: Tensor) -> None:
    with pytest.raises((ValueError, TypeError), match="Linear expects x"):
        mlp([784, 30, 10]).forward(x)
