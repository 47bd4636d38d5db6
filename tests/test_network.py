"""The whole pass: bit for bit with autograd, by finite differences, in reused buffers, and its lecture's index."""

import copy
import pickle
from dataclasses import dataclass

import pytest
import torch
from cases import (
    ACTIVATIONS,
    DTYPES,
    FINITE_DIFFERENCE_STEP,
    FINITE_DIFFERENCE_TOLERANCE,
    LOSSES,
    REGIMES,
    assert_close,
    assert_identical,
    loss_id,
    network,
    targets,
)
from torch import Tensor, nn

from manual_bp import (
    GradientDescent,
    Gradients,
    Layer,
    Linear,
    Loss,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    mlp,
)
from torch_ref import crosscheck

every_activation = pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=loss_id)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])
every_regime = pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.__name__)

SHAPES = (
    (1, 1),
    (1, 1, 1),
    (2, 2, 1),
    (5, 3),
    (4, 5, 3),
    (7, 1, 4),
    (33, 17, 9, 3),
    (784, 30, 10),
    (3, 2, 2, 2, 2, 2, 2),
    (2, 1, 30, 1, 1, 11),
)
BATCHES = (1, 2, 4, 7, 32, 129)


@pytest.mark.parametrize("sizes", SHAPES, ids=lambda sizes: "-".join(map(str, sizes)))
@every_activation
@every_loss
@every_dtype
def test_every_quantity_equals_autograd_s_to_the_last_bit(
    sizes: tuple[int, ...], activation: Layer, loss: Loss, dtype: torch.dtype
) -> None:
    """Every batch size, at initial, trained and saturated weights."""
    for regime in REGIMES:
        made = network(sizes, activation, loss, dtype, regime)
        for rows in BATCHES:
            x, t = torch.randn(rows, sizes[0], dtype=dtype), targets(rows, sizes[-1], dtype)
            report = crosscheck(made, x, t)
            assert report.identical, f"{regime.__name__} weights, batch {rows}\n{report}"


@pytest.mark.parametrize("threads", [1, 2])
@every_loss
def test_equal_for_every_number_of_threads(threads: int, loss: Loss) -> None:
    torch.set_num_threads(threads)
    made = network((256, 100, 100, 10), Sigmoid(), loss, torch.float32)
    report = crosscheck(made, torch.randn(128, 256), targets(128, 10, torch.float32))
    assert report.identical, str(report)


@every_activation
@every_loss
@every_regime
def test_gradients_by_finite_differences(activation: Layer, loss: Loss, regime) -> None:
    """Every entry of every gradient, and of the error of the input. Saturated weights stay mild here: a difference
    of the loss cannot show a gradient that is 1e-30 of it."""
    made = network((4, 5, 3), activation, loss, torch.float64, regime if regime is not REGIMES[2] else lambda n: None)
    if regime is REGIMES[2]:
        for parameter in made.parameters().values():
            parameter.mul_(3)
    x, t = torch.randn(6, 4, dtype=torch.float64), targets(6, 3, torch.float64)
    trace = made.forward(x)
    made.loss(trace, t)
    gradients = made.backward(trace)
    for name, parameter in made.parameters().items():
        expected = finite_differences(made, x, t, parameter)
        assert_close(gradients[name], expected, FINITE_DIFFERENCE_TOLERANCE, name)
    expected = finite_differences(made, x, t, x)
    assert_close(-made.input_error(trace, gradients), expected, FINITE_DIFFERENCE_TOLERANCE, "∂L/∂x^0")


def finite_differences(network: Network, x: Tensor, t: Tensor, moved: Tensor) -> Tensor:
    """Return ∂L/∂moved, entry by entry; ``moved`` is x or a parameter and comes out unmodified."""
    slopes = torch.empty(moved.numel(), dtype=moved.dtype)
    flat, h = moved.view(-1), FINITE_DIFFERENCE_STEP
    for i, value in enumerate(flat.tolist()):
        losses = []
        for flat[i] in (value + h, value - h):
            losses.append(network.loss(network.forward(x), t).item())
        flat[i] = value
        slopes[i] = (losses[0] - losses[1]) / (2 * h)
    return slopes.view_as(moved)


