"""A backward made of closures: forward returns it, or pushes one function for each operation on a tape."""

import numpy as np
import pytest

from tests.torch_ref.lines.programs import broken, made
from torch_ref import Report, check_lines

RETURNED = """
def loss(x, t, W1, W2):
    z = x @ W1
    h = np.tanh(z)
    y = h @ W2
    e = y - t

    def backward(d_loss=1.0):
        dy = d_loss * e
        dW2 = h.T @ dy
        dh = dy @ W2.T
        dz = dh * (1 - h * h)
        dW1 = x.T @ dz
        return {"W1": dW1, "W2": dW2}

    return 0.5 * (e * e).sum(), backward
"""

TAPE = """
class Net:
    def __init__(self):
        self.W1, self.W2, self.tape = np.random.randn(3, 4), np.random.randn(4, 2), []

    def linear(self, x, name):
        W = getattr(self, name)

        def back(d):
            setattr(self, "d" + name, x.T @ d)
            return d @ W.T

        self.tape.append(back)
        return x @ W

    def tanh(self, x):
        y = np.tanh(x)

        def back(d):
            return d * (1 - y * y)

        self.tape.append(back)
        return y

    def loss(self, x, t):
        self.e = self.linear(self.tanh(self.linear(x, "W1")), "W2") - t
        return 0.5 * (self.e**2).sum()

    def backward(self):
        d = self.e
        for back in reversed(self.tape):
            d = back(d)
"""

PARTS = """
def linear(W):
    def forward(x):
        def backward(dy):
            dW = x.T @ dy
            dx = dy @ W.T
            return dx, dW

        return x @ W, backward

    return forward


def tanh(x):
    y = np.tanh(x)

    def backward(dy):
        return dy * (1 - y * y)

    return y, backward


def loss(x, t, W1, W2):
    z, back_z = linear(W1)(x)
    h, back_h = tanh(z)
    y, back_y = linear(W2)(h)
    d = y - t
    dh, dW2 = back_y(d)
    dz = back_h(dh)
    dx, dW1 = back_z(dz)
    return 0.5 * (d * d).sum(), dx, dW1, dW2
"""


def check(text: str) -> Report:
    np.random.seed(0)
    r = np.random.default_rng(0)
    x, t = r.normal(size=(5, 3)), r.normal(size=(5, 2))
    found = made(text)
    if "Net" in found:
        net = found["Net"]()
        return check_lines(net.loss, net.backward, [x, t], power=False)
    return check_lines(found["loss"], None, [x, t, r.normal(size=(3, 4)), r.normal(size=(4, 2))], power=False)


@pytest.mark.parametrize("text", [RETURNED, TAPE, PARTS], ids=["returned", "tape", "parts"])
def test_right_closures_are_accepted(text: str) -> None:
    report = check(text)
    assert report.ok, report.verdict
    assert len(report.rows) >= 2


@pytest.mark.long(but=("text0", "text3", "text5"))
@pytest.mark.parametrize(
    ("text", "line", "instead"),
    [
        (RETURNED, "dz = dh * (1 - h * h)", "dz = dh * (1 - h)"),
        (RETURNED, "dW2 = h.T @ dy", "dW2 = z.T @ dy"),
        (TAPE, "return d * (1 - y * y)", "return d * (1 - y)"),
        (TAPE, "return d @ W.T", "return -d @ W.T"),
        (PARTS, "dW = x.T @ dy", "dW = x.T @ dy / len(x)"),
        (PARTS, "return dy * (1 - y * y)", "return dy * (1 - y)"),
    ],
)
@pytest.mark.long(but=("text0",))
def test_a_wrong_line_of_a_closure_is_named(text: str, line: str, instead: str) -> None:
    text, where = broken(text, line, instead)
    report = check(text)
    assert {row.source.endswith(where) for row in report.guilty} == {True}, report.verdict
