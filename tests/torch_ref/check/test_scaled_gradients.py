"""Gradients that are N times the right ones inside, where 1/N comes with dW and db: right, and so is the line named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.torch_ref.lines.programs import CS231N, arrays, broken, made, pair_of
from torch_ref import Report, check_lines

PLANAR = """
def forward(X, Y, W1, b1, W2, b2):
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = 1 / (1 + np.exp(-Z2))
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / X.shape[1]

def backward(X, Y, A1, A2, W2):
    m = X.shape[1]
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(W2.T, dZ2) * (1 - np.power(A1, 2))
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
"""

IN_THE_END = """
def loss(X, y, W1, W2, reg=0.1):
    N = len(X)
    h = np.maximum(0, X @ W1)
    scores = h @ W2
    loss = 0.5 * np.sum((scores - y) ** 2) / N + 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
    dscores = scores - y
    dW2 = h.T @ dscores
    dh = dscores @ W2.T
    dh[h == 0] = 0
    dW1 = X.T @ dh
    dW1 /= N
    dW2 /= N
    dW1 += reg * W1
    dW2 += reg * W2
    return loss, (dW1, dW2)
"""

TWO_OVER_N = """
def forward(x, t, W, V):
    h = np.tanh(x @ W)
    p = h @ V
    return np.sum((p - t) ** 2) / len(x)

def backward(x, t, V, h, p):
    n = len(x)
    dp = p - t
    dV = 2 / n * h.T @ dp
    dh = dp @ V.T
    dW = 2 / n * x.T @ (dh * (1 - h ** 2))
    return {"W": dW, "V": dV}
"""

DELTAS = """
def loss(x, t, Ws):
    n = len(x)
    zs, hs = [], [x]
    for W in Ws:
        zs.append(hs[-1] @ W)
        hs.append(np.tanh(zs[-1]))
    loss = 0.5 * np.sum((hs[-1] - t) ** 2) / n
    dWs = [0] * len(Ws)
    delta = (hs[-1] - t) * (1 - hs[-1] ** 2)
    dWs[-1] = hs[-2].T @ delta / n
    for l in range(2, len(Ws) + 1):
        delta = delta @ Ws[-l + 1].T * (1 - hs[-l] ** 2)
        dWs[-l] = hs[-l - 1].T @ delta / n
    return loss, dWs
