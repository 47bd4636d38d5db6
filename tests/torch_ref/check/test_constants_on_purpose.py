"""What autograd takes for a constant, and finite differences do not: a padding row, a tensor that is detached."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

import torch_ref

INDICES = torch.tensor([[0, 1, 2], [3, 0, 5]])


def looked_up(i: Tensor, w: Tensor) -> Tensor:
    return functional.embedding(i, w, padding_idx=0)


def counting_the_padding(d: Tensor, i: Tensor, w: Tensor) -> tuple[None, Tensor]:
    return None, torch.zeros_like(w).index_add_(0, i.flatten(), d.reshape(-1, d.shape[-1]))


def test_a_gradient_of_the_padding_row_is_wrong_by_hand() -> None:
    (row,) = torch_ref.check_function(looked_up, counting_the_padding, [INDICES, torch.randn(6, 4)]).guilty
    assert row.blame == "by hand"
    assert row.cause == "only row 0 of 6; it is the derivative of forward, but its padding row gets no gradient"


def test_a_gradient_through_what_is_detached_is_another_than_that_of_autograd() -> None:
    def forward(x: Tensor) -> Tensor:
        return (x - torch.tanh(x).detach()).pow(2).mean()

    def through_it(d: Tensor, x: Tensor) -> Tensor:
        y = torch.tanh(x)
        return 2 * d * (x - y) * y * y / x.numel()

    (row,) = torch_ref.check_function(forward, through_it, [torch.randn(5, 4)]).guilty
    assert row.blame == "reference"  # which of the two is meant nobody knows
    assert row.cause.endswith("it is the derivative of forward, but it detaches a tensor")


def test_another_mistake_says_nothing_of_constants() -> None:
    def forward(x: Tensor) -> Tensor:
        return x * torch.tanh(x).detach()

    (row,) = torch_ref.check_function(forward, lambda d, x: 2 * d * torch.tanh(x), [torch.randn(5, 4)]).guilty
    assert row.code == "factor"
    assert "detach" not in row.cause
