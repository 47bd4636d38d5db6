"""Where arithmetic is inexact by itself, a mistake that float64 shows is no rounding."""

from __future__ import annotations

import pytest
import torch

from torch_ref import check_function


def clamped(x: torch.Tensor) -> torch.Tensor:
    return (x + (x.round() - x).detach()).clamp(-1, 1)


@pytest.mark.parametrize("factor", [1.02, 1.05, 1.09])
def test_gates_that_leap_at_a_bound_hide_no_factor(factor: float) -> None:
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))

    def backward(d, x):
        return factor * d * (x.round().abs() <= 1)

    report = check_function(clamped, backward, [x], differences=False)
    assert [row.quantity for row in report.guilty] == ["gradient of x"]
    assert "where it computes in float64" in report.guilty[0].remark


def test_a_right_backward_beside_leaping_gates_passes_and_its_power_is_that_of_float64() -> None:
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    report = check_function(clamped, lambda d, x: d * (x.round().abs() <= 1), [x], differences=False)
    assert report.ok
    assert report.power.factor < 1e-4


@pytest.mark.parametrize("backward", [lambda d, x: d / (1 + x) ** 2, lambda d, x: 1.01 * d / (1 + x.abs()) ** 2])
def test_a_reference_that_cancels_hides_no_mistake_that_float64_shows(backward) -> None:
    x = torch.tensor([-1e5, -2e4, 3e4, 1e5, 5e4])
    assert not check_function(lambda x: x / (1 + x.abs()), backward, [x]).ok
    assert check_function(lambda x: x / (1 + x.abs()), lambda d, x: d / (1 + x.abs()) ** 2, [x]).ok


def test_a_kernel_that_does_not_overflow_where_the_reference_does_is_right_and_a_factor_in_it_wrong() -> None:
    x = (torch.randn(2, 6, generator=torch.Generator().manual_seed(0)) * 0.01).half()

    def backward(d, x, factor=1.0):
        z = x.float()
        norm = z.norm(p=3, dim=1, keepdim=True)
        return (factor * d.float()[:, None] * z * z.abs() / norm**2).to(x.dtype)

    def norm(x):
        return x.norm(p=3, dim=1)

    assert check_function(norm, backward, [x]).ok
    report = check_function(norm, lambda d, x: backward(d, x, 1.05), [x])
    assert [row.quantity for row in report.guilty] == ["gradient of x"]
