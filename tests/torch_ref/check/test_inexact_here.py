"""Numbers at which float32 itself is inexact: where terms cancel, where a unit is saturated, where a gradient is 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from torch_ref import check_autograd_function, check_function


def softmax(x: Tensor) -> Tensor:
    return torch.softmax(x, -1)


def of_softmax(d: Tensor, x: Tensor) -> Tensor:
    p = torch.softmax(x, -1)
    return p * (d - (d * p).sum(-1, keepdim=True))


def height(phi: Tensor, m: Tensor) -> Tensor:
    return m * (1 - torch.cos(phi))


def of_height(d: Tensor, phi: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    return d * m * torch.sin(phi), (d * (1 - torch.cos(phi))).sum()


def mixed(x: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(x, -1) @ v


def of_mixed(d: Tensor, x: Tensor, v: Tensor, factor: float = 1.0) -> tuple[Tensor, Tensor]:
    return factor * of_softmax(d @ v.T, x), torch.softmax(x, -1).T @ d


PHI = torch.tensor([-6.4144e-05, -4.1339e-04, -1.6385e-05, 1.3546e-04, 2.3575e-04])
SATURATED = torch.randn(1, 2, generator=torch.Generator().manual_seed(294)) * 300
SURE = [torch.tensor([[0.0, 150.0], [200.0, 0.0]]), torch.randn(2, 3, generator=torch.Generator().manual_seed(0))]
"""The gradient of x is 0 in float32, and 1e-65 in float64."""


# ------------------------------------------------------------------------------ nobody is wrong


@pytest.mark.long
def test_what_float32_cannot_say_is_not_wrong_on_both_sides() -> None:
    assert check_function(softmax, of_softmax, [SATURATED]).ok
    assert check_function(height, of_height, [PHI, torch.tensor(2e-5)]).ok
    for seed in range(8):
        x = torch.randn(1, 2, generator=torch.Generator().manual_seed(seed)) * 30
        assert check_function(softmax, of_softmax, [x]).ok


def test_a_less_exact_formula_than_the_reference_is_not_wrong_on_both_sides() -> None:
    x = torch.tensor([[15.4099]])
    report = check_function(torch.nn.functional.logsigmoid, lambda d, x: d * (1 - torch.sigmoid(x)), [x])
    assert not any(row.blame == "both" for row in report.rows)


class Doubled(torch.autograd.Function):
    """A wrong backward, which autograd believes: both sides have it."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return 1 - torch.cos(x)

    @staticmethod
    def backward(ctx, d: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * d * torch.sin(x)


@pytest.mark.parametrize("scale", [1e3, 1e4])
def test_what_float64_has_wrong_too_is_wrong_on_both_sides(scale: float) -> None:
    x = PHI * scale
    report = check_function(Doubled.apply, lambda d, x: 2 * d * torch.sin(x), [x])
    assert [row.blame for row in report.guilty] == ["both"]


class OnlyInFloat32(torch.autograd.Function):
    """Wrong in float32 alone, which no rounding explains."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, d: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return (4 if x.dtype == torch.float32 else 2) * d * x


def test_what_rounding_does_not_explain_is_wrong_on_both_sides() -> None:
    report = check_function(OnlyInFloat32.apply, lambda d, x: 4 * d * x, [PHI + 1])
    assert not report.ok


# ------------------------------------------------------------------------------ 0 on both sides


def test_a_mistake_that_only_float64_shows_is_wrong() -> None:
    report = check_function(mixed, lambda d, x, v: of_mixed(d, x, v, 7.0), SURE)
    assert [row.quantity for row in report.guilty] == ["gradient of x"]
    assert "where it computes in float64; in float32 it is 0 on both sides" in report.verdict
    assert "a constant factor of 7" in report.verdict
    assert not check_function(mixed, lambda d, x, v: of_mixed(d, x, v, 1.01), SURE).ok


def test_the_right_formula_is_right_and_its_remark_says_where_that_was_seen() -> None:
    report = check_function(mixed, of_mixed, SURE)
    assert report.outcome == "right, with remarks"
    assert "gradient of x: right in float64; in float32 it is 0 on both sides." in report.verdict
    assert report.power is not None
    assert report.power.factor is not None
    assert 1e-6 < report.power.factor < 1e-5


class Mixed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(x, v)
        return mixed(x, v)

    @staticmethod
    def backward(ctx, d: Tensor) -> tuple[Tensor, Tensor]:
        return of_mixed(d, *ctx.saved_tensors, 7.0)


def test_a_function_is_looked_at_in_float64_too() -> None:
    report = check_autograd_function(Mixed, SURE, mixed)
    assert [row.quantity for row in report.guilty] == ["gradient of x"]


def test_a_formula_that_computes_in_float32_inside_is_not_accused_by_float64() -> None:
    def narrow(d: Tensor, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        d_x, d_v = of_mixed(d.float(), x.float(), v.float())
        return d_x.to(x.dtype), d_v.to(v.dtype)

    for forward in (mixed, lambda x, v: mixed(x.float(), v.float()).to(x.dtype)):
        report = check_function(forward, narrow, SURE)
        assert report.ok, report.verdict
        assert "gradient of x is 0 here on both sides: nothing could be seen of its formula." in report.verdict


def test_a_formula_of_numpy_that_computes_in_float32_inside_is_not_accused_by_float64() -> None:
    def softmax(x: Any) -> Any:
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def narrow(d: Any, x: Any, v: Any) -> tuple[Any, Any]:
        narrowed = (torch.from_numpy(t.astype(np.float32)) for t in (d, x, v))
        d_x, d_v = of_mixed(*narrowed)
        return d_x.numpy().astype(x.dtype), d_v.numpy().astype(v.dtype)

    report = check_function(lambda x, v: softmax(x) @ v, narrow, [t.numpy() for t in SURE])
    assert report.ok, report.verdict
    assert "gradient of x is 0 here on both sides: nothing could be seen of its formula." in report.verdict


@pytest.mark.parametrize("power", [True, False])
def test_a_gradient_that_is_zero_is_named_since_nothing_was_seen_of_its_formula(power: bool) -> None:
    def backward(d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gate = d * (x @ w > 0)
        return 7 * gate @ w.T, x.T @ gate, d.sum(0)

    x, w = -torch.ones(3, 2), torch.ones(2, 4)
    report = check_function(lambda x, w, b: torch.relu(x @ w) + b, backward, [x, w, torch.ones(4)], power=power)
    assert report.outcome == "right, with remarks"
    assert [remark.split(" is 0 here")[0] for remark in report.remarks] == ["gradient of x", "gradient of w"]


def test_zeros_of_every_gradient_are_named_once_and_those_of_no_dependence_never() -> None:
    x = -torch.ones(3, 2)
    report = check_function(torch.relu, lambda d, x: 0 * d, [x])
    assert "this check could not have failed" in report.verdict
    assert not report.remarks
    report = check_function(lambda x, m: x * (m > 0), lambda d, x, m: (d * (m > 0), torch.zeros_like(m)), [x, -x])
    assert report.outcome == "right"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_told_by_float64_as_well(dtype: torch.dtype) -> None:
    given = [t.to(dtype) for t in SURE]
    assert not check_function(mixed, lambda d, x, v: of_mixed(d, x, v, 7.0), given).ok
    report = check_function(mixed, of_mixed, given)
    assert report.ok
    assert "nothing could be seen" not in report.verdict


# ------------------------------------------------------------------------------ the power stated is true


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    "x",
    [
        torch.tensor([[144.8667, 129.2603]]),
        SATURATED,
        torch.randn(4, 3, generator=torch.Generator().manual_seed(1)) * 10,
    ],
)
def test_a_factor_a_little_larger_is_rejected_and_one_a_little_smaller_is_not(x: Tensor) -> None:
    report = check_function(softmax, of_softmax, [x])
    assert report.ok
    factor = report.power.factor
    assert not check_function(softmax, lambda d, x: (1 + 2.5 * factor) * of_softmax(d, x), [x]).ok
    assert check_function(softmax, lambda d, x: (1 + factor / 2.5) * of_softmax(d, x), [x]).ok


def test_no_change_is_smaller_than_the_last_digit() -> None:
    def in_float32(d: Tensor, x: Tensor) -> Tensor:
        assert x.dtype == torch.float32
        return of_softmax(d, x)

    power = check_function(softmax, in_float32, [torch.tensor([[144.8667, 129.2603]])]).power
    assert min(power.factor, power.row, power.entry) >= torch.finfo(torch.float32).eps


def test_numbers_whose_squares_underflow_do_not_break_the_check() -> None:
    x = torch.tensor([[0.0, 1.0], [1e-200, 2e-200]], dtype=torch.float64)
    report = check_function(lambda x: x**2, lambda d, x: 2 * d * x, [x], upstream=torch.full((2, 2), 1e-100))
    assert report.ok
    report = check_function(lambda x: 1e-200 * x, lambda d, x: 1e-200 * d, [x])
    assert report.ok


# ------------------------------------------------------------------- its own operations make a right formula inexact


def one_minus_sigmoid(d: Tensor, x: Tensor) -> Tensor:
    return d * (1 - torch.sigmoid(x))


def layer_norm_backward(d: Tensor, x: Tensor) -> Tensor:
    c = x - x.mean(1, keepdim=True)
    s = (c.square().mean(1, keepdim=True) + 1e-5).sqrt()
    n = c / s
    return (d - d.mean(1, keepdim=True) - n * (d * n).mean(1, keepdim=True)) / s


def gelu_by_erf(d: Tensor, x: Tensor) -> Tensor:
    density = torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5
    return d * (0.5 * (1 + torch.erf(x / 2**0.5)) + x * density)


TWO = torch.tensor([[3.0, -1.0], [0.5, 2.0], [-4.0, 1.0], [2.5, -0.5]])
INEXACT = {
    "1 − σ where σ is 1": (torch.nn.functional.logsigmoid, one_minus_sigmoid, torch.tensor([[17.5, 20.0, 25.0]])),
    "1 − σ where it has two digits": (torch.nn.functional.logsigmoid, one_minus_sigmoid, torch.tensor([[15.0, 16.5]])),
    "two columns": (lambda x: torch.nn.functional.layer_norm(x, (2,)), layer_norm_backward, 100 * TWO),
    "two columns, far apart": (lambda x: torch.nn.functional.layer_norm(x, (2,)), layer_norm_backward, 1000 * TWO),
    "1 + erf at −6": (lambda x: 0.5 * x * torch.erfc(-x / 2**0.5), gelu_by_erf, torch.tensor([[-5.6, -6.1, -6.5]])),
}


@pytest.mark.long(but=1)
@pytest.mark.parametrize("name", INEXACT)
def test_what_its_own_operations_make_inexact_is_right_and_a_factor_in_it_wrong(name: str) -> None:
    forward, backward, x = INEXACT[name]
    report = check_function(forward, backward, [x], power=False)
    assert report.ok, str(report)
    assert report.rows[-1].isolated.reason in ("accuracy", "zero")
    assert not check_function(forward, lambda d, x: 1.02 * backward(d, x), [x], power=False).ok


def test_what_cancels_at_large_numbers_hides_no_mistake_at_small_ones() -> None:
    """1 − tanh² is 0 at 1e6, and its rounding is multiplied by the square of 1e6."""
    k = (2 / torch.pi) ** 0.5

    def backward(d: Tensor, x: Tensor) -> Tensor:
        t = torch.tanh(k * (x + 0.044715 * x**3))
        return d * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * 0.044715 * x * x))

    def forward(x: Tensor) -> Tensor:
        return torch.nn.functional.gelu(x, approximate="tanh")

    x = torch.tensor([[1e6, 0.0, -2e6, 0.5], [0.0, 3e6, 0.0, -1e6]])
    assert check_function(forward, backward, [x], power=False).ok
    assert not check_function(forward, lambda d, x: 1.02 * backward(d, x), [x], power=False).ok
    wrong_at_zero = torch.tensor([[1, 0.9, 1, 1], [1, 1, 1, 1.0]])
    assert not check_function(forward, lambda d, x: backward(d, x) * wrong_at_zero, [x], power=False).ok


@pytest.mark.long(but=1)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("scale", "factor"), [(1.0, 1.5), (30.0, 1.5), (300.0, 1.5), (1000.0, 1.1)])
def test_what_is_small_beside_its_terms_is_not_zero_where_float64_shows_it(
    scale: float, factor: float, dtype: torch.dtype
) -> None:
    """Batch norm undoes a factor before it, but for its ε: the gradient is 1e-5 of the variance of the terms."""

    def forward(x: Tensor, w: Tensor) -> Tensor:
        z = x * w
        return (z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt()

    def backward(by: float) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
        def formula(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
            s, n = ((x * w).var(0, unbiased=False) + 1e-5).sqrt(), forward(x, w)
            d_z = (d - d.mean(0) - n * (d * n).mean(0)) / s
            return d_z * w, by * (d_z * x).sum(0)

        return formula

    given = [(scale * torch.randn(40, 3, dtype=torch.float64)).to(dtype), torch.ones(3, dtype=dtype)]
    assert check_function(forward, backward(1.0), given, power=False).ok
    report = check_function(forward, backward(factor), given, power=False)
    assert [row.quantity for row in report.guilty] == ["gradient of w"]