def test_trace_and_gradients_speak_the_lecture_s_index() -> None:
    made = mlp([5, 4, 3], activation=Tanh(), loss=SquaredError("sum"), dtype=torch.float64)
    first, _, second, _ = made.layers
    x, t = torch.randn(2, 5, dtype=torch.float64), torch.rand(2, 3, dtype=torch.float64)
    trace = made.forward(x)
    loss = made.loss(trace, t)
    gradients = made.backward(trace)

    assert trace.x(0).data_ptr() == x.data_ptr()
    assert_identical(trace.net(1), first.forward(x)[0], "net^1")
    assert_identical(trace.x(1), torch.tanh(trace.net(1)), "x^1")
    assert_identical(trace.net(2), second.forward(trace.x(1))[0], "net^2")
    assert_identical(trace.x(2), trace.y, "y")
    assert trace.loss is loss
    assert loss.shape == ()
    delta2 = (t - trace.y) * (1 - trace.y**2)
    assert_close(gradients.delta(2), delta2, 1e-15, "δ^2 (E13)")
    assert_close(gradients.delta(1), (delta2 @ second.weight) * (1 - trace.x(1) ** 2), 1e-15, "δ^1 (E14)")
    assert_close(gradients["2.weight"], -delta2.T @ trace.x(1), 1e-15, "∂L/∂W^2 (E12)")
    assert_close(gradients["0.bias"], -gradients.delta(1).sum(0), 1e-15, "∂L/∂b^1 (E12)")
    assert list(gradients) == list(made.parameters()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(gradients) == 4
    assert made.depth == 2


def test_a_softmax_output_and_a_linear_output_have_their_y() -> None:
    softmax = mlp([5, 4, 3], loss=SoftmaxCrossEntropy())
    trace = softmax.forward(torch.randn(2, 5))
    assert_close(trace.y, torch.softmax(trace.net(2), 1), 1e-6, "y")
    assert_identical(trace.x(2), trace.y)
    regression = Network((Linear(torch.randn(4, 5)), Tanh(), Linear(torch.randn(3, 4))), SquaredError())
    trace = regression.forward(torch.randn(2, 5))
    assert_identical(trace.y, trace.net(2))
    assert_identical(trace.x(1), torch.tanh(trace.net(1)))


def test_an_index_outside_the_network_is_named() -> None:
    trace = mlp([5, 4, 3]).forward(torch.randn(2, 5))
    with pytest.raises(IndexError, match="a layer l from 1 to 2, got 0"):
        trace.net(0)
    with pytest.raises(IndexError, match="a layer l from 0 to 2, got 3"):
        trace.x(3)
    with pytest.raises(IndexError, match="a layer l from 0 to 2, got -1"):
        trace.x(-1)


@every_activation
@every_loss
@every_dtype
def test_reused_buffers_change_no_number(activation: Layer, loss: Loss, dtype: torch.dtype) -> None:
    made = network((5, 4, 4, 3), activation, loss, dtype)
    trace = made.forward(torch.randn(6, 5, dtype=dtype))
    made.loss(trace, targets(6, 3, dtype))
    gradients = made.backward(trace)
    x, t = torch.randn(6, 5, dtype=dtype), targets(6, 3, dtype)
    fresh = made.forward(x)
    made.loss(fresh, t)
    expected = made.backward(fresh)

    assert made.forward(x, out=trace) is trace
    assert_identical(made.loss(trace, t), fresh.loss)
    assert made.backward(trace, out=gradients) is gradients
    for l in range(1, 4):
        assert_identical(trace.net(l), fresh.net(l))
        assert_identical(trace.x(l), fresh.x(l))
        assert_identical(gradients.delta(l), expected.delta(l))
    for name, gradient in expected.items():
        assert_identical(gradients[name], gradient)


@every_activation
@every_loss
@every_dtype
@pytest.mark.parametrize(
    "settings", [{}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}], ids=["plain", "all"]
)
def test_a_training_step_in_reused_buffers_allocates_nothing(
    activation: Layer, loss: Loss, dtype: torch.dtype, settings: dict
) -> None:
    """By torch's profiler: nothing but the boxes of 4 or 8 bytes in which torch hands a Python number to a kernel."""
    made = network((20, 15, 10), activation, loss, dtype)
    descent = GradientDescent(made, lr=0.1, **settings)
    x, t = torch.randn(8, 20, dtype=dtype), targets(8, 10, dtype)
    trace = made.forward(x)
    made.loss(trace, t)
    gradients = made.backward(trace)
    descent.update(gradients)
    with torch.profiler.profile(profile_memory=True) as profile:
        made.forward(x, out=trace)
        made.loss(trace, t, trusted=True)
        for of_one_layer in made.backward_by_layer(trace, gradients):
            descent.update(of_one_layer)
        descent.update(gradients)
    assert [e for e in profile.events() if e.self_cpu_memory_usage > 8] == []


def test_the_profiler_would_see_an_allocation() -> None:
    with torch.profiler.profile(profile_memory=True) as profile:
        torch.ones(3) + 1
    assert [e for e in profile.events() if e.self_cpu_memory_usage > 8] != []


