"""At ties every choice that is somebody's derivative is right, and nothing is counted twice or not at all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from torch_ref import check_function
from torch_ref.verdict.report import Report


def halves(*shape: int) -> Tensor:
    """Return numbers of which many are equal."""
    return (2 * torch.randn(*shape, dtype=torch.float64)).round() / 2


def checked(forward: Any, backward: Any, *inputs: Tensor) -> Report:
    return check_function(forward, backward, [*inputs], power=False)


def first_of_ties(d: Tensor, x: Tensor) -> Tensor:
    return torch.zeros_like(x).scatter(1, x.argmax(1, keepdim=True), d[:, None])


def all_of_ties(d: Tensor, x: Tensor) -> Tensor:
    return d[:, None] * (x == x.amax(1, keepdim=True))


def sorted_the_other_way(d: Tensor, x: Tensor) -> Tensor:
    order = 5 - x.flip(1).sort(dim=1, stable=True)[1]
    return torch.zeros_like(x).scatter(1, order, d[:, None] * torch.arange(6.0).double())


CHOICES = {
    "the first maximum": (lambda x: x.amax(1), first_of_ties, 1, 6),
    "a larger or equal": (torch.maximum, lambda d, a, b: (d * (a >= b), d * (b > a)), 2, 5),
    "slope 1 at 0": (
        lambda a, b: (a - b).relu(),
        lambda d, a, b: (d * (a >= b), -d * (a >= b)),
        2,
        5,
    ),
    "sign 1 at 0": (
        lambda a, b: (a - b).abs(),
        lambda d, a, b: (d * torch.where(a >= b, 1.0, -1.0), -d * torch.where(a >= b, 1.0, -1.0)),
        2,
        5,
    ),
    "sorted the other way": (lambda x: (x.sort(1)[0] * torch.arange(6.0)).sum(1), sorted_the_other_way, 1, 6),
}


@pytest.mark.long(but=("first maximum-4", "slope 1 at 0-4"))
@pytest.mark.parametrize("rows", [4, 100])
@pytest.mark.parametrize("name", CHOICES)
def test_another_choice_at_ties_is_right_however_many_there_are(name: str, rows: int) -> None:
    forward, backward, count, columns = CHOICES[name]
    report = checked(forward, backward, *(halves(rows, columns) for _ in range(count)))
    assert report.ok, report
    assert {row.isolated.reason for row in report.rows[1:]} == {"kink"}


def test_the_last_of_equal_numbers_in_a_window_is_as_right_as_the_first() -> None:
    """Of a ReLU's output many windows are 0 everywhere."""

    def last(d: Tensor, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        windows = x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        at = 3 - windows.flip(-1).argmax(-1, keepdim=True)
        chosen = torch.zeros_like(windows).scatter(-1, at, d[..., None])
        return chosen.view(n, c, h // 2, w // 2, 2, 2).permute(0, 1, 2, 4, 3, 5).reshape(x.shape)

    x = torch.randn(4, 2, 8, 8).relu()
    assert checked(lambda x: torch.nn.functional.max_pool2d(x, 2), last, x).ok


TWICE = {
    "maximum, both": (torch.maximum, lambda d, a, b: (d * (a >= b), d * (b >= a))),
    "maximum, neither": (torch.maximum, lambda d, a, b: (d * (a > b), d * (b > a))),
    "minimum, both": (torch.minimum, lambda d, a, b: (d * (a <= b), d * (b <= a))),
}


@pytest.mark.long(but=3)
@pytest.mark.parametrize("rows", [1, 2, 6, 30])
@pytest.mark.parametrize("name", TWICE)
def test_a_tie_of_two_inputs_is_counted_once(name: str, rows: int) -> None:
    forward, backward = TWICE[name]
    a = torch.randn(rows, 5).double()
    b = a + torch.randn(rows, 5).double()
    b[:, 2] = a[:, 2]
    assert not checked(forward, backward, a, b).ok


def test_ties_of_one_input_are_counted_once_whatever_the_dtype_of_a_kernel() -> None:
    x = torch.tensor([[3.0, 3, 1, 1], [0, 2, 2, 0]])

    def range_of(x: Tensor) -> Tensor:
        return x.amax(1) - x.amin(1)

    def all_of_both(d: Tensor, x: Tensor) -> Tensor:
        return all_of_ties(d, x) - all_of_ties(d, -x)

    def in_float32_only(d: Tensor, x: Tensor) -> Tensor:
        assert d.dtype == torch.float32
        return all_of_ties(d, x)

    assert not checked(range_of, all_of_both, x.double()).ok
    assert not checked(lambda x: x.amax(1), in_float32_only, halves(20, 6).float()).ok
    assert checked(range_of, lambda d, x: first_of_ties(d, x) - first_of_ties(d, -x), x.double()).ok


@pytest.mark.parametrize("factor", [1.0, 0.0])
def test_the_largest_magnitude_is_one_entry_s_or_shared(factor: float) -> None:
    x = torch.tensor([[3.0, -3, 1], [2, -2, 0]]).double()

    def all_or_none(d: Tensor, x: Tensor) -> Tensor:
        hit = x.abs() == x.abs().amax(1, keepdim=True)
        alone = hit.sum(1, keepdim=True) == 1
        return d[:, None] * x.sign() * hit * torch.where(alone, 1.0, factor)

    assert not checked(lambda x: x.abs().amax(1), all_or_none, x).ok


def test_in_half_precision_a_tie_is_one_too() -> None:
    a, b = torch.randn(4, 5).bfloat16(), torch.randn(4, 5).bfloat16()
    b[1, 1] = a[1, 1]

    def backward(d: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        g = d[:, None] * torch.where(a >= b, 1.0, -1.0).to(d.dtype)
        return g, -g

    assert checked(lambda a, b: (a - b).abs().sum(1), backward, a, b).ok


@pytest.mark.long(but=2)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("gap", [20, 30, 37, 40])
def test_a_saturated_cross_entropy_is_right(gap: int, dtype: torch.dtype) -> None:
    """Finite differences see 0 there: 1 − 1e-18 is 1. In float32 both sides are inexact alike."""
    z, t = (torch.randn(5, 5) + gap * torch.eye(5)).to(dtype), torch.arange(5)

    def backward(d: Tensor, z: Tensor) -> Tensor:
        return d * (z.softmax(1) - torch.eye(5).to(z)) / 5

    assert checked(lambda z: torch.nn.functional.cross_entropy(z, t), backward, z).ok
    assert not checked(lambda z: torch.nn.functional.cross_entropy(z, t), lambda d, z: -backward(d, z), z / gap).ok
