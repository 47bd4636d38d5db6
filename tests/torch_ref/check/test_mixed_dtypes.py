"""float32 beside half precision: what rounding in it explains, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from torch_ref import check_autograd_function, check_function
from torch_ref.verdict.report import Report

BF16 = torch.bfloat16


def in_bfloat16(x: Tensor, w: Tensor) -> Tensor:
    return x.to(BF16) @ w.to(BF16).t()


def in_float32(x: Tensor, w: Tensor) -> Tensor:
    return x @ w.float().t()


def kernel(factor: float, reference: Any) -> Report:
    """Check a Function for float32 and bfloat16 only, which cannot compute in float64."""

    class Linear(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            assert (x.dtype, w.dtype) == (torch.float32, BF16)
            ctx.save_for_backward(x, w)
            return reference(x, w)

        @staticmethod
        def backward(ctx, d):
            x, w = ctx.saved_tensors
            d = d.to(BF16)
            return factor * (d @ w).float(), factor * (d.t() @ x.to(BF16))

    x, w = torch.randn(64, 16), torch.randn(8, 16).to(BF16)
    return check_autograd_function(Linear, [x, w], reference, power=False)


@pytest.mark.long
@pytest.mark.parametrize(("reference", "wrong"), [(in_bfloat16, 0.95), (in_float32, 1.02)])
def test_a_kernel_for_two_dtypes_is_right_and_a_factor_in_it_wrong(reference: Any, wrong: float) -> None:
    assert kernel(1.0, reference).ok
    report = kernel(wrong, reference)
    assert [row.quantity for row in report.guilty] == ["gradient of x", "gradient of w"]
    assert all(row.isolated.status == "wrong" for row in report.guilty), "in the first call already"


def summed_in(dtype: torch.dtype, w: Tensor, block: int) -> Report:
    """Check the weight gradient of a layer that gives bfloat16, summed block by block."""

    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        d_w = torch.zeros(w.shape, dtype=dtype)
        for i in range(0, len(x), block):
            d_w += (d[i : i + block].float().t() @ x[i : i + block].float()).to(dtype)
        return (d.float() @ w.float()).to(x.dtype), d_w.to(w.dtype)

    x = torch.rand(700, 3)
    return check_function(lambda x, w: (x @ w.to(x.dtype).t()).to(BF16), backward, [x, w], power=False)


@pytest.mark.long
def test_a_gradient_in_float32_is_not_summed_in_bfloat16() -> None:
    assert summed_in(torch.float32, torch.randn(2, 3), 1).ok
    report = summed_in(BF16, torch.randn(2, 3), 1)
    assert [row.quantity for row in report.guilty] == ["gradient of w"]
    assert summed_in(BF16, torch.randn(2, 3), 64).ok, "a few sums are off by as much as one rounding of each"


@pytest.mark.long
@pytest.mark.parametrize("summed", [torch.float32, BF16])
def test_a_sum_that_stops_growing_is_wrong_also_where_the_reference_s_own_does(summed: torch.dtype) -> None:
    """Autograd adds up the gradient of w[i] in the dtype of w, from the last on: bfloat16 has nothing for 256 + 1."""

    def forward(x: Tensor, w: Tensor) -> Tensor:
        return torch.stack([w[0] * x[i] for i in range(len(x))])

    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        assert d.dtype == BF16
        d_w = torch.zeros(2, dtype=summed)
        for i in reversed(range(len(x))):
            d_w[0] += d[i] * x[i]
        return d * w[0], d_w.to(BF16)

    x = torch.ones(110, dtype=BF16)
    d = x.clone()
    d[-1] = 256.0
    report = check_function(forward, backward, [x, torch.ones(2, dtype=BF16)], upstream=d, power=False)
    assert [row.quantity for row in report.guilty] == (["gradient of w"] if summed is BF16 else [])


def bias(rows: int, factor: float = 1.0) -> Report:
    """Check a bias gradient in float16 that is summed in float32."""

    def backward(d: Tensor, x: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return d, (factor * d.float().sum(0)).half()

    return check_function(torch.add, backward, [torch.randn(rows, 2).half(), torch.randn(2).half()], power=False)


@pytest.mark.long
@pytest.mark.parametrize("rows", [40_000, 120_000])
def test_a_long_sum_that_overflows_is_tried_with_a_smaller_upstream_gradient(rows: int) -> None:
    """The upstream gradients are the check's own: the first has a mean of −0.75, the second is eight times larger."""
    report = bias(rows)
    assert report.ok
    assert report.rows[-1].isolated.skipped == 0
    assert any("tried with a smaller one instead" in remark for remark in report.remarks)
    assert [row.quantity for row in bias(rows, 1.02).guilty] == ["gradient of input 1"]


def test_what_overflows_by_hand_alone_is_tried_with_a_smaller_upstream_gradient_too() -> None:
    def forward(x: Tensor) -> Tensor:
        return x / 4096

    def backward(d: Tensor, x: Tensor) -> Tensor:
        return d * 4096 / 4096 / 4096

    x = torch.randn(5, 3).half()
    report = check_function(forward, backward, [x], power=False)
    assert report.ok
    assert report.remarks[0].startswith("with a larger upstream gradient some numbers overflow float16")
    assert not check_function(forward, lambda d, x: backward(d, x) * 1.1, [x], power=False).ok