@every_activation
@every_loss
def test_updating_each_layer_as_it_comes_equals_updating_at_the_end(activation: Layer, loss: Loss) -> None:
    """The error of the layer below is computed with the old weights before they are yielded for update."""
    at_once, at_end = (mlp([5, 4, 4, 3], activation=activation, loss=loss) for _ in range(2))
    at_end.load_state_dict(at_once.state_dict())
    x, t = torch.randn(6, 5), targets(6, 3, torch.float32)
    positions = []
    for _ in range(3):
        trace = at_once.forward(x)
        at_once.loss(trace, t)
        descent = GradientDescent(at_once, lr=0.5)
        for of_one_layer in at_once.backward_by_layer(trace):
            positions.append(sorted(of_one_layer))
            descent.update(of_one_layer)
        trace = at_end.forward(x)
        at_end.loss(trace, t)
        GradientDescent(at_end, lr=0.5).update(at_end.backward(trace))
    assert positions[:3] == [["4.bias", "4.weight"], ["2.bias", "2.weight"], ["0.bias", "0.weight"]]
    for name, parameter in at_once.parameters().items():
        assert_identical(parameter, at_end.parameters()[name], name)


def test_the_error_of_the_input_is_computed_only_when_asked_for() -> None:
    made = mlp([5, 4, 3])
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    gradients = made.backward(trace)
    assert gradients.errors[0] is None
    assert made.input_error(trace, gradients).shape == (2, 5)


def test_inputs_come_out_unmodified() -> None:
    made = mlp([5, 4, 3])
    x, t = torch.randn(2, 5), torch.rand(2, 3)
    before = x.clone(), t.clone(), made.state_dict()
    trace = made.forward(x)
    made.loss(trace, t)
    made.backward(trace)
    assert_identical(x, before[0])
    assert_identical(t, before[1])
    for name, parameter in made.parameters().items():
        assert_identical(parameter, before[2][name])


def test_a_loss_of_an_earlier_pass_is_never_taken_for_this_one() -> None:
    made = mlp([5, 4, 3])
    trace = made.forward(torch.randn(2, 5))
    with pytest.raises(ValueError, match=r"call Network.loss\(trace, t\) before Network.backward"):
        made.backward(trace)
    made.loss(trace, torch.rand(2, 3))
    made.forward(torch.randn(2, 5), out=trace)
    with pytest.raises(ValueError, match=r"call Network.loss\(trace, t\) before Network.backward"):
        made.backward(trace)


@every_activation
@every_loss
def test_updating_all_at_once_equals_updating_by_name(activation: Layer, loss: Loss) -> None:
    """The whole buffer in one operation, its gaps included, or tensor by tensor."""
    at_once, by_name, one_at_a_time = (mlp([5, 4, 4, 3], activation=activation, loss=loss) for _ in range(3))
    x, t = torch.randn(6, 5), targets(6, 3, torch.float32)
    settings = {"lr": 0.5, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}
    for made in (by_name, one_at_a_time):
        made.load_state_dict(at_once.state_dict())
    descents = [GradientDescent(made, **settings) for made in (at_once, by_name, one_at_a_time)]
    room = Gradients(one_at_a_time, one_at_a_time=True)
    for _ in range(3):
        traces = [made.forward(x) for made in (at_once, by_name, one_at_a_time)]
        for trace in traces:
            trace.network.loss(trace, t)
        descents[0].update(at_once.backward(traces[0]))
        descents[1].update(dict(by_name.backward(traces[1])))
        for of_one_layer in one_at_a_time.backward_by_layer(traces[2], room):
            descents[2].update(of_one_layer)
    for name, parameter in at_once.parameters().items():
        assert_identical(parameter, by_name.parameters()[name], name)
        assert_identical(parameter, one_at_a_time.parameters()[name], name)
        assert_identical(descents[0].velocity[name], descents[1].velocity[name], name)
    assert torch.count_nonzero(at_once.buffer) == sum(torch.count_nonzero(p) for p in at_once.parameters().values())


def test_room_for_one_layer_holds_one_layer() -> None:
    made = mlp([5, 4, 3])
    room = Gradients(made, one_at_a_time=True)
    assert room.buffer.numel() < made.buffer.numel()
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    passes = made.backward_by_layer(trace, room)
    assert_identical(next(passes)["2.weight"], room["2.weight"])
    with pytest.raises(ValueError, match=r"does not hold 0\.weight of this pass"):
        room["0.weight"]
    next(passes)
    with pytest.raises(ValueError, match=r"does not hold 2\.weight of this pass"):
        room["2.weight"]


