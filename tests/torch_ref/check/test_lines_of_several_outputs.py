"""Forward returns several outputs: each gradient that backward asks for is that of one, whatever it is called."""

from typing import Any

import numpy as np
import pytest

from tests.torch_ref.lines.programs import pair_of
from torch_ref import check_lines

CELL = """
def forward(x, w):
    z = x @ w
    cell = np.tanh(z)
    h = 2 * cell
    return h, cell


def backward(dh, {d}, x, w):
    cell = np.tanh(x @ w)
    dcell = {d} + 2 * dh
    dz = dcell * (1 - cell**2)
    return dz @ w.T, x.T @ dz
"""

NAMES = ["dc", "dcell_next", "dout2", "dc_next", "d_c", "grad_c", "dstate", "c_grad", "dnext_c", "delta_c", "dh2"]


def arrays() -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(3, 4)), rng.normal(size=(4, 4))]


@pytest.mark.long(but=("dout2", "delta_c"))
@pytest.mark.parametrize("d", NAMES)
def test_each_of_two_outputs_has_its_gradient(d: str) -> None:
    right = CELL.format(d=d)
    assert check_lines(*pair_of(right), arrays()).ok
    report = check_lines(*pair_of(right.replace(f"{d} + 2 * dh", "2 * dh")), arrays())
    assert [row.of.text for row in report.guilty] == ["dcell = 2 * dh"]


@pytest.mark.long(but=1)
@pytest.mark.parametrize("d", ["dc", "dcell_next", "dnext_c"])
def test_gradients_in_another_order_go_by_what_they_are_akin_to(d: str) -> None:
    text = CELL.format(d=d).replace(f"(dh, {d}, x", f"({d}, dh, x")
    assert check_lines(*pair_of(text), arrays()).ok
    report = check_lines(*pair_of(text.replace(f"{d} + 2 * dh", f"dh + 2 * {d}")), arrays())
    assert not report.ok


def test_a_default_of_none_is_given_the_gradient_too() -> None:
    text = CELL.format(d="dc").replace("def backward(dh, dc, x, w)", "def backward(dh, x, w, dc=None)")
    assert check_lines(*pair_of(text), arrays()).ok
    assert not check_lines(*pair_of(text.replace("dc + 2 * dh", "2 * dh")), arrays()).ok


def test_three_outputs_and_a_cache() -> None:
    text = """
def forward(x, w):
    a = x @ w
    b = np.tanh(a)
    c = b * b
    return a, b, c, (x, w, b)


def backward(dfirst, dsecond, dthird, cache):
    x, w, b = cache
    db = dsecond + 2 * b * dthird
    da = dfirst + db * (1 - b**2)
    return da @ w.T, x.T @ da
"""
    assert check_lines(*pair_of(text), arrays()).ok
    assert not check_lines(*pair_of(text.replace("2 * b", "b")), arrays()).ok


# ------------------------------------------------------------------------------------------------ what stays a cache

CACHED = """
def forward(x, w):
    z = x @ w
    mask = (z > 0) * 2.0
    return z * mask, {kept}


def backward(dout, {given}, x, w):
    dz = dout * {given}
    return dz @ w.T, x.T @ dz
"""


@pytest.mark.long(but=3)
@pytest.mark.parametrize(
    ("kept", "given"),
    [
        ("mask", "mask"),
        ("mask", "cache"),
        ("mask", "saved_mask"),
        ("mask", "dropout_mask"),
        ("mask", "data"),
        ("mask", "derivative"),
        ("mask", "diag_of_mask"),
        ("mask.copy()", "kept"),
    ],
)
def test_an_array_that_is_kept_for_backward_stays_one(kept: str, given: str) -> None:
    assert check_lines(*pair_of(CACHED.format(kept=kept, given=given)), arrays()).ok


def test_beside_its_cache_a_backward_may_take_what_has_a_default() -> None:
    text = CACHED.format(kept="mask", given="mask").replace("x, w):\n    dz", "x, w, dim=1, dtype=None):\n    dz")
    assert check_lines(*pair_of(text), arrays()).ok


def test_a_gradient_that_forward_computed_is_no_output() -> None:
    text = """
def forward(x, t):
    y = x - t
    dscores = 2 * y
    return (y**2).sum(), dscores


def backward(dout, dlogits):
    dx = dout * dlogits
    return dx, -dx
"""
    x, t = np.random.default_rng(0).normal(size=(2, 3, 4))
    assert check_lines(*pair_of(text), [x, t]).ok


@pytest.mark.long
def test_the_same_where_forward_is_measured() -> None:
    text = CELL.format(d="dc").replace(
        "cell = np.tanh(z)\n    h", "cell = np.zeros(z.shape)\n    cell[:] = np.tanh(z)\n    h"
    )
    report = check_lines(*pair_of(text), arrays())
    assert report.ok, report
    assert not check_lines(*pair_of(text.replace("dc + 2 * dh", "2 * dh")), arrays()).ok
