"""Loops over samples or heads that go in the same order backward as forward: right, and of wrong ones the line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.torch_ref.lines.programs import arrays, broken, made, pair_of
from torch_ref import Report, check_lines

SAMPLES = """
def backprop(X, Y, W, v):
    dW, dv, loss = np.zeros_like(W), np.zeros_like(v), 0
    for x, y in zip(X, Y):
        h = np.tanh(W @ x)
        p = v @ h
        loss += 0.5 * (p - y) ** 2
        dp = p - y
        dv += dp * h
        dh = dp * v
        dW += np.outer(dh * (1 - h ** 2), x)
    loss /= len(X)
    dW /= len(X)
    dv /= len(X)
    return loss, (dW, dv)
"""

HEADS = """
def softmax(a):
    e = np.exp(a - a.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)

def forward(x, Wq, Wk, Wv):
    outs, saved = [], []
    for h in range(len(Wq)):
        q, k, v = x @ Wq[h], x @ Wk[h], x @ Wv[h]
        a = softmax(q @ k.T)
        outs.append(a @ v)
        saved.append((q, k, v, a))
    return np.concatenate(outs, axis=1), saved

def backward(dout, x, Wq, Wk, Wv, cache):
    dx, dWq, dWk, dWv = [np.zeros_like(p) for p in (x, Wq, Wk, Wv)]
    d = Wq.shape[2]
    for h in range(len(Wq)):
        q, k, v, a = cache[h]
        do = dout[:, h * d:(h + 1) * d]
        dv = a.T @ do
        da = do @ v.T
        ds = a * (da - (da * a).sum(-1, keepdims=True))
        dq = ds @ k
        dk = ds.T @ q
        dWq[h], dWk[h], dWv[h] = x.T @ dq, x.T @ dk, x.T @ dv
        dx += dq @ Wq[h].T + dk @ Wk[h].T + dv @ Wv[h].T
    return dx, dWq, dWk, dWv
"""

LAYERS_OF_SAMPLES = """
def backprop(X, Y, Ws):
    loss, dWs = 0.0, [np.zeros_like(W) for W in Ws]
    for x, y in zip(X, Y):
        hs = [x]
        for W in Ws:
            z = W @ hs[-1]
            h = np.tanh(z)
            hs.append(h)
        loss += 0.5 * np.sum((h - y) ** 2)
        dh = h - y
        for l in reversed(range(len(Ws))):
            dz = dh * (1 - hs[l + 1] ** 2)
            dWs[l] += np.outer(dz, hs[l])
            dh = Ws[l].T @ dz
    return loss, dWs
"""


def check_samples(text: str) -> Report:
    return check_lines(made(text)["backprop"], None, arrays(np.random.default_rng(0), (5, 3), (5,), (4, 3), (4,)))


def check_heads(text: str) -> Report:
    return check_lines(*pair_of(text), arrays(np.random.default_rng(1), (4, 6), *[(2, 6, 3)] * 3))


def check_layers(text: str) -> Report:
    X, Y, *Ws = arrays(np.random.default_rng(2), (3, 4), (3, 4), (4, 4), (4, 4))
    return check_lines(made(text)["backprop"], None, [X, Y, Ws])


ONE_MORE = """
def backprop(x, y, Ws):
    hs, dWs = [x], [0 * W for W in Ws]
    for W in Ws:
        z = W @ hs[-1]
        hs.append(np.tanh(z))
    dh = hs[-1] - y
    for l in reversed(range(len(Ws))):
        dz = dh * (1 - hs[l + 1] ** 2)
        dWs[l] += np.outer(dz, hs[l])
        dh = Ws[l].T @ dz
    return 0.5 * np.sum((hs[-1] - y) ** 2), dWs
"""


def check_one_more(text: str) -> Report:
    x, y, *Ws = arrays(np.random.default_rng(3), (4,), (4,), (4, 4), (4, 4))
    return check_lines(made(text)["backprop"], None, [x, y, Ws])


RIGHT = [
    (check_samples, SAMPLES, "p"),
    (check_heads, HEADS, "q"),
    (check_layers, LAYERS_OF_SAMPLES, "z"),
    (check_one_more, ONE_MORE, "z"),
]


@pytest.mark.long(but=1)
@pytest.mark.parametrize(("check", "text", "name"), RIGHT)
def test_the_same_order_both_ways_is_right(check: Callable[[str], Report], text: str, name: str) -> None:
    report = check(text)
    assert report.ok, report.verdict
    assert any(row.quantity.startswith(f"gradient of {name} (") for row in report.rows), report


WRONG = [
    (check_samples, SAMPLES, "dp = p - y", "dp = y - p"),
    (check_samples, SAMPLES, "dp = p - y", "dp = (p - y) ** 2"),
    (check_samples, SAMPLES, "dh = dp * v", "dh = dp * h"),
    (check_samples, SAMPLES, "dv += dp * h", "dv = dp * h"),
    (check_samples, SAMPLES, "dW += np.outer(dh * (1 - h ** 2), x)", "dW += np.outer(dh, x)"),
    (check_heads, HEADS, "dq = ds @ k", "dq = ds @ q"),
    (check_heads, HEADS, "dk = ds.T @ q", "dk = ds.T @ k"),
    (check_heads, HEADS, "dv = a.T @ do", "dv = a @ do"),
    (check_layers, LAYERS_OF_SAMPLES, "dz = dh * (1 - hs[l + 1] ** 2)", "dz = dh * (1 - hs[l + 1])"),
    (check_one_more, ONE_MORE, "dWs[l] += np.outer(dz, hs[l])", "dWs[l] += np.outer(dz, hs[l]) * (3 if l else -1)"),
    (check_one_more, ONE_MORE, "dz = dh * (1 - hs[l + 1] ** 2)", "dz = dh * (1 - hs[l + 1])"),
    (check_layers, LAYERS_OF_SAMPLES, "dh = Ws[l].T @ dz", "dh = Ws[l] @ dz"),
]


@pytest.mark.long(but=("text10", "text9"))
@pytest.mark.parametrize(("check", "text", "line", "instead"), WRONG)
def test_a_wrong_line_in_such_a_loop_is_accused_alone(
    check: Callable[[str], Report], text: str, line: str, instead: str
) -> None:
    text, where = broken(text, line, instead)
    report = check(text)
    assert {row.source.rpartition(":")[2] for row in report.guilty} == {where[1:]}, report.verdict
