"""The whole pass: bit for bit with autograd, by finite differences, in reused buffers, layer by layer."""

import copy
import pickle

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
    GradientsOfOneLayer,
    Layer,
    Loss,
    Network,
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
    (2, 2, 1),
    (5, 3),
    (7, 1, 4),
    (33, 17, 9, 3),
    (784, 30, 10),
    (3, 2, 2, 2, 2, 2),
    (2, 1, 30, 1, 11),
)
BATCHES = dict(zip(REGIMES, ((1, 129), (2, 7), (4, 32)), strict=True))
"""Of each pair the first for a sum over the samples, the second for a mean."""


COMBINATIONS = [
    pytest.param(
        *(sizes, activation, loss, dtype),
        marks=[pytest.mark.long] if (i + 2 * j + k + (dtype == torch.float32)) % 3 else [],
        id=f"{'-'.join(map(str, sizes))}-{type(activation).__name__}-{loss_id(loss)}-{str(dtype)[6:]}",
    )
    for i, sizes in enumerate(SHAPES)
    for j, activation in enumerate(ACTIVATIONS)
    for k, loss in enumerate(LOSSES)
    for dtype in DTYPES
]
"""Every third is for every run: in it each shape meets each activation, loss, dtype and kind of weights."""


@pytest.mark.parametrize(("sizes", "activation", "loss", "dtype"), COMBINATIONS)
def test_every_quantity_equals_autograd_s_to_the_last_bit(
    sizes: tuple[int, ...], activation: Layer, loss: Loss, dtype: torch.dtype
) -> None:
    """At initial, trained and saturated weights, of which each shape meets one with each activation and loss."""
    which = SHAPES.index(sizes) + [*map(type, ACTIVATIONS)].index(type(activation)) + (dtype == torch.float32)
    regime, batches = [*BATCHES.items()][which % len(BATCHES)]
    made, rows = network(sizes, activation, loss, dtype, regime), batches[loss.reduction == "mean"]
    x, t = torch.randn(rows, sizes[0], dtype=dtype), targets(rows, sizes[-1], dtype)
    report = crosscheck(made, x, t, power=False)
    assert report.identical, f"{regime.__name__} weights, batch {rows}\n{report}"


@pytest.mark.long(but=("-1]", "SquaredError-mean-2"))
@pytest.mark.parametrize("threads", [1, 2])
@every_loss
def test_equal_for_every_number_of_threads(threads: int, loss: Loss) -> None:
    torch.set_num_threads(threads)
    made = network((256, 100, 100, 10), Sigmoid(), loss, torch.float32)
    report = crosscheck(made, torch.randn(128, 256), targets(128, 10, torch.float32), power=False)
    assert report.identical, str(report)


@pytest.mark.long(but=9)
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
@pytest.mark.long(but=12)
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


@every_activation
@every_loss
def test_updating_all_at_once_equals_updating_by_name(activation: Layer, loss: Loss) -> None:
    """The whole buffer in one operation, its gaps included, or tensor by tensor."""
    at_once, by_name, by_layer = (mlp([5, 4, 4, 3], activation=activation, loss=loss) for _ in range(3))
    x, t = torch.randn(6, 5), targets(6, 3, torch.float32)
    settings = {"lr": 0.5, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}
    for made in (by_name, by_layer):
        made.load_state_dict(at_once.state_dict())
    descents = [GradientDescent(made, **settings) for made in (at_once, by_name, by_layer)]
    room = GradientsOfOneLayer(by_layer)
    for _ in range(3):
        traces = [made.forward(x) for made in (at_once, by_name, by_layer)]
        for made, trace in zip((at_once, by_name, by_layer), traces, strict=True):
            made.loss(trace, t)
        descents[0].update(at_once.backward(traces[0]))
        descents[1].update(dict(by_name.backward(traces[1])))
        for of_one_layer in by_layer.backward_by_layer(traces[2], room):
            descents[2].update(of_one_layer)
    for name, parameter in at_once.parameters().items():
        assert_identical(parameter, by_name.parameters()[name], name)
        assert_identical(parameter, by_layer.parameters()[name], name)
        assert_identical(descents[0].velocity[name], descents[1].velocity[name], name)
    assert torch.count_nonzero(at_once.buffer) == sum(torch.count_nonzero(p) for p in at_once.parameters().values())


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


@pytest.mark.parametrize("device", ["meta"])
def test_runs_on_another_device(device: str) -> None:
    """Shapes and devices only: a meta tensor has no values. Numbers on a GPU are for a machine that has one."""
    for activation in ACTIVATIONS:
        made = mlp([5, 4, 3], activation=activation, loss=SquaredError("sum"), device=device)
        x = torch.empty(2, 5, device=device)
        trace = made.forward(x)
        assert made.forward(x, out=trace).y.shape == (2, 3)
        step, _ = made.layers[0].forward(torch.empty(2, 5, device=device))
        y, saved = activation.forward(step)
        delta, _ = activation.backward(torch.empty_like(y), saved)
        assert {y.device.type, delta.device.type} == {device}
