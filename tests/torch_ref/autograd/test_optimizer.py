"""Any of torch.optim by name, fed with the handwritten gradients: the same numbers as under autograd."""

import pytest
import torch
from cases import assert_identical, network, targets

from manual_bp import GradientDescent, ReLU, SoftmaxCrossEntropy
from manual_bp.training.engine import step as step_module
from manual_bp.training.engine.step import ManualEngine
from torch_ref.autograd import optimizer
from torch_ref.autograd.engine import AutogradEngine
from torch_ref.autograd.optimizer import TorchOptimizer


def made():
    return network((6, 5, 3), ReLU(), SoftmaxCrossEntropy(), torch.float64)


def batches(n: int):
    for _ in range(n):
        yield torch.randn(8, 6, dtype=torch.float64), targets(8, 3, torch.float64)


@pytest.mark.long(but=4)
@pytest.mark.parametrize("name", optimizer.names())
def test_twenty_steps_equal_autograds_to_the_last_bit(name: str) -> None:
    by_hand = made()
    settings = {"momentum": 0.9} if name == "SGD" else {}  # without it there is nothing to remember
    fed = TorchOptimizer(name, by_hand.parameters(), lr=0.01, **settings)
    engines = ManualEngine(by_hand, fed), AutogradEngine(by_hand, fed)
    before = by_hand.state_dict()
    for x, t in batches(20):
        first, second = (engine.step(x, t) for engine in engines)
        assert_identical(first, second)
    for parameter, value in engines[1].parameters().items():
        assert_identical(by_hand.parameters()[parameter], value, parameter)
        assert not torch.equal(value, before[parameter])
    remembered, others = (engine.optimizer_state() for engine in engines)
    assert remembered.keys() == others.keys() == before.keys()
    for parameter, state in remembered.items():
        assert state
        for key, value in state.items():
            assert_identical(value, others[parameter][key], f"{key} of {parameter}")


@pytest.mark.parametrize("name", optimizer.names())
def test_is_torchs_own(name: str) -> None:
    """The same gradients given to a plain torch.optim on plain parameters."""
    by_hand = made()
    plain = {key: torch.nn.Parameter(value.clone()) for key, value in by_hand.parameters().items()}
    theirs = getattr(torch.optim, name)(plain.values(), lr=0.01)
    mine = TorchOptimizer(name, by_hand.parameters(), lr=0.01)
    for _ in range(5):
        gradients = {key: torch.randn_like(value) for key, value in plain.items()}
        mine.update(gradients)
        for key, parameter in plain.items():
            parameter.grad = gradients[key]
        theirs.step()
    for key, parameter in plain.items():
        assert_identical(by_hand.parameters()[key], parameter.detach(), key)


@pytest.mark.parametrize("name", optimizer.names())
@pytest.mark.parametrize("engine", [ManualEngine, AutogradEngine], ids=["to manual", "to autograd"])
def test_goes_on_from_its_state_to_the_last_bit(name: str, engine: type) -> None:
    whole = made()
    start = whole.state_dict()
    undisturbed = ManualEngine(whole, TorchOptimizer(name, whole.parameters(), lr=0.01))
    ten = list(batches(10))
    for i, (x, t) in enumerate(ten):
        if i == 4:
            parameters, state = whole.state_dict(), undisturbed.optimizer_state()
        undisturbed.step(x, t)
    other = made()
    other.load_state_dict(start)
    resumed = engine(other, TorchOptimizer(name, other.parameters(), lr=0.01))
    resumed.load(parameters, state)
    for x, t in ten[4:]:
        resumed.step(x, t)
    for key, value in resumed.parameters().items():
        assert_identical(value, whole.parameters()[key], key)


def test_one_layer_at_a_time_moves_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large network's gradients take turns in one buffer."""
    together, apart = made(), made()
    apart.load_state_dict(together.state_dict())
    first = ManualEngine(together, TorchOptimizer("Adam", together.parameters(), lr=0.01))
    ten = list(batches(10))
    for x, t in ten:
        first.step(x, t)
    monkeypatch.setattr(step_module, "ONE_AT_A_TIME", 0)
    second = ManualEngine(apart, TorchOptimizer("Adam", apart.parameters(), lr=0.01))
    for x, t in ten:
        second.step(x, t)
    assert_identical(apart.buffer, together.buffer)


