"""A loop that uses dh and dc again within a step: for the gradient of this step, then for that of the one before."""

import numpy as np
import pytest

from tests.torch_ref.lines.programs import arrays, broken, pair_of
from torch_ref import Report, check_lines

LSTM = """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(x, h0, c0, Wx, Wh):
    H = h0.shape[1]
    h, c = h0, c0
    hs, steps = [], []
    for t in range(x.shape[1]):
        prev_h, prev_c = h, c
        a = x[:, t].dot(Wx) + prev_h.dot(Wh)
        f = sigmoid(a[:, :H])
        o = sigmoid(a[:, H:])
        c = f * prev_c
        h = o * np.tanh(c)
        hs.append(h)
        steps.append((x[:, t], prev_h, prev_c, f, o, c))
    return np.stack(hs, axis=1), (steps, Wx, Wh)


def backward(dout, cache):
    steps, Wx, Wh = cache
    N, T, H = dout.shape
    dWx, dWh = np.zeros_like(Wx), np.zeros_like(Wh)
    dh = np.zeros((N, H))
    dc = np.zeros((N, H))
    for t in reversed(range(T)):
        xt, prev_h, prev_c, f, o, c = steps[t]
        dh = dh + dout[:, t]
        tc = np.tanh(c)
        do = dh * tc
        dc = dc + dh * o * (1 - tc**2)
        df = dc * prev_c
        da = np.hstack((df * f * (1 - f), do * o * (1 - o)))
        dWx += xt.T.dot(da)
        dWh += prev_h.T.dot(da)
        dh = da.dot(Wh.T)
        dc = dc * f
    dc0 = dc
    return {"dh0": dh, "dc0": dc0, "dWx": dWx, "dWh": dWh}
"""

WRONG = {
    "dh = dh + dout[:, t]": "dh = dout[:, t]",
    "do = dh * tc": "do = dh * c",
    "dc = dc + dh * o * (1 - tc**2)": "dc = dh * o * (1 - tc**2)",
    "df = dc * prev_c": "df = dc * c",
    "dc = dc * f": "dc = dc * o",
    "dh = da.dot(Wh.T)": "dh = 0.5 * da.dot(Wh.T)",
}


def check(text: str) -> Report:
    names = ("x", "h0", "c0", "Wx", "Wh")
    values = arrays(np.random.default_rng(0), (3, 4, 5), (3, 2), (3, 2), (5, 4), (2, 4))
    return check_lines(*pair_of(text), dict(zip(names, values, strict=True)), power=False)


def test_a_right_one_is_accepted_and_every_step_is_compared() -> None:
    report = check(LSTM)
    assert report.ok, report.verdict
    names = {row.quantity.removeprefix("gradient of ").partition(" ")[0] for row in report.rows}
    assert {"h", "c", "o", "f", "h0", "c0", "Wx", "Wh"} <= names
    assert [name for name, _ in report.not_compared] == ["gradient of x"]


@pytest.mark.long
@pytest.mark.parametrize("line", WRONG)
def test_of_a_wrong_one_the_line_is_named_and_no_other(line: str) -> None:
    text, at = broken(LSTM, line, WRONG[line])
    accused = [one for one in check(text).verdict.splitlines() if one.startswith("Wrong")]
    assert accused, line
    assert f"{at}." in accused[0], accused
    assert all("because of the same lines" in one for one in accused[1:]), accused
