"""Functions that backward calls for some operations, which forward has no function for."""

import numpy as np
import pytest

from tests.torch_ref.lines.programs import broken, made
from torch_ref import Report, check_lines

HELPERS = """
def step(a, W, b):
    z = a @ W + b
    return np.maximum(0, z), (a, W, b, z)


def forward(x, t, W1, b1, W2, b2):
    h, cache1 = step(x, W1, b1)
    y, cache2 = step(h, W2, b2)
    loss = ((y - t) ** 2).mean()
    return loss, (cache1, cache2, y)


def relu_backward(dout, z):
    dz = np.array(dout, copy=True)
    dz[z <= 0] = 0
    return dz


def linear_backward(dz, cache):
    a, W, b, z = cache
    dW = a.T @ dz
    db = dz.sum(axis=0)
    da = dz @ W.T
    return da, dW, db


def squared_prime(y, t):
    return 2 * (y - t) / y.size


def backward(t, caches):
    cache1, cache2, y = caches
    dy = squared_prime(y, t)
    dz2 = relu_backward(dy, cache2[3])
    dh, dW2, db2 = linear_backward(dz2, cache2)
    dz1 = relu_backward(dh, cache1[3])
    dx, dW1, db1 = linear_backward(dz1, cache1)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
"""

IN_CALLS = ["dz1 = relu_backward(dh, cache1[3])", "dh, dW2, db2 = linear_backward(dz2, cache2)"]


def check(text: str) -> Report:
    r = np.random.default_rng(0)
    x, t, W1, b1, W2, b2 = (r.normal(size=size) for size in ((6, 3), (6, 2), (3, 4), (4,), (4, 2), (2,)))
    found = made(text)
    return check_lines(found["forward"], found["backward"], [x, t, W1, b1, W2, b2], power=False)


def test_right_helpers_are_accepted() -> None:
    report = check(HELPERS)
    assert report.ok, report.verdict


@pytest.mark.long(but=("return 2", "dz1 =", "db ="))
@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("dz[z <= 0] = 0", "dz[z > 0] = 0"),
        ("dW = a.T @ dz", "dW = a.T @ dz / len(a)"),
        ("db = dz.sum(axis=0)", "db = dz.mean(axis=0)"),
        ("da = dz @ W.T", "da = -dz @ W.T"),
        ("return 2 * (y - t) / y.size", "return (y - t) / y.size"),
        ("dz1 = relu_backward(dh, cache1[3])", "dz1 = relu_backward(dh, cache1[3] - 1)"),
        ("dh, dW2, db2 = linear_backward(dz2, cache2)", "dh, dW2, db2 = linear_backward(2 * dz2, cache2)"),
    ],
)
@pytest.mark.long(but=("dz1 =",))
def test_a_wrong_line_of_a_helper_is_named(line: str, instead: str) -> None:
    text, where = broken(HELPERS, line, instead)
    report = check(text)
    assert {row.source.endswith(where) for row in report.guilty} == {True}, report.verdict
