"""What is returned under a name that says nothing, or as an expression; and an ε in a log that backward leaves out."""

from typing import Any

import numpy as np
import pytest

from tests.torch_ref.lines.programs import broken, made
from torch_ref import Report, check_lines

LOGISTIC = """
def loss(X, y, w):
    p = 1 / (1 + np.exp(-(X @ w)))
    return -(y * np.log(p + 1e-5) + (1 - y) * np.log(1 - p + 1e-5)).sum()


def grad(X, y, w):
    p = 1 / (1 + np.exp(-(X @ w)))
    gradient = X.T @ (p - y)
    return gradient
"""

BATCHES = """
def loss(X, T, W, b):
    total = 0.0
    for k in range(0, len(X), 4):
        y = X[k : k + 4] @ W + b
        total = total + ((y - T[k : k + 4]) ** 2).sum()
    return total / len(X)


def grad(X, T, W, b):
    gW, gb = np.zeros_like(W), np.zeros_like(b)
    for k in range(0, len(X), 4):
        x, t = X[k : k + 4], T[k : k + 4]
        e = x @ W + b - t
        gW += 2 * x.T @ e
        gb += 2 * e.sum(axis=0)
    return gW / len(X), gb / len(X)
"""


def check(text: str, **options: Any) -> Report:
    r = np.random.default_rng(0)
    found = made(text)
    if "w" in found["loss"].__code__.co_varnames:
        inputs = [r.normal(size=(9, 4)), (r.random(9) > 0.5) * 1.0, r.normal(size=4)]
    else:
        inputs = [r.normal(size=(9, 4)), r.normal(size=(9, 2)), r.normal(size=(4, 2)), r.normal(size=2)]
    return check_lines(found["loss"], found["grad"], inputs, power=False, **options)


def test_what_is_called_gradient_goes_with_the_only_parameter_of_its_shape() -> None:
    report = check(LOGISTIC.replace(" + 1e-5", ""))
    assert report.ok, report.verdict
    assert [row.quantity for row in report.rows] == ["gradient of w"]
    text, where = broken(LOGISTIC.replace(" + 1e-5", ""), "gradient = X.T @ (p - y)", "gradient = X.T @ (y - p)")
    report = check(text)
    assert [row.source.endswith(where) for row in report.guilty] == [True], report.verdict


@pytest.mark.long
def test_an_epsilon_that_backward_leaves_out_is_a_remark() -> None:
    report = check(LOGISTIC)
    assert report.ok, report.verdict
    assert any(remark.startswith("The 1e-05 in log(... + 1e-05) is in forward alone") for remark in report.remarks)
    assert not check(LOGISTIC, strict=True).ok
    larger = check(LOGISTIC.replace("1e-5", "1e-2"))
    assert not larger.ok  # that is no number for safety


@pytest.mark.long
def test_beside_an_epsilon_a_wrong_line_is_found() -> None:
    text, where = broken(LOGISTIC, "gradient = X.T @ (p - y)", "gradient = 1.001 * X.T @ (p - y)")
    report = check(text)
    assert [row.source.endswith(where) for row in report.guilty] == [True], report.verdict


def test_what_is_returned_is_the_gradient_that_it_is_computed_from() -> None:
    report = check(BATCHES)
    assert report.ok, report.verdict
    assert {row.quantity for row in report.rows} == {"gradient of W", "gradient of b"}


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("return gW / len(X), gb / len(X)", "return gW / len(X), gb / 4"),
        ("gb += 2 * e.sum(axis=0)", "gb += 2 * e.mean(axis=0)"),
    ],
)
def test_a_wrong_part_of_what_is_returned_is_found(line: str, instead: str) -> None:
    report = check(broken(BATCHES, line, instead)[0])
    assert [row.quantity for row in report.guilty] == ["gradient of b"], report.verdict


def test_delta_of_an_inner_value_is_not_taken_for_that_of_an_input() -> None:
    def loss(x: Any, W: Any, V: Any) -> Any:
        return np.tanh(x @ W) @ V

    def grad(d_out: Any, x: Any, W: Any, V: Any) -> Any:
        h = np.tanh(x @ W)
        dV = h.T @ d_out
        delta = (d_out @ V.T) * (1 - h**2)
        dW = x.T @ delta
        return dW, dV, delta

    r = np.random.default_rng(0)
    report = check_lines(loss, grad, [r.normal(size=(5, 4)), r.normal(size=(4, 4)), r.normal(size=(4, 2))], power=False)
    assert report.ok, report.verdict
