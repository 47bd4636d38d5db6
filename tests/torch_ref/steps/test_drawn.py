"""Functions that draw random numbers: float64 sees the same ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import torch_ref
from torch_ref.steps.drawn import DrawnAs

DRAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "rand_like": torch.rand_like,
    "randn_like": torch.randn_like,
    "rand": lambda x: torch.rand(x.shape, dtype=x.dtype),
    "randn": lambda x: torch.randn(x.shape, dtype=x.dtype),
    "uniform_": lambda x: torch.empty_like(x).uniform_(-1, 2),
    "normal_": lambda x: torch.empty_like(x).normal_(3, 2),
    "exponential_": lambda x: torch.empty_like(x).exponential_(),
    "bernoulli_": lambda x: torch.empty_like(x).bernoulli_(0.4),
    "dropout": lambda x: functional.dropout(torch.ones_like(x), 0.4),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", DRAWS)
def test_float64_gets_the_numbers_of_the_coarser_dtype(name: str, dtype: torch.dtype) -> None:
    x = torch.ones(5, 40, dtype=dtype)
    torch.manual_seed(3)
    expected = DRAWS[name](x)
    torch.manual_seed(3)
    with DrawnAs(dtype):
        found = DRAWS[name](x.double())
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected.double(), rtol=2 * torch.finfo(dtype).eps, atol=0)


def test_complex_numbers_too() -> None:
    torch.manual_seed(3)
    expected = torch.randn(4, 5, dtype=torch.complex64)
    torch.manual_seed(3)
    with DrawnAs(torch.float32):
        assert torch.equal(torch.randn(4, 5, dtype=torch.complex128), expected.to(torch.complex128))


def test_what_draws_nothing_keeps_all_its_digits() -> None:
    x = torch.full((3,), 1 / 3, dtype=torch.float64)
    with DrawnAs(torch.float16):
        assert torch.equal(x * 3, torch.ones(3, dtype=torch.float64))
        assert x.clone().mul_(3).dtype == torch.float64


def noisy(x: Tensor, s: Tensor) -> Tensor:
    return torch.tanh(x + s.exp() * torch.randn_like(x))


def backward_of(factor: float) -> Callable[..., tuple[Tensor, Tensor]]:
    def backward(d: Tensor, x: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        e = torch.randn_like(x)
        y = torch.tanh(x + s.exp() * e)
        z = d * (1 - y) * (1 + y)
        return z, factor * (e * s.exp()) * z

    return backward


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_noisy_function_is_judged_as_one_without_noise(dtype: torch.dtype) -> None:
    x, s = torch.randn(2, 9, 7).to(dtype).unbind()
    right = torch_ref.check_function(noisy, backward_of(1.0), [x, s])
    assert right.ok, right
    assert max(row.isolated.relative for row in right.rows) < 16 * torch.finfo(dtype).eps
    (row,) = torch_ref.check_function(noisy, backward_of(1.03), [x, s]).guilty
    assert (row.quantity, row.code) == ("gradient of s", "factor")


def test_the_mask_of_a_dropout_is_the_same_wherever_it_is_drawn() -> None:
    def forward(x: Tensor) -> Tensor:
        return x * (torch.rand_like(x) > 0.3) / 0.7

    def unscaled(d: Tensor, x: Tensor) -> Tensor:
        return d * (torch.rand_like(x) > 0.3)

    (row,) = torch_ref.check_function(forward, unscaled, [torch.randn(5, 6)]).guilty
    assert row.cause == "a constant factor of 0.7"
