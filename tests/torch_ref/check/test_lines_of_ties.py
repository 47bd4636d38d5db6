"""At ties along a chain any share is right for each of the equal numbers, but together they get the gradient once."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.torch_ref.lines.programs import pair_of
from torch_ref import check_chain, check_gradients, check_lines

RIGHT_OF_ROWS = {
    "first": "np.where(np.arange(z.shape[1]) == z.argmax(1)[:, None], d, 0)",
    "last": "np.where(np.arange(z.shape[1]) == z.shape[1] - 1 - z[:, ::-1].argmax(1)[:, None], d, 0)",
    "shared": "d * hit / hit.sum(1, keepdims=True)",
}
WRONG_OF_ROWS = {
    "each": "d * hit",
    "none": "d * hit * (hit.sum(1, keepdims=True) == 1)",
    "too much": "d * hit / hit.sum(1, keepdims=True) ** 0.5",
}
ROWS = """
def forward(x):
    z = {scale} * x
    y = z.max(axis=1)
    return y


def backward(dy, x):
    z = {scale} * x
    d = dy[:, None]
    hit = z == z.max(axis=1, keepdims=True)
    dz = {dz}
    dx = {scale} * dz
    return dx
"""

WINDOWS = """
def forward(x):
    n, h, w = x.shape
    v = x.reshape(n, h // 2, 2, w // 2, 2)
    y = v.max(axis=(2, 4))
    return y


def backward(dy, x):
    n, h, w = x.shape
    v = x.reshape(n, h // 2, 2, w // 2, 2)
    hit = v == v.max(axis=(2, 4), keepdims=True)
    dx = (dy[:, :, None, :, None] * hit{share}).reshape(x.shape)
    return dx
"""

TWO = """
def forward(x, V, W):
    p = x @ V
    q = x @ W
    h = np.maximum(p, q)
    return (h**3).sum()


def backward(x, V, W, p, q, h):
    dh = 3 * h**2
    dp = dh * ({p})
    dq = dh * ({q})
    dV = x.T @ dp
    dW = x.T @ dq
    return dV, dW
"""


def halves(*shape: int) -> Any:
    """Return numbers of which many are equal."""
    return (2 * np.random.default_rng(0).normal(size=shape)).round() / 2


@pytest.mark.long(but=("none-2.0-shape0", "shared-2.0-shape0"))
@pytest.mark.parametrize("shape", [(4, 6), (40, 6)])
@pytest.mark.parametrize("scale", ["1.0", "2.0"])
@pytest.mark.parametrize("dz", [*RIGHT_OF_ROWS, *WRONG_OF_ROWS])
def test_the_largest_of_a_row(dz: str, scale: str, shape: tuple[int, int]) -> None:
    text = ROWS.format(scale=scale, dz=(RIGHT_OF_ROWS | WRONG_OF_ROWS)[dz])
    report = check_lines(*pair_of(text), [halves(*shape)])
    assert report.ok is (dz in RIGHT_OF_ROWS), str(report)
    if not report.ok:
        assert [row.of.text.partition(" = ")[0] for row in report.guilty] == ["dz"]


@pytest.mark.long
@pytest.mark.parametrize("is_relu", [False, True])
@pytest.mark.parametrize("share", [" / hit.sum(axis=(2, 4), keepdims=True)", ""])
def test_the_largest_of_a_window(share: str, is_relu: bool) -> None:
    x = halves(3, 6, 8)
    report = check_lines(*pair_of(WINDOWS.format(share=share)), [np.maximum(x, 0) if is_relu else x])
    assert report.ok is bool(share), str(report)


@pytest.mark.long(but=3)
@pytest.mark.parametrize(
    ("p", "q", "right"),
    [
        ("p >= q", "q > p", True),
        ("p > q", "q >= p", True),
        ("(p > q) + 0.5 * (p == q)", "(q > p) + 0.5 * (p == q)", True),
        ("(p > q) + 0.1 * (p == q)", "(q > p) + 0.9 * (p == q)", True),
        ("p >= q", "q >= p", False),
        ("p > q", "q > p", False),
        ("p >= q", "(q > p) + 0.1 * (p == q)", False),
    ],
)
@pytest.mark.long(but=("True",))
def test_two_values_that_are_equal_share_one_gradient(p: str, q: str, right: bool) -> None:
    rng = np.random.default_rng(1)
    x, V, W = rng.normal(size=(3, 2)), rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    W[:, 1] = V[:, 1]
    report = check_lines(*pair_of(TWO.format(p=p, q=q)), [x, V, W])
    assert report.ok is right, str(report)
    assert right or {row.of.text[:2] for row in report.guilty} <= {"dp", "dq"}


@pytest.mark.long(but=1)
@pytest.mark.parametrize("columns", [12, 20])
@pytest.mark.parametrize(("dz", "right"), [("np.where(np.arange(n) == 1, 0.5, 1 / n)", False), ("np.eye(n)[1]", True)])
def test_a_row_of_many_equal_numbers(dz: str, right: bool, columns: int) -> None:
    """Too many for a group: only their sum tells."""
    text = ROWS.format(scale="1.0", dz=f"d * {dz.replace('n)', f'{columns})').replace('/ n', f'/ {columns}')}")
    report = check_lines(*pair_of(text), [np.zeros((2, columns))])
    assert report.ok is right, str(report)


NEAR = """
def forward(x):
    y = x[:, :3].max(axis=1)
    z = np.maximum(x[:, 3:], 0)
    return y, z


def backward(dy, dz, x):
    dx = 0 * x
    dx[:, :3] = {share} * dy[:, None]
    dx[:, 3:] = dz * 0.5
    return dx
"""


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    ("share", "right"), [("np.array([0.2, 0.7, 0.1])", True), ("np.array([0.2, 0.8, 0.2])", False)]
)
def test_three_equal_numbers_side_by_side(share: str, right: bool) -> None:
    """Of many that lie at kinks those that change alike are others by chance."""
    assert check_lines(*pair_of(NEAR.format(share=share)), [np.zeros((1, 300))]).ok is right


FAR = """
def forward(x):
    y = np.maximum(x[:, 0], x[:, -1])
    z = np.maximum(x[:, 1:-1], 0)
    return y, z


def backward(dy, dz, x):
    dx = 0 * x
    dx[:, 0] = dy * (x[:, 0] >= x[:, -1])
    dx[:, -1] = dy * (x[:, -1] {sign} x[:, 0])
    dx[:, 1:-1] = dz * (x[:, 1:-1] > 0)
    return dx
"""


@pytest.mark.long
@pytest.mark.parametrize(("sign", "right"), [(">", True), (">=", False)])
def test_equal_numbers_may_stand_far_from_each_other(sign: str, right: bool) -> None:
    """Between them lie others at kinks of their own, so that no sum is the same everywhere."""
    assert check_lines(*pair_of(FAR.format(sign=sign)), [np.zeros((2, 30))]).ok is right


# ------------------------------------------------------------------------------------------------ what stays right

RELUS = """
def forward(x):
    n = -x
    p = 1 * x
    zero = torch.zeros_like(x)
    y = 2 * torch.maximum(p, zero) + 3 * torch.maximum(n, zero)
    return y


def backward(dy, x):
    n = -x
    p = 1 * x
    dp = 2 * dy * ({p})
    dn = 3 * dy * ({n})
    dx = dp - dn
    return dx
"""


@pytest.mark.long(but=2)
@pytest.mark.parametrize("shape", [(1, 3), (30, 10)])
@pytest.mark.parametrize("p", ["p > 0", "p >= 0", "(p > 0) + 0.3 * (p == 0)"])
@pytest.mark.parametrize("n", ["n > 0", "n >= 0"])
def test_values_that_belong_to_no_tie_have_each_its_own_slope(p: str, n: str, shape: tuple[int, int]) -> None:
    """Two of opposite sign, both 0, are moved on their own: neither slope says anything of the other."""
    report = check_lines(*pair_of(RELUS.format(p=p, n=n)), [torch.tensor(halves(*shape))])
    assert report.ok, str(report)
    assert report.not_compared == (), "both are compared"


@pytest.mark.parametrize("slope", ["(x > 0) & (x < 1)", "(x >= 0) & (x <= 1)", "(x >= 0) & (x < 1)"])
def test_at_the_bounds_of_a_clip(slope: str) -> None:
    text = f"def forward(x):\n    return np.clip(x, 0, 1)\n\n\ndef backward(dy, x):\n    return dy * ({slope})\n"
    assert check_lines(*pair_of(text), [halves(20, 6)]).ok


def test_slopes_at_random_of_many_zeros() -> None:
    text = """
def forward(x):
    y = np.maximum(x, 0)
    return y


def backward(dy, x):
    return dy * ((x > 0) + np.random.rand(*x.shape) * (x == 0))
"""
    assert check_lines(*pair_of(text), [halves(100, 100)]).ok, "among so many some change alike by chance"


# ------------------------------------------------------------------------------------------------ the other checks


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("share", "right"), [(1.0, True), (0.0, False)])
def test_gradients_of_a_loss(share: float, right: bool, dtype: torch.dtype) -> None:
    x, d = torch.tensor(halves(6, 5)).to(dtype), torch.randn(6).to(dtype)
    hit = (x == x.amax(1, keepdim=True)).to(dtype)
    by_hand = d[:, None] * hit / hit.sum(1, keepdim=True) ** share
    assert check_gradients(lambda: (x.amax(1) * d).sum(), {"x": x}, {"x": by_hand}).ok is right


def test_the_winner_of_a_maximum_in_a_loss_of_numpy() -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 3.0])
    loss = lambda: (np.maximum(a, b) * [1.0, 2.0, 4.0]).sum()  # noqa: E731
    wins, loses = np.array([1.0, 2.0, 4.0]), np.array([0.0, 0.0, 0.0])
    assert check_gradients(loss, {"a": a, "b": b}, {"a": wins, "b": loses}).ok
    assert not check_gradients(loss, {"a": a, "b": b}, {"a": wins, "b": np.array([1.0, 0.0, 4.0])}).ok
    assert not check_gradients(loss, {"a": a, "b": b}, {"a": np.array([0.0, 2.0, 0.0]), "b": loses}).ok


SHARES = [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.25, 0.75)]


@pytest.mark.long(but=3)
@pytest.mark.parametrize("shares", [*SHARES, (1.0, 1.0), (0.0, 0.0), (1.0, 0.5)])
@pytest.mark.parametrize("operation", [torch.maximum, torch.minimum])
def test_a_chain_of_one_pass(shares: tuple[float, float], operation: Any) -> None:
    a = torch.randn(3, 4, dtype=torch.float64).requires_grad_()
    b = torch.randn(3, 4, dtype=torch.float64)
    b[:, 1] = a.detach()[:, 1]
    b.requires_grad_()
    d = torch.randn(3, 4, dtype=torch.float64)
    p, q = 2 * a, 2 * b
    loss = (operation(p, q) * d).sum() + (p * p).sum()

    def by_hand(mine: Tensor, other: Tensor, share: float) -> Tensor:
        return d * ((operation(mine, other) == mine) * (mine != other) + share * (mine == other))

    dp = by_hand(p.detach(), q.detach(), shares[0]) + 2 * p.detach()
    dq = by_hand(q.detach(), p.detach(), shares[1])
    report = check_chain(loss, {"p": (p, dp), "q": (q, dq), "a": (a, 2 * dp), "b": (b, 2 * dq)})
    assert report.ok is (shares in SHARES), str(report)
    assert {row.quantity for row in report.guilty} <= {"gradient of p", "gradient of q"}
    assert check_chain(loss, {"p": (p, dp)}).ok, "of one alone any share may be right"