"""


def check_planar(text: str) -> Report:
    rng = np.random.default_rng(0)
    X, W1, b1, W2, b2 = arrays(rng, (5, 7), (4, 5), (4, 1), (1, 4), (1, 1))
    return check_lines(*pair_of(text), [X, rng.integers(0, 2, (1, 7)).astype(float), W1, b1, W2, b2])


def check_in_the_end(text: str) -> Report:
    return check_lines(made(text)["loss"], None, arrays(np.random.default_rng(1), (6, 4), (6, 3), (4, 5), (5, 3)))


def check_two_over_n(text: str) -> Report:
    return check_lines(*pair_of(text), arrays(np.random.default_rng(2), (6, 4), (6, 2), (4, 5), (5, 2)))


def check_deltas(text: str) -> Report:
    x, t, *Ws = arrays(np.random.default_rng(3), (6, 4), (6, 2), (4, 5), (5, 3), (3, 2))
    return check_lines(made(text)["loss"], None, [x, t, Ws])


RIGHT = [
    (check_planar, PLANAR, "dZ2 and dZ1 are m = 7 times the gradients: the factor 1/7 comes"),
    (check_in_the_end, IN_THE_END, "dscores and dh are N = 6 times"),
    (check_two_over_n, TWO_OVER_N, "dp and dh are 3 times the gradients: the factor 1/3 comes"),
    (check_deltas, DELTAS, "delta is n = 6 times the gradient: "),
]


@pytest.mark.long(but=2)
@pytest.mark.parametrize(("check", "text", "remark"), RIGHT)
def test_a_factor_that_comes_with_the_parameters_is_no_mistake(
    check: Callable[[str], Report], text: str, remark: str
) -> None:
    report = check(text)
    assert report.ok, report.verdict
    assert any(remark in one for one in report.remarks), report.remarks


WRONG = [
    (check_planar, PLANAR, "dZ2 = A2 - Y", "dZ2 = Y - A2"),
    (check_planar, PLANAR, "dZ2 = A2 - Y", "dZ2 = (A2 - Y) * A2 * (1 - A2)"),
    (check_planar, PLANAR, "dZ2 = A2 - Y", "dZ2 = 2 * (A2 - Y)"),
    (check_planar, PLANAR, "dW2 = np.dot(dZ2, A1.T) / m", "dW2 = np.dot(dZ2, A1.T)"),
    (check_planar, PLANAR, "db2 = np.sum(dZ2, axis=1, keepdims=True) / m", "db2 = np.sum(dZ2, axis=1, keepdims=True)"),
    (
        check_planar,
        PLANAR,
        "dZ1 = np.dot(W2.T, dZ2) * (1 - np.power(A1, 2))",
        "dZ1 = np.dot(W2.T, dZ2) * (1 - A1)",
    ),
    (check_planar, PLANAR, "dW1 = np.dot(dZ1, X.T) / m", "dW1 = -np.dot(dZ1, X.T) / m"),
    (check_in_the_end, IN_THE_END, "dh[h == 0] = 0", "dh[h == 0] = 1"),
    (check_in_the_end, IN_THE_END, "dh[h == 0] = 0", "dh[h > 0] = 0"),
    (check_in_the_end, IN_THE_END, "dW1 = X.T @ dh", "dW1 = X.T @ -dh"),
    (check_in_the_end, IN_THE_END, "dW2 = h.T @ dscores", "dW2 = h.T @ scores"),
    (check_in_the_end, IN_THE_END, "dW1 += reg * W1", "dW1 += 2 * reg * W1"),
    (check_two_over_n, TWO_OVER_N, "dh = dp @ V.T", "dh = -dp @ V.T"),
    (check_two_over_n, TWO_OVER_N, "dV = 2 / n * h.T @ dp", "dV = 1 / n * h.T @ dp"),
    (
        check_deltas,
        DELTAS,
        "delta = delta @ Ws[-l + 1].T * (1 - hs[-l] ** 2)",
        "delta = delta @ Ws[-l + 1].T * (1 - hs[-l])",
    ),
    (check_deltas, DELTAS, "delta = (hs[-1] - t) * (1 - hs[-1] ** 2)", "delta = (t - hs[-1]) * (1 - hs[-1] ** 2)"),
    (check_deltas, DELTAS, "dWs[-l] = hs[-l - 1].T @ delta / n", "dWs[-l] = hs[-l - 1].T @ delta"),
]


@pytest.mark.long(but=("text0", "text12"))
@pytest.mark.parametrize(("check", "text", "line", "instead"), WRONG)
def test_a_wrong_line_beside_the_factor_is_accused_alone(
    check: Callable[[str], Report], text: str, line: str, instead: str
) -> None:
    text, where = broken(text, line, instead)
    report = check(text)
    assert {row.source.rpartition(":")[2] for row in report.guilty} == {where[1:]}, report.verdict


def test_a_factor_that_the_loss_does_not_have_is_wrong() -> None:
    text, _ = broken(PLANAR, "return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / X.shape[1]", "return L")
    report = check_planar(text.replace("return L", "return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))"))
    assert [row.quantity[-2:] for row in report.guilty] == ["b2", "W2", "b1", "W1"]
    assert not report.remarks


@pytest.mark.long(but=1)
@pytest.mark.parametrize("instead", ["dp = p - t", "dp = 6 * (p - t) / n"])
def test_a_factor_that_comes_nowhere_is_wrong_where_it_is_missing(instead: str) -> None:
    text = TWO_OVER_N.replace("2 / n * ", "").replace("dp = p - t", "dp = 2 * (p - t) / n")
    report = check_two_over_n(text)
    assert report.ok
    assert not report.remarks
    text, where = broken(text, "dp = 2 * (p - t) / n", instead)
    (row,) = check_two_over_n(text).guilty
    assert row.source.endswith(where)


@pytest.mark.long
def test_a_factor_that_is_forgotten_is_no_convention() -> None:
    text, where = broken(CS231N, "dscores /= N", "pass")
    X, *params = arrays(np.random.default_rng(4), (6, 5), (5, 8), (8,), (8, 3), (3,))
    report = check_lines(made(text)["loss"], None, [X, np.array([0, 1, 2, 0, 1, 2]), *params])
    (row,) = report.guilty
    assert row.source.endswith(f":{int(where[1:]) - 1}"), report.verdict


def test_gradients_inside_alone_are_held_to_no_convention() -> None:
    text = TWO_OVER_N.replace('return {"W": dW, "V": dV}', "return dh")
    text = text.replace("    dV = 2 / n * h.T @ dp\n", "").replace("    dW = 2 / n * x.T @ (dh * (1 - h ** 2))\n", "")
    report = check_two_over_n(text)
    assert [row.quantity for row in report.guilty] == ["gradient of p"]
