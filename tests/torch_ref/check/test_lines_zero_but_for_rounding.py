"""The bias before a batch norm has no influence: its gradient is 0 but for rounding, in whatever order it is summed."""

import numpy as np
import pytest

from tests.torch_ref.lines.programs import broken, pair_of
from torch_ref import Report, check_lines

NORMED = """
def forward(x, t, W, b, V):
    z = x @ W + b
    mu, std = z.mean(0), np.sqrt(z.var(0) + 1e-5)
    xhat = (z - mu) / std
    loss = 0.5 * ((np.maximum(xhat, 0) @ V - t) ** 2).sum() / len(x)
    return loss


def backward(x, t, W, V, xhat, std):
    N = len(x)
    dy = (np.maximum(xhat, 0) @ V - t) / N
    dV = np.maximum(xhat, 0).T @ dy
    dxhat = dy @ V.T * (xhat > 0)
    dz = (N * dxhat - dxhat.sum(0) - xhat * (dxhat * xhat).sum(0)) / (N * std)
    dW = x.T @ dz
    db = dz.sum(0)
    return dW, db, dV
"""


def check(text: str, seed: int) -> Report:
    rng = np.random.default_rng(seed)
    x, t, W, V = (rng.normal(size=shape) for shape in ((8, 5), (8, 3), (5, 7), (7, 3)))
    return check_lines(*pair_of(text), [x, t, 0.5 * W, np.zeros(7), 0.5 * V], power=False)


@pytest.mark.long(but=2)
@pytest.mark.parametrize("seed", range(8))
def test_a_sum_that_is_zero_by_chance_is_not_exact(seed: int) -> None:
    report = check(NORMED, seed)
    assert report.ok, report.verdict


def test_what_should_be_zero_and_is_not_is_wrong() -> None:
    text, at = broken(NORMED, "db = dz.sum(0)", "db = dxhat.sum(0)")
    assert at in check(text, 0).verdict
