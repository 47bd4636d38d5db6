"""Of several statements between which nothing has a counterpart, that is named which can be mended alone."""

from typing import Any

import numpy as np
import pytest

from tests.torch_ref.lines.programs import broken, made
from torch_ref import Report, check_lines
from torch_ref.lines import repaired

STANDARDISED = """
def forward(x, gain, t):
    centred = x - x.mean(0)
    spread = (centred**2).mean(0) + 1e-3
    out = gain * centred / np.sqrt(spread)
    loss = ((out - t) ** 2).sum()
    return loss


def backward(x, gain, t, centred, spread, out):
    n = len(x)
    d_out = 2 * (out - t)
    d_gain = (d_out * centred / np.sqrt(spread)).sum(0)
    d_spread = (d_out * gain * centred).sum(0) * -0.5 * spread**-1.5
    d_centred_1 = d_out * gain / np.sqrt(spread)
    d_centred_2 = 2 * centred * d_spread / n
    d_centred = d_centred_1 + d_centred_2
    dx_1 = d_centred
    dx_2 = -d_centred.sum(0) / n
    dx = dx_1 + dx_2
    return dx, d_gain
"""

CLASSES = """
def forward(x, t, W):
    N = len(x)
    scores = x @ W
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    loss = -np.log(p[np.arange(N), t]).mean()
    return loss


def backward(x, t, W, p):
    N, K = p.shape
    dscores = p.copy()
    dscores[np.arange(N), t] -= 1
    dscores /= N
    dW = x.T @ dscores
    return dW
"""

SLOPES = """
def forward(x, t, V, W):
    a = x @ V
    h = np.tanh(a)
    y = h @ W
    loss = ((y - t) ** 2).sum()
    return loss


def backward(x, t, V, W, a, h, y):
    dloss_dy = 2 * (y - t)
    dy_dh = W.T
    dy_dW = h.T
    dloss_dW = dy_dW @ dloss_dy
    dloss_dh = dloss_dy @ dy_dh
    dh_da = 1 - h * h
    dloss_da = dloss_dh * dh_da
    da_dV = x.T
    dloss_dV = da_dV @ dloss_da
    return dloss_dV, dloss_dW
"""

PENALISED = """
def loss(x, t, W, b, decay=0.3):
    N, K = x.shape
    out = x @ W + b
    loss = ((out - t) ** 2).sum() / N + decay * (W * W).sum()
    dout = 2 * (out - t)
    dW = x.T @ dout
    dW /= N
    dW += 2 * decay * W
    db = dout.sum(0) / N
    return loss, dW, db
"""

LOOPS = """
def forward(x, kernel):
    width = len(kernel)
    steps = len(x) - width + 1
    out = np.zeros(steps)
    for i in range(steps):
        out[i] = (x[i : i + width] * kernel).sum()
    return out


def backward(dout, x, kernel):
    width = len(kernel)
    padded, dkernel = np.zeros(len(x) + 2), np.zeros(width)
    for i in range(len(dout)):
        padded[i : i + width] += dout[i] * kernel
        dkernel += dout[i] * x[i : i + width]
    dx = padded[:-2]
    return dx, dkernel
"""


def check(text: str, *inputs: Any) -> Report:
    found = made(text)
    forward = found.get("forward") or found["loss"]
    return check_lines(forward, found.get("backward"), inputs, power=False)


def drawn(*shapes: tuple[int, ...]) -> list[Any]:
    random = np.random.default_rng(0)
    return [random.normal(size=shape) for shape in shapes]


PROGRAMS = {
    "standardised": (STANDARDISED, drawn((6, 3), (3,), (6, 3))),
    "classes": (CLASSES, [drawn((6, 4))[0], np.array([0, 2, 1, 1, 0, 2]), drawn((4, 3))[0]]),
    "slopes": (SLOPES, drawn((6, 3), (6, 2), (3, 4), (4, 2))),
    "penalised": (PENALISED, drawn((6, 3), (6, 2), (3, 2), (2,))),
    "loops": (LOOPS, drawn((7,), (3,))),
}

BREAKS = [
    ("standardised", "d_centred_1 = d_out * gain / np.sqrt(spread)", "d_centred_1 = d_out / np.sqrt(spread)"),
    ("standardised", "d_centred_2 = 2 * centred * d_spread / n", "d_centred_2 = centred * d_spread / n"),
    ("standardised", "dx_2 = -d_centred.sum(0) / n", "dx_2 = -d_centred.sum(0)"),
    ("standardised", "dx = dx_1 + dx_2", "dx = dx_1"),
    ("classes", "dscores = p.copy()", "dscores = np.exp(p)"),
    ("classes", "dscores[np.arange(N), t] -= 1", "dscores[np.arange(N), t] += 1"),
    ("classes", "dscores[np.arange(N), t] -= 1", "dscores[np.arange(N), t] -= 2"),
    ("classes", "dscores /= N", "dscores /= K"),
    ("slopes", "dy_dh = W.T", "dy_dh = W.T / 2"),
    ("slopes", "dy_dW = h.T", "dy_dW = a.T"),
    ("slopes", "dh_da = 1 - h * h", "dh_da = 1 - h * a"),
    ("slopes", "dloss_da = dloss_dh * dh_da", "dloss_da = dloss_dh + dh_da"),
    ("penalised", "dW = x.T @ dout", "dW = x.T @ t"),
    ("penalised", "dW /= N", "dW /= K"),
    ("penalised", "dW += 2 * decay * W", "dW -= 2 * decay * W"),
    ("loops", "padded[i : i + width] += dout[i] * kernel", "padded[i : i + width] = dout[i] * kernel"),
    ("loops", "dx = padded[:-2]", "dx = padded[:-2] * width"),
]


@pytest.mark.long(but=2)
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_right_ones_are_accepted(name: str) -> None:
    text, inputs = PROGRAMS[name]
    report = check(text, *inputs)
    assert report.ok, report.verdict


@pytest.mark.long(but=4)
@pytest.mark.parametrize(("name", "line", "instead"), BREAKS, ids=[instead for _, _, instead in BREAKS])
def test_the_line_is_named_alone(name: str, line: str, instead: str) -> None:
    text, where = broken(PROGRAMS[name][0], line, instead)
    report = check(text, *PROGRAMS[name][1])
    assert [(row.source[-len(where) :], row.others) for row in report.guilty] == [(where, "")], report.verdict


def test_what_no_small_change_mends_may_be_in_several_lines() -> None:
    text, where = broken(LOOPS, "dx = padded[:-2]", "dx = padded[2:]")
    (row,) = check(text, *PROGRAMS["loops"][1]).guilty
    assert row.source.endswith(where)
    assert row.others


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_VALUES", "MOST_SUSPECTS"])
def test_what_takes_too_long_is_not_tried(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repaired, limit, 1)
    text, _ = broken(CLASSES, "dscores /= N", "dscores /= K")
    (row,) = check(text, *PROGRAMS["classes"][1]).guilty
    assert row.others
