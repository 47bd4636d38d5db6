"""Which number was the first that is not finite: by either engine, for every place where it may begin."""

import math

import pytest
import torch
from cases import network, targets

from manual_bp import GradientDescent, ReLU, SquaredError
from manual_bp.training.engine import step as step_module
from manual_bp.training.engine.finite import first_not_finite, seems_finite
from manual_bp.training.engine.step import ManualEngine
from torch_ref.autograd.engine import AutogradEngine

SIZES = (6, 5, 4, 3)


def after_a_step(engine_type: type, *, weights: dict[str, float], x: float = 1.0) -> str | None:
    """Return what is named after a step on a batch of positive numbers, some parameters filled with one number."""
    made = network(SIZES, ReLU(), SquaredError(), torch.float32)
    for name, parameter in made.parameters().items():
        parameter.fill_(weights.get(name, 0.5))
    engine = engine_type(made, GradientDescent(made, lr=0.1))
    engine.step(torch.full((8, 6), x), targets(8, 3, torch.float32))
    return first_not_finite(engine.values())


@pytest.mark.parametrize("engine", [ManualEngine, AutogradEngine])
@pytest.mark.parametrize(
    ("weights", "x", "first"),
    [
        ({}, math.inf, "x^0 is infinite"),
        ({}, math.nan, "x^0 is NaN"),
        ({"0.weight": 1e38}, 1.0, "net^1 is infinite"),
        ({"2.weight": 1e38}, 1.0, "net^2 is infinite"),
        ({"4.bias": math.nan}, 1.0, "net^3 is NaN"),
        ({"4.weight": 1e25}, 1.0, "L is infinite"),
    ],
)
def test_the_first_is_named(engine: type, weights: dict[str, float], x: float, first: str) -> None:
    assert after_a_step(engine, weights=weights, x=x) == first


@pytest.mark.parametrize(
    ("engine", "first"), [(ManualEngine, "∂L/∂W^2 is infinite"), (AutogradEngine, "∂L/∂W^2 is infinite")]
)
def test_a_gradient_that_overflows_is_named(engine: type, first: str) -> None:
    """Small weights in layer 3 keep L finite; 1e25 of layer 2's input times its δ of 1e14 does not fit float32."""
    weights = {"0.weight": 1e25, "2.weight": 1e-25, "4.weight": 1e14, "4.bias": 0.0}
    assert after_a_step(engine, weights=weights) == first


def test_of_a_large_network_the_updated_parameters_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_module, "ONE_AT_A_TIME", 0)
    weights = {"0.weight": 1e25, "2.weight": 1e-25, "4.weight": 1e14, "4.bias": 0.0}
    assert after_a_step(ManualEngine, weights=weights) == "W^2 after its update is infinite"


@pytest.mark.parametrize("engine", [ManualEngine, AutogradEngine])
def test_nothing_is_named_where_all_is_finite(engine: type) -> None:
    assert after_a_step(engine, weights={}) is None


@pytest.mark.parametrize("engine", [ManualEngine, AutogradEngine])
def test_before_the_first_step_there_is_nothing_to_name(engine: type) -> None:
    made = network(SIZES, ReLU(), SquaredError(), torch.float32)
    assert list(engine(made, GradientDescent(made, lr=0.1)).values()) == []


@pytest.mark.parametrize("engine", [ManualEngine, AutogradEngine])
def test_values_come_in_the_order_of_computation(engine: type) -> None:
    made = network(SIZES, ReLU(), SquaredError(), torch.float32)
    trained = engine(made, GradientDescent(made, lr=0.1))
    for rows in (8, 8, 8, 8, 3):  # the fourth repeats a record
        trained.step(torch.rand(rows, 6), targets(rows, 3, torch.float32))
        values = dict(trained.values())
        assert len(values["x^0"]) == rows
    names = [name for name in values if not name.startswith("δ")]
    forward = ["x^0", "net^1", "x^1", "net^2", "x^2", "net^3", "x^3", "L"]
    backward = [f"∂L/∂{p}^{l}" for l in (3, 2, 1) for p in "Wb"]
    assert names == [*forward, *backward, *(f"{p}^{l} after its update" for l in (3, 2, 1) for p in "Wb")]


@pytest.mark.parametrize(
    ("loss", "parameters", "seems"),
    [
        (1.0, [torch.ones(3), torch.ones(2)], True),
        (math.nan, [torch.ones(3)], False),
        (math.inf, [torch.ones(3)], False),
        (1.0, [torch.ones(3), torch.tensor([1.0, math.nan])], False),
        (1.0, [torch.tensor([math.inf, -math.inf])], False),
    ],
)
def test_a_glance(loss: float, parameters: list[torch.Tensor], seems: bool) -> None:
    assert seems_finite(loss, parameters) is seems
