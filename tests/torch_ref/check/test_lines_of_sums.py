"""Gradients in numbered parts, dx = dx1 + dx2, of which none is that of a value."""

import numpy as np
import pytest

from tests.torch_ref.lines.programs import arrays, broken, pair_of
from torch_ref import Report, check_lines

CENTRED = """
def forward(x, gamma):
    N, D = x.shape
    mu = np.sum(x, axis=0) / N
    out = gamma * (x - mu)
    return out


def backward(dout, x, gamma, mu):
    N, D = x.shape
    dgamma = np.sum(dout * (x - mu), axis=0)
    dx1 = dout * gamma
    dmu = -np.sum(dx1, axis=0)
    dx2 = np.ones((N, D)) / N * dmu
    dx = dx1 + dx2
    return dx, dgamma
"""

NORM = """
def forward(x, gamma, beta, eps=1e-5):
    N, D = x.shape
    mu = 1.0 / N * np.sum(x, axis=0)
    xmu = x - mu
    sq = xmu**2
    var = 1.0 / N * np.sum(sq, axis=0)
    sqrtvar = np.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    gammax = gamma * xhat
    out = gammax + beta
    return out, (xhat, gamma, xmu, ivar, sqrtvar)


def backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    dvar = 0.5 / sqrtvar * dsqrtvar
    dsq = 1.0 / N * np.ones((N, D)) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)
    dx2 = 1.0 / N * np.ones((N, D)) * dmu
    dx = dx1 + dx2
    return dx, dgamma, dbeta
"""

WRONG = [
    (CENTRED, "dmu = -np.sum(dx1, axis=0)", "dmu = np.sum(dx1, axis=0)"),
    (CENTRED, "dx2 = np.ones((N, D)) / N * dmu", "dx2 = np.ones((N, D)) * dmu"),
    (NORM, "dvar = 0.5 / sqrtvar * dsqrtvar", "dvar = 0.5 * sqrtvar * dsqrtvar"),
    (NORM, "dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)", "dmu = np.sum(dxmu1 + dxmu2, axis=0)"),
    (NORM, "dx2 = 1.0 / N * np.ones((N, D)) * dmu", "dx2 = np.ones((N, D)) * dmu"),
]


def check(text: str) -> Report:
    shapes = ((6, 4), (4,)) if text.count("beta") == 0 else ((6, 4), (4,), (4,))
    return check_lines(*pair_of(text), arrays(np.random.default_rng(0), *shapes), power=False)


@pytest.mark.parametrize("text", [CENTRED, NORM])
def test_a_numbered_part_is_no_gradient_of_a_value(text: str) -> None:
    report = check(text)
    assert report.ok, report.verdict
    assert "dx2" in [name for name, _ in report.not_compared]


@pytest.mark.long(but=("text0",))
@pytest.mark.parametrize(("text", "line", "instead"), WRONG)
def test_what_is_wrong_beside_it_is_named_alone(text: str, line: str, instead: str) -> None:
    text, at = broken(text, line, instead)
    accused = [one for one in check(text).verdict.splitlines() if one.startswith("Wrong")]
    assert [one.endswith(f"{at}.") for one in accused] == [True], accused
