"""An input that is a plain number is compared wherever a function of the program makes its gradient."""

from typing import Any

import numpy as np
import pytest

from tests.torch_ref.lines.programs import broken, made
from torch_ref import Report, check_lines

PROPAGATE = """
def propagate(w, b, X, Y):
    m = X.shape[1]
    A = 1 / (1 + np.exp(-(np.dot(w.T, X) + b)))
    cost = -1 / m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    dw = 1 / m * np.dot(X, (A - Y).T)
    DB = 1 / m * np.sum(A - Y)
    return {"dw": dw, "db": DB}, cost


def loss(w, b, X, Y):
    grads, cost = propagate(w, b, X, Y)
    return cost, grads


class Net:
    def propagate(self, w, b, X, Y):
        return propagate(w, b, X, Y)

    def loss(self, w, b, X, Y):
        grads, cost = self.propagate(w, b, X, Y)
        return cost, grads
"""


LINEAR = """
def forward(x, t, w, b):
    y = x @ w + b
    loss = ((y - t) ** 2).mean()
    return loss


def backward(x, t, w, b, y):
    dy = 2 * (y - t) / len(t)
    dw = x.T @ dy
    db = dy.sum()
    return dw, db
"""


def inputs() -> list[Any]:
    r = np.random.default_rng(0)
    return [r.normal(size=(3, 1)), 0.4, r.normal(size=(3, 6)), r.integers(0, 2, (1, 6))]


def check(text: str, whose: str) -> Report:
    found = made(text)
    loss = found["Net"]().loss if whose == "object" else found["loss"]
    return check_lines(loss, None, inputs(), power=False)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("whose", ["function", "object"])
def test_the_gradient_of_a_number_is_compared_that_a_helper_makes(whose: str) -> None:
    report = check(PROPAGATE, whose)
    assert "gradient of b" in [row.quantity for row in report.rows]
    assert report.ok, report.verdict
    text, _ = broken(PROPAGATE, "DB = 1 / m * np.sum(A - Y)", "DB = 1 / m * np.sum(Y - A)")
    assert not check(text, whose).ok


@pytest.mark.long(but=1)
@pytest.mark.parametrize("b", [0.4, np.float32(0.4), np.float64(0.4)])
def test_a_number_of_numpy_is_one_too(b: Any) -> None:
    x, t, w = (np.random.default_rng(0).normal(size=size) for size in ((5, 3), (5,), (3,)))
    found = made(LINEAR)
    assert check_lines(found["forward"], found["backward"], [x, t, w, b], power=False).ok
    text, line = broken(LINEAR, "db = dy.sum()", "db = dy.mean()")
    found = made(text)
    report = check_lines(found["forward"], found["backward"], [x, t, w, b], power=False)
    assert [row.source.endswith(line) for row in report.guilty] == [True], report.verdict


def test_a_whole_number_is_named_as_not_compared() -> None:
    x, t, w = (np.random.default_rng(0).normal(size=size) for size in ((5, 3), (5,), (3,)))
    found = made(LINEAR)
    report = check_lines(found["forward"], found["backward"], [x, t, w, 0], power=False)
    assert dict(report.not_compared)["db"] == (
        "b was given as a whole number, which has no gradient; give it with a fraction, as 0.0"
    )
