"""Parameters that are numbers of Python, on an object, in a list or of a module, and two lists in a mapping."""

from typing import Any

import numpy as np
import pytest

from tests.torch_ref.lines.programs import broken, made
from torch_ref import Report, check_lines

NEURON = """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Neuron:
    def __init__(self):
        self.w = [0.3, -0.2]
        self.b, self.v, self.scale = 0.1, 0.7, 2.0

    def loss(self, x, t):
        h = sigmoid(self.w[0] * x[0] + self.w[1] * x[1] + self.b)
        y = self.v * h * self.scale
        return (y - t) ** 2

    def train(self, x, t, lr=0.1):
        z = self.w[0] * x[0] + self.w[1] * x[1] + self.b
        h = sigmoid(z)
        dy = 2 * (self.v * h * self.scale - t)
        slope = h * (1 - h)
        dz = dy * self.v * self.scale * slope
        self.v -= lr * dy * h * self.scale
        self.w[0] -= lr * dz * x[0]
        self.w[1] -= lr * dz * x[1]
        self.b = self.b - lr * dz
"""


def check(text: str) -> Report:
    neuron = made(text)["Neuron"]()
    report = check_lines(neuron.loss, neuron.train, [np.array([-2.0, 1.0]), 1.0], power=False)
    assert (neuron.w, neuron.b, neuron.v) == ([0.3, -0.2], 0.1, 0.7)
    return report


def test_right_updates_of_numbers_are_accepted() -> None:
    report = check(NEURON)
    assert report.ok, report.verdict
    names = {f"gradient of self.{name}" for name in ("w[0]", "w[1]", "b", "v")}
    assert names <= {row.quantity for row in report.rows}
    assert "gradient of self.scale" not in {row.quantity for row in report.rows}


@pytest.mark.long(but=("self.v -=", "self.b =", "self.w[1]"))
@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("dy = 2 * (self.v * h * self.scale - t)", "dy = self.v * h * self.scale - t"),
        ("dz = dy * self.v * self.scale * slope", "dz = dy * self.scale * slope"),
        ("self.v -= lr * dy * h * self.scale", "self.v -= lr * dy * h"),
        ("self.w[1] -= lr * dz * x[1]", "self.w[1] -= lr * dz * x[0]"),
        ("self.b = self.b - lr * dz", "self.b = self.b - 2 * lr * dz"),
    ],
)
def test_a_wrong_line_of_numbers_is_named(line: str, instead: str) -> None:
    text, where = broken(NEURON, line, instead)
    report = check(text)
    assert [row.source.endswith(where) for row in report.guilty][:1] == [True], report.verdict


def test_numbers_among_the_variables_of_a_notebook() -> None:
    found: dict[str, Any] = {"np": np, "check_lines": check_lines, "x": np.arange(1.0, 5.0), "t": np.ones(4)}
    exec("w, b = 0.5, 0.25", found)
    forward, backward = (
        "y = w * x + b\nloss = ((y - t) ** 2).sum()",
        "dy = 2 * (y - t)\ndw = (dy * x).sum()\ndb = dy.{}",
    )
    for end, is_right in (("sum()", True), ("mean()", False)):
        exec(f"report = check_lines({forward!r}, {backward.format(end)!r}, {{}}, power=False)", found)
        assert found["report"].ok is is_right, found["report"].verdict
        assert {"gradient of w", "gradient of b"} <= {row.quantity for row in found["report"].rows}
    assert (found["w"], found["b"]) == (0.5, 0.25)


class Lists:
    def __init__(self) -> None:
        r = np.random.default_rng(0)
        self.W = [r.normal(size=(3, 3)), r.normal(size=(3, 3))]

    def loss(self, x: Any) -> Any:
        for W in self.W:
            x = np.tanh(x @ W)
        return x.sum()

    def gradients(self, x: Any) -> Any:
        xs = [x]
        for W in self.W:
            xs.append(np.tanh(xs[-1] @ W))
        steps = []
        back = np.ones_like(x)
        for W, a, b in zip(self.W[::-1], xs[:-1][::-1], xs[1:][::-1], strict=True):
            back = back * (1 - b**2)
            steps.insert(0, a.T @ back)
            back = back @ W.T
        return steps


def test_a_mapping_may_name_two_lists() -> None:
    net, x = Lists(), np.random.default_rng(1).normal(size=(5, 3))
    report = check_lines(net.loss, net.gradients, [x], mapping={"self.W": "steps"}, power=False)
    assert report.ok, report.verdict
    assert [row.quantity for row in report.rows] == ["gradient of self.W[1]", "gradient of self.W[0]"]
    with pytest.raises(ValueError, match=r"'none\[0\]' is no variable of backward"):
        check_lines(net.loss, net.gradients, [x], mapping={"self.W": "none"}, power=False)
