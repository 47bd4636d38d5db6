"""Backward writes over what it was given: right numbers, but who calls it loses an array."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.torch_ref.lines.programs import made, pair_of
from torch_ref import check_lines

MUL = """
def forward(a, b):
    y = a * b
    return y


def backward(dy, a, b):
    da = dy * b
    db = dy * a
    {line}
    return da, db
"""


def two() -> list[Any]:
    return [*np.random.default_rng(0).normal(size=(2, 3))]


def said(report: Any) -> list[str]:
    assert report.ok, str(report)
    return [remark for remark in report.remarks if "in place" in remark]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("a[:] = da", "a"),
        ("a *= 0.5", "a"),
        ("b += 1", "b"),
        ("dy[:] = 0", "dy"),
        ("dy *= b; a[0] = 0", "a and dy"),
        ("a[1:][:1] = 7", "a"),
    ],
)
def test_what_backward_writes_over_is_a_remark(line: str, names: str) -> None:
    report = check_lines(*pair_of(MUL.format(line=line)), two())
    assert said(report) == [f"backward changes {names} in place: whoever calls it loses what was there"]
    assert report.outcome == "right, with remarks"


@pytest.mark.parametrize(
    "line",
    [
        "pass",
        "a = a * 2",
        "a[:] = a",
        "c = a.copy(); c[:] = 0",
        "a -= 0.1 * da; b -= 0.1 * db",
        "db *= 1",
    ],
)
def test_what_is_as_it_was_or_was_updated_is_none(line: str) -> None:
    assert said(check_lines(*pair_of(MUL.format(line=line)), two())) == []


def test_tensors_too() -> None:
    text = MUL.format(line="a.copy_(da); dy.zero_()")
    torch.manual_seed(0)
    assert "a and dy" in said(check_lines(*pair_of(text), [torch.randn(3), torch.randn(3)]))[0]


def test_the_gradient_that_goes_on_may_be_that_which_came() -> None:
    text = """
def forward(x, w):
    z = x @ w
    y = np.maximum(z, 0)
    return y, (x, z, w)


def backward(dout, cache):
    x, z, w = cache
    dz = dout
    dz[z <= 0] = 0
    return dz @ w.T, x.T @ dz
"""
    x, w = np.random.default_rng(0).normal(size=(2, 3, 3))
    assert said(check_lines(*pair_of(text), [x, w])) == [
        "backward changes dout in place: whoever calls it loses what was there"
    ]
    assert said(check_lines(*pair_of(text.replace("dz = dout", "dz = dout.copy()")), [x, w])) == []


def test_a_cache_may_be_worked_on() -> None:
    text = """
def forward(scores, t):
    e = np.exp(scores - scores.max(1, keepdims=True))
    probs = e / e.sum(1, keepdims=True)
    return -np.log(probs[range(len(t)), t]).mean(), (probs, t)


def backward(cache):
    probs, t = cache
    dscores = probs
    dscores[range(len(t)), t] -= 1
    dscores /= len(t)
    return dscores
"""
    scores = np.random.default_rng(0).normal(size=(4, 3))
    report = check_lines(*pair_of(text), [scores, np.array([0, 2, 1, 1])])
    assert said(report) == []


def test_objects_update_themselves_on_purpose() -> None:
    layer = """
class Linear:
    def __init__(self):
        rng = np.random.default_rng(0)
        self.W, self.b = rng.normal(size=(4, 3)), rng.normal(size=3)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad, lr=0.1):
        dx = grad @ self.W.T
        self.dW = self.x.T @ grad
        self.db = grad.sum(0)
        self.W -= lr * (self.dW + 0.01 * self.W)
        self.b -= lr * self.db
        return dx
"""
    layer_of = made(layer)["Linear"]
    x = np.random.default_rng(1).normal(size=(5, 4))
    net = layer_of()
    assert said(check_lines(net.forward, net.backward, [x])) == []
    net = made(layer.replace("self.W -= lr", "self.x += 1; self.W -= lr"))["Linear"]()
    assert said(check_lines(net.forward, net.backward, [x]))[0].startswith("backward changes x in place")


def test_loss_and_gradients_in_one_function() -> None:
    text = """
def step(x, W):
    y = x @ W
    dy = 2 * y
    dW = x.T @ dy
    dx = dy @ W.T
    {line}
    return (y**2).sum(), dx, dW
"""
    x, W = np.random.default_rng(0).normal(size=(2, 3, 3))
    assert said(check_lines(made(text.format(line="W -= 0.1 * dW"))["step"], None, [x, W])) == []
    assert "changes x" in said(check_lines(made(text.format(line="x[:] = 0"))["step"], None, [x, W]))[0]


def test_where_forward_is_measured_it_is_said_too() -> None:
    text = MUL.format(line="a[:] = da").replace("y = a * b", "y = np.zeros(3)\n    y[:] = a * b")
    assert len(said(check_lines(*pair_of(text), two()))) >= 1


def test_nothing_is_changed_that_was_given() -> None:
    a, b = two()
    before = a.copy(), b.copy()
    check_lines(*pair_of(MUL.format(line="a[:] = 0; b[:] = 0")), [a, b])
    assert all(map(np.array_equal, (a, b), before))


def test_every_run_has_the_upstream_gradient_as_it_was() -> None:
    """Backward runs again where something is wrong, to look into what it calls."""
    text = """
def double(d):
    return 3 * d


def forward(a):
    y = 2 * a
    return y


def backward(dy, a):
    da = double(dy)
    dy[:] = 0
    return da
"""
    report = check_lines(*pair_of(text), two()[:1])
    assert [row.of.text for row in report.guilty] in (["return 3 * d"], ["da = double(dy)"])
