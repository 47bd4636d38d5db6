"""A backward that updates the parameters itself: what it moved them by is the learning rate times their gradient."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.torch_ref.lines.programs import broken, made
from torch_ref import Report, check_lines

LAYERS = """
class Dense:
    def __init__(self, n_in, n_out):
        self.weights, self.bias = np.random.randn(n_in, n_out), np.random.randn(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.bias

    def backward(self, upstream, learning_rate):
        below = upstream @ self.weights.T
        self.weights -= learning_rate * (self.x.T @ upstream)
        self.bias -= learning_rate * upstream.sum(0)
        return below


class Squash:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, upstream, learning_rate):
        return upstream * (1 - self.y**2)


class Net:
    def __init__(self):
        self.layers = [Dense(3, 5), Squash(), Dense(5, 4)]

    def loss(self, x, t):
        for layer in self.layers:
            x = layer.forward(x)
        return ((x - t) ** 2).sum()

    def step(self, x, t, learning_rate):
        out = x
        for layer in self.layers:
            out = layer.forward(out)
        passed = 2 * (out - t)
        for layer in reversed(self.layers):
            passed = layer.backward(passed, learning_rate)
"""

ERRORS = """
def slope(y):
    return y * (1 - y)


def forward(x, t, V, W):
    first = 1 / (1 + np.exp(-x @ V))
    last = 1 / (1 + np.exp(-first @ W))
    return ((last - t) ** 2).sum() / 2


def backward(x, t, V, W, first, last):
    last_error = t - last
    last_delta = last_error * slope(last)
    first_error = last_delta @ W.T
    first_delta = first_error * slope(first)
    W += first.T @ last_delta
    V += x.T @ first_delta
"""


def check_net(text: str) -> Report:
    np.random.seed(0)
    net = made(text)["Net"]()
    return check_lines(net.loss, net.step, [np.random.randn(6, 3), np.random.randn(6, 4)], power=False)


def check_errors(text: str) -> Report:
    random = np.random.default_rng(0)
    x, t, V, W = (random.normal(size=size) for size in ((6, 3), (6, 2), (3, 4), (4, 2)))
    found = made(text)
    return check_lines(found["forward"], found["backward"], [x, t, V, W], power=False)


def test_right_updates_of_layers_are_accepted() -> None:
    report = check_net(LAYERS)
    assert report.ok, report.verdict
    assert {row.quantity for row in report.rows} >= {f"gradient of self.layers[{i}].bias" for i in (0, 2)}


@pytest.mark.long(but=2)
@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("below = upstream @ self.weights.T", "below = -upstream @ self.weights.T"),
        (
            "self.weights -= learning_rate * (self.x.T @ upstream)",
            "self.weights -= 2 * learning_rate * (self.x.T @ upstream)",
        ),
        (
            "self.bias -= learning_rate * upstream.sum(0)",
            "self.bias -= learning_rate * upstream.mean()",
        ),
        ("return upstream * (1 - self.y**2)", "return upstream * (1 - self.y)"),
    ],
)
def test_a_wrong_line_of_a_layer_that_updates_itself_is_named(line: str, instead: str) -> None:
    text, where = broken(LAYERS, line, instead)
    report = check_net(text)
    assert {row.source.endswith(where) for row in report.guilty} == {True}, report.verdict


def test_errors_whose_updates_are_added_are_right() -> None:
    report = check_errors(ERRORS)
    assert report.ok, report.verdict
    assert {row.quantity for row in report.rows} == {f"gradient of {name}" for name in ("last", "first", "V", "W")}
    assert not any("in place" in remark for remark in report.remarks)
    assert any("-1 times the gradients" in remark for remark in report.remarks)


@pytest.mark.long(but=("W +=",))
@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("first_error = last_delta @ W.T", "first_error = last_error @ W.T"),
        ("W += first.T @ last_delta", "W += first.T @ last_error"),
        ("V += x.T @ first_delta", "V -= x.T @ first_delta"),
    ],
)
def test_a_wrong_line_among_errors_is_named(line: str, instead: str) -> None:
    text, where = broken(ERRORS, line, instead)
    report = check_errors(text)
    assert [row.source[-len(where) :] for row in report.guilty][:1] == [where], report.verdict


@pytest.mark.long
def test_a_gradient_of_any_name_is_compared_where_it_is_made() -> None:
    text = ERRORS.replace("    V += x.T @ first_delta\n", "    change = x.T @ first_error\n    V += 1.0 * change\n")
    report = check_errors(text)
    assert [row.of.text for row in report.guilty] == ["change = x.T @ first_error"], report.verdict


RATE = 0.05


def _loss(x: Any, t: Any, W: Any) -> Any:
    y = x @ W
    return ((y - t) ** 2).sum()


def _global(x: Any, t: Any, W: Any, y: Any) -> None:
    W -= RATE * (x.T @ (2 * (y - t)))


def _written(x: Any, t: Any, W: Any, y: Any) -> None:
    W -= 0.05 * (x.T @ (2 * (y - t)))


def _argument(x: Any, t: Any, W: Any, y: Any, lr: float) -> None:
    W -= lr * (x.T @ (2 * (y - t)))


def _bound(x: Any, t: Any, W: Any, y: Any, lr: float = 0.5) -> Any:
    W = W - lr * (x.T @ (2 * (y - t)))
    return [W]


@pytest.mark.parametrize("backward", [_global, _written, _argument, _bound])
def test_wherever_the_learning_rate_is(backward: Any) -> None:
    inputs = [torch.randn(size) for size in ((5, 3), (5, 2), (3, 2))]
    report = check_lines(_loss, backward, inputs, power=False)
    assert [row.quantity for row in report.rows] == ["gradient of W"]
    assert report.ok, report.verdict


def _unknown(x: Any, t: Any, W: Any, y: Any, rho: float = 0.1) -> None:
    W -= rho * (x.T @ (2 * (y - t)))


def _twice(x: Any, t: Any, W: Any, y: Any, lr: float = 0.1) -> None:
    for _ in range(2):
        W -= lr * (x.T @ (2 * (y - t)))


def _divided(x: Any, t: Any, W: Any, y: Any, lr: float = 0.1) -> None:
    e = x.T @ (2 * (y - t))
    W -= lr * e / (abs(e) + 1e-8)


@pytest.mark.parametrize("backward", [_unknown, _twice, _divided])
def test_what_does_not_show_the_gradient_is_not_compared(backward: Any) -> None:
    inputs = [np.random.default_rng(0).normal(size=size) for size in ((5, 3), (5, 2), (3, 2))]
    with pytest.raises(ValueError, match="What backward updates itself is compared where it moves it once"):
        check_lines(_loss, backward, inputs, power=False)
