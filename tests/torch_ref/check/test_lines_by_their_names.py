"""What the names of a program say, and what they only seem to say."""

from typing import Any

import numpy as np
import pytest

from tests.torch_ref.lines.programs import arrays, broken, pair_of
from torch_ref import Report, check_lines

REUSED = """
def forward(x, W1, W2):
    z1 = x @ W1
    h1 = np.maximum(z1, 0)
    out = np.tanh(h1 @ W2)
    return out, (x, W1, W2, z1, h1, out)


def backward(dout, cache):
    x, W1, W2, z1, h1, out = cache
    dout = dout * (1 - out**2)
    dW2 = h1.T @ dout
    dout = dout @ W2.T
    dout = dout * (z1 > 0)
    dW1 = x.T @ dout
    dout = dout @ W1.T
    return dout, dW1, dW2
"""

CACHE = """
def forward(x, W):
    cache = []
    h = x
    for _ in range(2):
        cache.append(h)
        h = np.tanh(h @ W)
    return h, (cache, W, h)


def backward(dout, cache):
    steps, W, h = cache
    dW = np.zeros_like(W)
    for x in reversed(steps):
        da = dout * (1 - h**2)
        dW += x.T @ da
        dout = da @ W.T
        h = x
    return dout, dW
"""

EULER = """
def forward(x, t, W):
    dt = 0.25
    h = x + dt * np.tanh(x @ W + t)
    return h


def backward(dout, x, t, W):
    dt = 0.25
    s = dt * dout * (1 - np.tanh(x @ W + t) ** 2)
    return {"dx": dout + s @ W.T, "dW": x.T @ s}
"""

WORDS = """
def forward(x, t, W):
    y = x @ W
    return 0.5 * ((y - t) ** 2).sum()


def backward(x, t, W, y):
    diff = y - t
    Delta1 = x.T @ diff
    dW = Delta1
    dq = 2 * diff
    return {"dW": dW}
"""


def check(text: str, *shapes: tuple[int, ...], **more: Any) -> Report:
    return check_lines(*pair_of(text), arrays(np.random.default_rng(0), *shapes), power=False, **more)


def accused(report: Report) -> list[str]:
    return [line for line in report.verdict.splitlines() if line.startswith("Wrong")]


def test_what_is_returned_as_dout_is_by_order() -> None:
    shapes = (6, 4), (4, 5), (5, 3)
    report = check(REUSED, *shapes)
    assert report.ok
    assert "gradient of x" in [row.quantity for row in report.rows]
    text, at = broken(REUSED, "dout = dout @ W1.T", "dout = -dout @ W1.T")
    assert at in accused(check(text, *shapes))[0]


def test_what_forward_returned_goes_before_a_variable_called_cache() -> None:
    report = check(CACHE, (4, 3), (3, 3))
    assert report.ok
    assert not report.note


@pytest.mark.parametrize("forward", ["h = x + dt * np.tanh(x @ W + t)", "h = x + 0.25 * np.tanh(x @ W + t)"])
def test_a_number_of_the_program_is_no_gradient(forward: str) -> None:
    text = EULER.replace("h = x + dt * np.tanh(x @ W + t)", forward)
    if "0.25 *" in forward:
        text = text.replace("    dt = 0.25\n", "", 1)
    report = check(text, (4, 3), (4, 1), (3, 3))
    assert report.ok, report.verdict
    assert "gradient of t" in [name for name, _ in report.not_compared]


def test_a_variable_called_cache_is_meant_that_forward_returned_among_others() -> None:
    several = CACHE.replace("return h, (cache, W, h)", "return h, W, cache")
    text = several.replace("steps, W, h = cache", "steps = cache").replace("(dout, cache)", "(dout, h, W, cache)")
    report = check(text, (4, 3), (3, 3))
    assert report.ok, report.verdict


def test_a_word_that_begins_with_d_is_no_gradient_of_the_rest() -> None:
    left = dict(check(WORDS, (6, 4), (6, 3), (4, 3)).not_compared)
    assert "diff" not in left
    assert "called q" in left["dq"]
    assert "elta" not in str([*left.values()])


@pytest.mark.parametrize("name", ["Delta1", "delta2"])
def test_a_delta_with_a_number_does_not_say_of_what_it_is(name: str) -> None:
    text = WORDS.replace("dW = Delta1", "dW = 1 * Delta1").replace("Delta1", name)
    left = dict(check(text, (6, 4), (6, 3), (4, 3)).not_compared)
    assert left[name].startswith("its name does not say")