def test_numbers_of_the_pass_before_are_never_taken_for_this_one() -> None:
    made = mlp([5, 4, 3])
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    gradients = made.backward(trace)
    next(made.backward_by_layer(trace, gradients))
    assert gradients["2.bias"].shape == (3,)
    with pytest.raises(ValueError, match=r"does not hold 0\.weight of this pass"):
        gradients["0.weight"]
    with pytest.raises(ValueError, match=r"a backward pass as far as δ\^1"):
        gradients.delta(1)
    before = made.state_dict()
    with pytest.raises(ValueError, match=r"does not hold 0\.weight of this pass"):
        GradientDescent(made, lr=0.1).update(gradients)
    assert all(torch.equal(p, before[name]) for name, p in made.parameters().items())


def test_backward_twice_gives_the_same_numbers_twice() -> None:
    for loss in LOSSES:
        made = mlp([5, 4, 3], loss=loss)
        trace = made.forward(torch.randn(2, 5))
        made.loss(trace, torch.tensor([0, 2]))
        first, second = made.backward(trace), made.backward(trace)
        for name, gradient in first.items():
            assert_identical(gradient, second[name], name)


def test_two_losses_of_one_pass_are_two_numbers() -> None:
    made = mlp([5, 3])
    trace = made.forward(torch.randn(2, 5))
    first = made.loss(trace, torch.zeros(2, 3))
    before = first.item()
    second = made.loss(trace, torch.ones(2, 3))
    assert first.item() == before != second.item()


def test_targets_are_checked_in_reused_buffers_too() -> None:
    made = mlp([5, 3])
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    made.forward(torch.randn(2, 5), out=trace)
    with pytest.raises(ValueError, match="SquaredError expects finite targets"):
        made.loss(trace, torch.full((2, 3), torch.nan))


@pytest.mark.parametrize(
    "copy", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))], ids=["deepcopy", "pickle"]
)
def test_a_copy_trains_by_itself(copy) -> None:
    made = mlp([5, 4, 3])
    before = made.state_dict()
    twin = copy(made)
    trace = twin.forward(torch.randn(6, 5))
    twin.loss(trace, torch.rand(6, 3))
    GradientDescent(twin, lr=1.0).update(twin.backward(trace))
    assert crosscheck(twin, torch.randn(2, 5), torch.rand(2, 3)).identical
    for name, parameter in made.parameters().items():
        assert_identical(parameter, before[name], name)
        assert not torch.equal(twin.parameters()[name], parameter)


def test_nothing_of_autograd_comes_in_with_the_data() -> None:
    made = mlp([5, 3])
    made.load_state_dict({name: nn.Parameter(p) for name, p in made.state_dict().items()})
    x, t = torch.randn(2, 5, requires_grad=True), torch.rand(2, 3, requires_grad=True)
    trace = made.forward(x)
    made.loss(trace, t)
    gradients = made.backward(trace)
    GradientDescent(made, lr=0.1, momentum=0.9).update(gradients)
    made.forward(x, out=trace)
    everything = [*made.parameters().values(), *gradients.values(), trace.net(1), trace.y, trace.x(0)]
    assert not any(tensor.requires_grad for tensor in everything)


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


def test_gradients_of_another_batch_size_are_named() -> None:
    made = mlp([5, 3])
    traces = [made.forward(torch.randn(rows, 5)) for rows in (2, 3)]
    for trace in traces:
        made.loss(trace, torch.rand(len(trace.y), 3))
    gradients = made.backward(traces[0])
    with pytest.raises(ValueError, match="Gradients expects a batch of 2 rows as in its last pass, got 3"):
        made.backward(traces[1], out=gradients)


@dataclass(frozen=True, eq=False)
class Scale:
    """A layer of somebody else: y = a x, which allocates every time and has no ``gradients`` of its own."""

    a: Tensor

    def forward(self, x, out=None):
        return self.a * x, x

    def backward(self, error, saved, out=None):
        return self.a * error, {"a": -(error * saved).sum(0)}


def test_a_layer_that_ignores_out_is_followed() -> None:
    made = Network((Linear(torch.randn(3, 5)), Scale(torch.rand(3))), SquaredError())
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    gradients = made.backward(trace)
    x, t = torch.randn(2, 5), torch.rand(2, 3)
    made.loss(made.forward(x, out=trace), t)
    made.backward(trace, out=gradients)
    fresh = made.forward(x)
    made.loss(fresh, t)
    for name, gradient in made.backward(fresh).items():
        assert_identical(gradients[name], gradient, name)
    made.parameters()["1.a"].zero_()
    assert made.forward(x).y.abs().max() == 0


