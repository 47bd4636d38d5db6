"""Half precision: right kernels pass whether they sum in it or in float32; mistakes do not."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from torch_ref import check_function
from torch_ref.numbers.agreement import Comparison

HALF = [torch.bfloat16, torch.float16]
W = torch.randn(40, 30, generator=torch.Generator().manual_seed(1))
X = torch.randn(20, 40, generator=torch.Generator().manual_seed(2))


def looked(backward: Callable[..., Any], dtype: torch.dtype = torch.bfloat16, x: Tensor = X) -> Comparison:
    """Return how the gradient of x compares, of a product with W."""
    w = W.to(dtype)
    found = check_function(
        lambda x: x @ w.to(x.dtype), lambda d, x: backward(d, w), [x.to(dtype)], differences=False, power=False
    )
    return found.rows[-1].isolated


def in_float32(d: Tensor, w: Tensor) -> Tensor:
    return (d.float() @ w.float().T).to(d.dtype)


def in_half(d: Tensor, w: Tensor) -> Tensor:
    """Sum one product after the other, each sum rounded."""
    w = w.to(d.dtype)
    total = torch.zeros(len(d), len(w), dtype=d.dtype)
    for j in range(w.shape[1]):
        total = total + d[:, j, None] * w[None, :, j]
    return total


def by_casts(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Return a formula that computes in bfloat16 whatever it is given."""
    return lambda d, w: backward(d.bfloat16(), w.bfloat16()).to(d.dtype)


def times(factor: float, backward: Callable[..., Any]) -> Callable[..., Any]:
    return lambda d, w: (backward(d, w).float() * factor).to(d.dtype)


@pytest.mark.parametrize("dtype", HALF)
def test_kernels_that_accumulate_in_float32_are_accepted(dtype: torch.dtype) -> None:
    found = looked(in_float32, dtype)
    assert found.status != "wrong"
    assert found.reason in ("", "rounding")
    assert found.remark == ""


@pytest.mark.parametrize("dtype", HALF)
def test_kernels_that_sum_in_half_precision_are_accepted_with_a_remark(dtype: torch.dtype) -> None:
    found = looked(in_half, dtype)
    assert (found.status, found.reason) == ("rounding", "half")
    name = str(dtype).removeprefix("torch.")
    assert found.remark.startswith(f"right, but summed or rounded in {name}: off by ")
    cast = looked(by_casts(in_half))
    assert (cast.status, cast.reason) == ("rounding", "half")
    assert cast.remark.endswith(" of its norm, as sums in bfloat16 are; it cannot compute in float64, which shows more")


@pytest.mark.parametrize("dtype", HALF)
def test_a_factor_is_wrong_where_the_formula_can_compute_in_float64(dtype: torch.dtype) -> None:
    for factor in (1.001, 0.5):
        found = looked(lambda d, w, f=factor: (d @ w.to(d.dtype).T * f).to(d.dtype), dtype)
        assert found.status == "wrong"
        assert found.remark.startswith("off by ")
        assert found.remark.endswith(" of its norm, also where it computes in float64")
        assert found.relative == pytest.approx(abs(factor - 1), rel=0.01)


def test_a_factor_is_wrong_where_the_formula_cannot_compute_in_float64() -> None:
    for backward in (in_half, in_float32):
        for factor in (1.05, 0.5, -1.0):
            found = looked(by_casts(times(factor, backward)))
            assert (found.status, found.reason) == ("wrong", "")
            assert found.remark.startswith("off by ")
            assert "float64" not in found.remark
            assert 0 < found.bound < found.relative
            assert (found.off > 0) is (factor < 1)


def test_one_wrong_row_and_one_wrong_entry_are_seen_where_it_cannot_compute_in_float64() -> None:
    def row(d: Tensor, w: Tensor) -> Tensor:
        g = in_float32(d, w)
        g[3] *= 1.1
        return g

    def entry(d: Tensor, w: Tensor) -> Tensor:
        g = in_float32(d, w)
        g[3, 4] += 30.0
        return g

    assert looked(by_casts(in_float32)).status != "wrong"
    assert looked(by_casts(row)).status == "wrong"
    assert looked(by_casts(entry)).status == "wrong"


