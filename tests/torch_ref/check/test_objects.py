"""Objects that keep input, parameters and gradients on themselves: the four layouts of tutorials."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from cases import blamed
from objects import Dense, PerSample, TwoLayers, Updating, WithRate, of_float32, of_numpy, of_torch

from torch_ref import check_function, functions_of

KINDS = pytest.mark.parametrize("draw", [of_torch, of_numpy, of_float32])


@KINDS
def test_a_layer_that_sets_its_gradients(draw: Any) -> None:
    layer, x = Dense(draw), draw(6, 3)
    report = check_function(*functions_of(layer, x, {"W": "dW", "b": "db"}))
    assert report.outcome == "right", str(report)
    assert [row.quantity for row in report.rows] == ["output", "gradient of x", "gradient of W", "gradient of b"]
    assert "x" not in vars(layer), "it stays as it is"
    report = check_function(*functions_of(Dense(draw, "mean"), x, {"W": "dW", "b": "db"}))
    assert blamed(report) == {"gradient of b": "a factor of 1/N (N = 6?)"}
    assert report.verdict.startswith("Wrong: gradient of b, backward at tests/objects.py:")


@pytest.mark.long(but=2)
@KINDS
@pytest.mark.parametrize(("kind", "rate"), [(Updating, None), (WithRate, "lr")])
def test_a_layer_that_updates_itself(draw: Any, kind: Any, rate: str | None) -> None:
    layer, x = kind(draw), draw(6, 3)
    before = copy.deepcopy(vars(layer))
    report = check_function(*functions_of(layer, x, updated=("W", "b"), rate=rate))
    assert report.outcome == "right", str(report)
    assert (before["W"] == layer.W).all()
    assert vars(layer).keys() == before.keys()
    assert report.power.factor < 1e-5
    mean = check_function(*functions_of(kind(draw, "mean"), x, updated=("W", "b"), rate=rate))
    assert blamed(mean) == {"gradient of b": "a factor of 1/N (N = 6?)"}
    late = check_function(*functions_of(kind(draw, "late"), x, updated=("W", "b"), rate=rate))
    assert list(blamed(late)) == ["gradient of x"], "the weights were new already"


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_how_exact_a_gradient_is_that_is_read_from_an_update(size: float) -> None:
    layer, x = Updating(of_float32), of_float32(6, 3)
    layer.W *= np.float32(1e3)
    forward, backward, inputs = functions_of(layer, x, updated=("W", "b"))
    d = np.float32(size) * of_float32(6, 4)
    found, right = backward(d, **inputs)["W"], x.astype(float).T @ d.astype(float)
    unit = np.finfo(np.float32).eps
    assert (np.abs(found - right) <= 8 * unit * np.abs(x).T @ np.abs(d) + unit * np.abs(layer.W) / 2**20).all()
    assert check_function(forward, backward, inputs, upstream=torch.from_numpy(d)).ok


@pytest.mark.long(but=1)
@KINDS
def test_a_network_with_dicts_of_parameters_and_gradients(draw: Any) -> None:
    x, y = draw(6, 3), draw(6, 2)
    report = check_function(*functions_of(TwoLayers(draw), [x, y], {"params": "grads"}, forward="loss"))
    assert report.ok, str(report)
    assert [name for name, _ in report.not_compared] == ["gradient of x", "gradient of y"]
    assert report.remarks == (), "a loss that takes no upstream gradient ignores none"
    report = check_function(*functions_of(TwoLayers(draw, "mean"), [x, y], {"params": "grads"}, forward="loss"))
    assert list(blamed(report)) == ["gradient of params['b1']"]


def test_a_network_of_one_sample_that_returns_lists() -> None:
    def cost(net: PerSample, x: Any, y: Any) -> Any:
        return ((net.feedforward(x) - y) ** 2).sum() / 2

    x, y, lists = of_numpy(4, 1), of_numpy(3, 1), ("biases", "weights")
    report = check_function(
        *functions_of(PerSample([4, 5, 3]), [x, y], returned=lists, forward=cost, backward="backprop")
    )
    assert report.ok, str(report)
    assert "gradient of weights[1]" in [row.quantity for row in report.rows]
    swapped = PerSample([4, 5, 3], "swapped")
    report = check_function(*functions_of(swapped, [x, y], returned=lists, forward=cost, backward="backprop"))
    assert len(report.guilty) == 4, "weights for biases"
