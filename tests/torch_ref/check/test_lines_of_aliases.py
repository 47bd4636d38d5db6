"""An input that forward gives a second name: its own gradient is compared, and not that of the other name alone."""

import numpy as np
import pytest

from tests.torch_ref.lines.programs import arrays, broken, pair_of
from torch_ref import Report, check_lines

GATED = """
def forward(x, c0, W):
    c = c0
    cs = [c0]
    for t in range(len(x)):
        f = 1 / (1 + np.exp(-(x[t] @ W)))
        c = f * c + (1 - f)
        cs.append(c)
    return c, cs


def backward(dout, cache, x, W):
    cs = cache
    dW = np.zeros_like(W)
    dc = dout
    for t in reversed(range(len(x))):
        f = 1 / (1 + np.exp(-(x[t] @ W)))
        df = dc * (cs[t] - 1)
        dW += x[t].T @ (df * f * (1 - f))
        dc = dc * f
    dc0 = 1 * dc
    return dc0, dW
"""

ALIAS = """
def forward(x, W1, W2):
    h = x
    h1 = np.tanh(h @ W1)
    y = h1 @ W2
    return 0.5 * (y**2).sum(), (h, h1, y)


def backward(W1, W2, cache):
    h, h1, y = cache
    dx = np.zeros_like(h)
    dz = (y @ W2.T) * (1 - h1**2)
    dh = dz @ W1.T
    dx = 1 * dh
    return {"W1": h.T @ dz, "W2": h1.T @ y, "x": dx}
"""


def check(text: str, *shapes: tuple[int, ...]) -> Report:
    names = text.partition("(")[2].partition(")")[0].split(", ")
    values = dict(zip(names, arrays(np.random.default_rng(0), *shapes), strict=True))
    return check_lines(*pair_of(text), values, power=False)


@pytest.mark.long
def test_the_first_value_of_a_loop_is_an_input_whose_gradient_is_made_after_it() -> None:
    shapes = (4, 3, 5), (3, 2), (5, 2)
    report = check(GATED, *shapes)
    assert report.ok, report.verdict
    assert "gradient of c0" in [row.quantity for row in report.rows]
    text, at = broken(GATED, "dc0 = 1 * dc", "dc0 = 2 * dc")
    assert f"{at}." in check(text, *shapes).verdict


def test_of_two_gradients_of_one_input_the_last_counts() -> None:
    shapes = (4, 3), (3, 5), (5, 2)
    assert check(ALIAS, *shapes).ok
    text, at = broken(ALIAS, "dx = 1 * dh", "dx = 2 * dh")
    assert [row.source[-len(at) :] for row in check(text, *shapes).guilty] == [at]