def test_what_is_right_in_float64_and_far_off_in_half_precision_is_wrong() -> None:
    def off(d: Tensor, w: Tensor) -> Tensor:
        return times(1.5 if d.dtype == torch.bfloat16 else 1.0, lambda d, w: (d.double() @ w.double().T).to(d.dtype))(
            d, w
        )

    found = looked(off)
    assert found.status == "wrong"
    assert found.remark == f"right in float64, but off by {found.relative:.1e} of its norm in bfloat16"
    assert found.relative == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize(("units", "status"), [(4, "rounding"), (40, "wrong")])
def test_what_is_right_in_float64_may_be_off_at_random_in_half_precision(units: int, status: str) -> None:
    signs = (torch.arange(800) % 2 * 2 - 1).view(20, 40)

    def rough(d: Tensor, w: Tensor) -> Tensor:
        g = d.double() @ w.double().T
        return (g * (1 + units * 2.0**-7 * signs)).to(d.dtype) if d.dtype == torch.bfloat16 else g

    found = looked(rough)
    assert found.status == status
    assert found.reason == ("half" if status == "rounding" else "")


def test_what_both_sides_do_in_half_precision_and_neither_in_float64_is_right() -> None:
    w = W.bfloat16()

    def factor(t: Tensor) -> float:
        return 1.04 if t.dtype == torch.bfloat16 else 1.0

    report = check_function(
        lambda x: x @ w.to(x.dtype) * factor(x),
        lambda d, x: (d * factor(d)) @ w.to(d.dtype).T,
        [X.bfloat16()],
        differences=False,
        power=False,
    )
    assert report.ok
    assert report.rows[-1].isolated.reason == "half"


def test_the_smallest_number_of_float16_is_a_rounding() -> None:
    small = 2.0**-22

    def cut(d: Tensor, x: Tensor) -> Tensor:
        g = d.double() * small
        return ((g * 2**24).floor() / 2**24).half() if d.dtype == torch.float16 else g

    found = check_function(
        lambda x: x * torch.tensor(small, dtype=x.dtype), cut, [X[0].half()], differences=False, power=False
    )
    assert found.rows[-1].isolated.reason in ("", "rounding")
    assert found.rows[-1].isolated.remark == ""
    assert found.ok


def test_numbers_that_differ_by_one_rounding_are_rounding() -> None:
    def up(d: Tensor, w: Tensor) -> Tensor:
        g = d.double() @ w.double().T
        return (g * (1 + 0.2 * 2.0**-8)).to(d.dtype) if d.dtype == torch.bfloat16 else g.to(d.dtype)

    found = looked(up)
    assert (found.status, found.reason, found.remark) == ("rounding", "rounding", "")


def test_a_tolerance_for_half_precision_takes_the_place_of_all_that() -> None:
    w = W.bfloat16()
    for share, ok in ((0.2, True), (0.02, False)):
        report = check_function(
            lambda x: x @ w.to(x.dtype),
            lambda d, x: times(1.1, in_float32)(d, w),
            [X.bfloat16()],
            tolerance={torch.bfloat16: share},
            differences=False,
            power=False,
        )
        assert (report.rows[-1].status != "wrong") is ok


def test_a_loss_in_half_precision_has_no_parts_of_its_upstream_gradient() -> None:
    x = X.bfloat16()

    def mean(d: Tensor, x: Tensor, factor: float = 1.0) -> Tensor:
        return (d.bfloat16() * factor / x.numel()).to(d.dtype).expand(x.shape)

    for factor, ok in ((1.0, True), (1.2, False)):
        report = check_function(
            lambda x: x.mean(), lambda d, x, f=factor: mean(d, x, f), [x], differences=False, power=False
        )
        assert (report.rows[-1].status != "wrong") is ok