def test_the_learning_rate_may_change_between_steps() -> None:
    by_hand = made()
    fed = TorchOptimizer("SGD", by_hand.parameters(), lr=0.5)
    fed.lr = 0.25
    before = by_hand.state_dict()
    fed.update({name: torch.ones_like(p) for name, p in before.items()})
    assert fed.lr == 0.25
    for name, p in before.items():
        assert_identical(by_hand.parameters()[name], p - 0.25)


def test_settings_are_passed_on() -> None:
    by_hand = made()
    fed = TorchOptimizer("RMSprop", by_hand.parameters(), lr=0.5, momentum=0.25, weight_decay=0.125)
    (group,) = fed.of(by_hand.state_dict()).optimizer.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.5, 0.25, 0.125)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("adam", {}, r"expects one of ASGD, .*, SGD, got 'adam'"),
        ("LBFGS", {}, r"got 'LBFGS' \(it evaluates the loss by itself\)"),
        ("Adam", {"momentum": 0.9}, r"settings that Adam knows, got \['momentum'\]"),
        ("Adam", {"weight_decay": -1.0}, "weight_decay"),
    ],
)
def test_a_wrong_name_or_setting_is_named(name: str, settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TorchOptimizer(name, made().parameters(), lr=0.1, **settings)


def test_wrong_gradients_are_named() -> None:
    fed = TorchOptimizer("Adam", made().parameters(), lr=0.1)
    with pytest.raises(KeyError, match="expects gradients of"):
        fed.update({"9.weight": torch.zeros(3)})
    with pytest.raises(ValueError, match=r"the gradient of 0.bias of shape \(5,\), got \(4,\)"):
        fed.update({"0.bias": torch.zeros(4, dtype=torch.float64)})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("0.bias"),
        lambda state: state["0.bias"].pop("exp_avg"),
        lambda state: state["0.bias"].update(exp_avg=torch.zeros(4, dtype=torch.float64)),
        lambda state: state["0.bias"].update(exp_avg=torch.zeros(5)),
        lambda state: state.update({"9.weight": {}}),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(spoil) -> None:
    by_hand = made()
    fed = TorchOptimizer("Adam", by_hand.parameters(), lr=0.1)
    fed.update({name: torch.ones_like(p) for name, p in by_hand.state_dict().items()})
    before, state = fed.state_dict(), fed.state_dict()
    spoil(state)
    with pytest.raises(ValueError, match="TorchOptimizer expects the state of Adam"):
        fed.load_state_dict(state)
    for name, of_parameter in fed.state_dict().items():
        for key, value in of_parameter.items():
            assert_identical(value, before[name][key])


@pytest.mark.parametrize("name", optimizer.names())
def test_an_empty_state_is_the_beginning(name: str) -> None:
    by_hand = made()
    start, ones = by_hand.state_dict(), {key: torch.ones_like(p) for key, p in by_hand.parameters().items()}
    fed = TorchOptimizer(name, by_hand.parameters(), lr=0.1)
    fed.update(ones)
    once = by_hand.state_dict()
    fed.update(ones)
    fed.load_state_dict({})
    by_hand.load_state_dict(start)
    fed.update(ones)
    for key, value in by_hand.parameters().items():
        assert_identical(value, once[key], key)


def test_gradient_descent_and_autograds_sgd_remember_the_same() -> None:
    by_hand = made()
    descent = GradientDescent(by_hand, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    engines = ManualEngine(by_hand, descent), AutogradEngine(by_hand, descent)
    for x, t in batches(5):
        for engine in engines:
            engine.step(x, t)
    mine, theirs = (engine.optimizer_state() for engine in engines)
    assert mine.keys() == theirs.keys()
    for name, state in mine.items():
        assert_identical(state["momentum_buffer"], theirs[name]["momentum_buffer"], name)