def test_the_lowest_layer_with_parameters_needs_gradients() -> None:
    with pytest.raises(TypeError, match="Network expects Scale at position 0, its lowest layer with parameters"):
        Network((Scale(torch.rand(3)),), SquaredError())


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


def test_a_layer_that_is_no_dataclass_is_named() -> None:
    class Plain:
        forward = backward = lambda self, *args: None

    with pytest.raises(TypeError, match="Plain must be a frozen dataclass"):
        Network((Plain(),), SquaredError())


def test_what_a_pass_computed_can_be_printed() -> None:
    made = mlp([5, 4, 3])
    trace = made.forward(torch.randn(2, 5))
    assert repr(trace) == "Trace(x^0 (2, 5), net^1 (2, 4), x^1 (2, 4), net^2 (2, 3), x^2 (2, 3))"
    made.loss(trace, torch.rand(2, 3))
    assert ", L 0." in repr(trace)
    deltas = "δ^1 (2, 4), δ^2 (2, 3)"
    parameters = "0.weight (4, 5), 0.bias (4,), 2.weight (3, 4), 2.bias (3,)"
    assert repr(made.backward(trace)) == f"Gradients({deltas}, {parameters})"
    assert repr(Gradients(made)) == "Gradients()"
    assert repr(made.layers[0]) == "Linear(5 → 4)"


@pytest.mark.parametrize("x", [torch.randn(3, 5), torch.randn(2, 5).double(), torch.randn(2, 5, device="meta")])
def test_another_batch_does_not_fit_into_old_buffers(x: Tensor) -> None:
    made = mlp([5, 4, 3])
    trace = made.forward(torch.randn(2, 5))
    before = trace.net(1).clone()
    with pytest.raises((ValueError, TypeError), match=r"Trace expects x \(keep one trace for each batch size\)"):
        made.forward(x, out=trace)
    assert_identical(trace.net(1), before)


@every_dtype
@pytest.mark.parametrize("loss", [SquaredError(), SoftmaxCrossEntropy()], ids=lambda loss: type(loss).__name__)
def test_parameters_are_those_of_nn_linear_and_load_into_nn_sequential(dtype: torch.dtype, loss: Loss) -> None:
    torch.manual_seed(11)
    layers = nn.Linear(7, 5, dtype=dtype), nn.Tanh(), nn.Linear(5, 3, dtype=dtype)
    reference = nn.Sequential(*layers)
    made = mlp([7, 5, 3], activation=Tanh(), loss=loss, dtype=dtype, generator=torch.Generator().manual_seed(11))
    assert made.state_dict().keys() == reference.state_dict().keys()
    for name, parameter in reference.state_dict().items():
        assert_identical(made.state_dict()[name], parameter, name)
    other = mlp([7, 5, 3], activation=Tanh(), loss=loss, dtype=dtype)
    reference.load_state_dict(other.state_dict())
    x = torch.randn(4, 7, dtype=dtype)
    assert_identical(other.forward(x).net(2), reference(x).detach())
    made.load_state_dict(reference.state_dict())
    assert_identical(made.forward(x).net(2), reference(x).detach())


def test_state_dict_is_a_copy() -> None:
    made = mlp([2, 2])
    made.state_dict()["0.weight"].zero_()
    assert made.parameters()["0.weight"].abs().min() > 0


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


@pytest.mark.parametrize("device", ["meta"])
def test_runs_on_another_device(device: str) -> None:
    """Shapes and devices only: a meta tensor has no values. Numbers on a GPU are for a machine that has one."""
    for activation in ACTIVATIONS:
        made = mlp([5, 4, 3], activation=activation, loss=SquaredError("sum"), device=device)
        step, _ = made.layers[0].forward(torch.empty(2, 5, device=device))
        y, saved = activation.forward(step)
        delta, _ = activation.backward(torch.empty_like(y), saved)
        assert {y.device.type, delta.device.type} == {device}


def test_a_pass_that_breaks_off_leaves_no_numbers_of_the_one_before() -> None:
    broken = []

    class Breaks(Scale):
        def backward(self, error, saved, out=None):
            if broken:
                raise ArithmeticError("as planned")
            return super().backward(error, saved)

    made = Network((Linear(torch.randn(3, 5)), Breaks(torch.rand(3))), SquaredError())
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    gradients = made.backward(trace)
    broken.append(True)
    with pytest.raises(ArithmeticError):
        made.backward(trace, out=gradients)
    with pytest.raises(ValueError, match=r"does not hold 0\.weight of this pass"):
        gradients["0.weight"]
