"""Gradient descent against torch.optim.SGD on the mirror, and against plain arithmetic."""

import copy
import pickle

import pytest
import torch
from cases import assert_identical, network, targets

from manual_bp import GradientDescent, Layer, Loss, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from manual_bp.training.engine.step import ManualEngine
from torch_ref.autograd.engine import AutogradEngine

SETTINGS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "weight decay": {"weight_decay": 1e-3},
    "Nesterov": {"momentum": 0.9, "nesterov": True},
    "Nesterov with weight decay": {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
}
every_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())


@pytest.mark.long(but=("Nesterov",))
@pytest.mark.parametrize(
    ("settings", "activation", "loss", "dtype"),
    [
        ("plain", Sigmoid(), SquaredError(), torch.float32),
        ("momentum", Tanh(), SquaredError("sum"), torch.float64),
        ("weight decay", Sigmoid(), SoftmaxCrossEntropy(), torch.float64),
        ("Nesterov with weight decay", ReLU(), SoftmaxCrossEntropy(), torch.float32),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_1000_steps_equal_those_of_torch_optim_sgd_to_the_last_bit(
    settings: str, activation: Layer, loss: Loss, dtype: torch.dtype
) -> None:
    """The loss of every step and the parameters at the end; batches of 16, the last of every five smaller, each size in
    tensors of its own as ``Batches`` makes them: from the fourth on the steps of a size repeat its record."""
    made = network((12, 9, 7, 4), activation, loss, dtype)
    descent = GradientDescent(made, lr=0.02, **SETTINGS[settings])
    by_hand, by_autograd = ManualEngine(made, descent), AutogradEngine(made, descent)
    before = made.state_dict()
    x, t = torch.randn(74, 12, dtype=dtype), targets(74, 4, dtype)
    batches = list(zip(x.split(16), t.split(16), strict=True))
    buffers = {len(x): (torch.empty_like(x), torch.empty_like(t)) for x, t in batches}
    for step in range(1000):
        descent.lr = 0.02 * (1 - step / 2000)
        x, t = (
            buffer.copy_(new) for buffer, new in zip(buffers[len(batches[step % 5][0])], batches[step % 5], strict=True)
        )
        assert_identical(by_hand.step(x, t), by_autograd.step(x, t), f"L at step {step}")
    for name, parameter in by_autograd.parameters().items():
        assert_identical(made.parameters()[name], parameter, name)
        assert not torch.equal(parameter, before[name])


def test_three_updates_by_plain_arithmetic() -> None:
    """θ = 1, g = 2, η = ½, momentum ½, Nesterov, weight decay ¼: every number is exact."""
    made = mlp([1, 1], dtype=torch.float64)
    weight = made.parameters()["0.weight"].fill_(1)
    descent = GradientDescent(made, lr=0.5, momentum=0.5, nesterov=True, weight_decay=0.25)
    theta, v = 1.0, None
    for _ in range(3):
        descent.update({"0.weight": torch.full((1, 1), 2.0, dtype=torch.float64)})
        g = 2 + 0.25 * theta
        v = g if v is None else 0.5 * v + g
        theta = theta - 0.5 * (g + 0.5 * v)
        assert weight.item() == theta
    assert descent.velocity["0.weight"].item() == v


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda descent: pickle.loads(pickle.dumps(descent))])
def test_a_copy_keeps_its_velocity(copied) -> None:
    """One buffer and its views: an update of all at once, then of one by name, then of all."""
    made = mlp([4, 3, 2])
    descent = GradientDescent(made, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    x, t = torch.randn(5, 4), torch.rand(5, 2)

    def train(one: GradientDescent) -> None:
        trace = one.network.forward(x)
        one.network.loss(trace, t)
        gradients = one.network.backward(trace)
        one.update(gradients)
        one.update({"0.weight": gradients["0.weight"]})
        one.update(gradients)

    train(descent)
    twin = copied(descent)
    train(descent)
    train(twin)
    assert_identical(twin.network.buffer, made.buffer)
    for name, velocity in descent.velocity.items():
        assert_identical(twin.velocity[name], velocity, name)


def test_one_update_is_e9_and_leaves_the_gradient_alone() -> None:
    made = mlp([3, 2], dtype=torch.float64)
    before = made.state_dict()
    gradients = {name: torch.randn_like(p) for name, p in before.items()}
    kept = {name: g.clone() for name, g in gradients.items()}
    GradientDescent(made, lr=0.25).update(gradients)  # a power of two: the product does not round
    for name, parameter in made.parameters().items():
        assert_identical(parameter, before[name] - 0.25 * kept[name], name)
        assert_identical(gradients[name], kept[name], name)


@every_setting
def test_the_update_of_all_is_that_of_each_by_name(settings: dict) -> None:
    """Tensors of several shapes take turns in one scratch."""
    at_once, by_name = mlp([5, 4, 3]), mlp([5, 4, 3])
    by_name.load_state_dict(at_once.state_dict())
    x, t = torch.randn(6, 5), torch.rand(6, 3)
    descents = [GradientDescent(made, lr=0.5, **settings) for made in (at_once, by_name)]
    for _ in range(3):
        trace = at_once.forward(x)
        at_once.loss(trace, t)
        gradients = at_once.backward(trace)
        descents[0].update(gradients)
        descents[1].update(dict(gradients))
    for name, parameter in at_once.parameters().items():
        assert_identical(by_name.parameters()[name], parameter, name)


@every_setting
def test_the_first_update_allocates_one_scratch_where_it_is_needed_and_the_next_none(settings: dict) -> None:
    made = mlp([20, 10], dtype=torch.float64)
    descent = GradientDescent(made, lr=0.1, **settings)
    gradients = {"0.weight": torch.randn(10, 20, dtype=torch.float64)}
    needed = "weight_decay" in settings or "nesterov" in settings
    for expected in ([gradients["0.weight"].nbytes] if needed else [], []):
        with torch.profiler.profile(profile_memory=True) as profile:
            descent.update(gradients)
        sizes = [event.self_cpu_memory_usage for event in profile.events()]
        assert [size for size in sizes if size > 8] == expected  # 8: the boxes of Python numbers


@every_setting
def test_a_gradient_that_does_not_fit_moves_nothing(settings: dict) -> None:
    made = mlp([3, 2])
    before = made.state_dict()
    descent = GradientDescent(made, lr=0.1, **settings)
    good = {"0.weight": torch.ones(2, 3)}
    with pytest.raises(
        ValueError, match=r"GradientDescent expects the gradient of 0.bias of shape \(2,\), got \(1, 2\)"
    ):
        descent.update(good | {"0.bias": torch.ones(1, 2)})
    with pytest.raises(TypeError, match=r"gradient of 0\.bias of dtype torch\.float32, got torch\.float64"):
        descent.update(good | {"0.bias": torch.ones(2).double()})
    with pytest.raises(KeyError, match=r"expects gradients of \['0.weight', '0.bias'\], got '1.bias'"):
        descent.update(good | {"1.bias": torch.ones(2)})
    for name, parameter in made.parameters().items():
        assert_identical(parameter, before[name], name)
    assert not any(v.any() for v in descent.velocity.values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": -0.1}, "lr to be finite and at least 0, got -0.1"),
        ({"lr": float("nan")}, "lr to be finite and at least 0, got nan"),
        ({"lr": 0.1, "momentum": float("inf")}, "momentum to be finite"),
        ({"lr": 0.1, "weight_decay": -1}, "weight_decay to be finite and at least 0, got -1"),
        ({"lr": 0.1, "nesterov": True}, "momentum above 0 for Nesterov's form"),
        ({"lr": "0.1"}, "lr to be finite and at least 0, got '0.1'"),
    ],
)
def test_wrong_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GradientDescent(mlp([3, 2]), **settings)


def test_what_is_no_network_or_no_mapping_is_named() -> None:
    with pytest.raises(TypeError, match="GradientDescent expects a Network, got Linear"):
        GradientDescent(torch.nn.Linear(2, 2), lr=0.1)
    with pytest.raises(TypeError, match="GradientDescent expects gradients by name, got list"):
        GradientDescent(mlp([3, 2]), lr=0.1).update([1])


def test_the_velocity_goes_on_from_a_copy() -> None:
    made = network((6, 5, 3), Sigmoid(), SquaredError(), torch.float64)
    descent = GradientDescent(made, lr=0.1, momentum=0.9)
    descent.update({name: torch.randn_like(p) for name, p in made.parameters().items()})
    state, other = descent.state_dict(), GradientDescent(made, lr=0.1, momentum=0.9)
    other.load_state_dict(state)
    for name, v in descent.velocity.items():
        assert_identical(other.velocity[name], v, name)
        assert v.abs().min() > 0
    state["0.bias"]["momentum_buffer"].zero_()
    assert other.velocity["0.bias"].abs().min() > 0
    other.load_state_dict({})
    assert all(v.abs().max() == 0 for v in other.velocity.values())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("0.bias"),
        lambda state: state["0.bias"].update(exp_avg=torch.zeros(5)),
        lambda state: state["2.bias"].update(momentum_buffer=torch.zeros(4, dtype=torch.float64)),
        lambda state: state["2.bias"].update(momentum_buffer=torch.zeros(3)),
    ],
)
def test_a_velocity_that_does_not_fit_changes_nothing(spoil) -> None:
    made = network((6, 5, 3), Sigmoid(), SquaredError(), torch.float64)
    descent = GradientDescent(made, lr=0.1, momentum=0.9)
    state = {name: {"momentum_buffer": torch.ones_like(v)} for name, v in descent.velocity.items()}
    spoil(state)
    with pytest.raises((ValueError, TypeError), match="GradientDescent expects"):
        descent.load_state_dict(state)
    assert all(v.abs().max() == 0 for v in descent.velocity.values())


def test_without_momentum_there_is_nothing_to_go_on_from() -> None:
    descent = GradientDescent(network((6, 5, 3), Sigmoid(), SquaredError(), torch.float64), lr=0.1)
    assert descent.state_dict() == {}
    descent.load_state_dict({})
    with pytest.raises(ValueError, match=r"GradientDescent expects the state \{\}, got"):
        descent.load_state_dict({"0.bias": {"momentum_buffer": torch.zeros(5)}})
