"""Mistakes that show only at another call: other inputs, a second use, another choice of what is wanted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from torch_ref import check_autograd_function, check_function

X = torch.randn(6, 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_mask_that_is_kept_by_shape_is_found_at_other_inputs(dtype: torch.dtype) -> None:
    masks: dict[Any, Tensor] = {}

    def backward(d: Tensor, x: Tensor) -> Tensor:
        return d * masks.setdefault(x.shape, x > 0)

    (row,) = check_function(torch.relu, backward, [X.to(dtype)]).guilty
    assert row.code == "keeps-state"
    assert row.cause.startswith("right at the inputs given, wrong with their rows in reverse order")


def test_matrices_that_have_to_be_symmetric_stay_as_they_are() -> None:
    a = torch.randn(4, 4).double()
    a = a @ a.t() + torch.eye(4)

    def backward(d: Tensor, a: Tensor) -> Tensor:
        return d * torch.linalg.inv(a)  # of a symmetric one

    assert check_function(lambda a: torch.linalg.slogdet(a)[1], backward, [a]).ok


def test_where_the_reference_has_no_number_at_other_inputs_nothing_is_said() -> None:
    first = torch.tensor([1.0, 1.0, 0.0, 0.0]).double()
    x = torch.tensor([2.0, 3.0, -1.0, -2.0]).double()

    def forward(x: Tensor) -> Tensor:
        return (first * x).clamp(min=0.0).add(1 - first).log()

    def backward(d: Tensor, x: Tensor) -> Tensor:
        return torch.where(first > 0, d / x, 0.0)

    assert check_function(forward, backward, [x]).ok


class OnTheClass(torch.autograd.Function):
    """It keeps x on itself instead of in its context."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        OnTheClass.x = x
        return x**3

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        return 3 * d * OnTheClass.x**2


def test_a_function_that_is_applied_twice_keeps_both_inputs() -> None:
    (row,) = check_autograd_function(OnTheClass, [X], lambda x: x**3).guilty
    assert row.quantity == "gradient of x"


class AllOrNothing(torch.autograd.Function):
    """It gives no gradient where one of its outputs is not used."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x)
        return x**2, x.sin()

    @staticmethod
    def backward(ctx: Any, a: Tensor | None, b: Tensor | None) -> Tensor | None:
        (x,) = ctx.saved_tensors
        return None if a is None or b is None else 2 * a * x + b * x.cos()


def test_an_output_that_is_not_used_takes_no_gradient_along() -> None:
    (row,) = check_autograd_function(AllOrNothing, [X], lambda x: (x**2, x.sin())).guilty
    assert (row.code, row.cause[:32]) == ("wrong-for-choice", "wrong where output 0 is not used")


class OfPairs(torch.autograd.Function):
    """It is wrong where exactly a and b need a gradient."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        ctx.save_for_backward(a, b, c)
        return a * b * c

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, b, c = ctx.saved_tensors
        of_a, _, of_c = ctx.needs_input_grad
        return d * b * c, (d * a * c if of_c or not of_a else d * a), d * a * b


def test_all_but_one_input_may_need_a_gradient() -> None:
    (row,) = check_autograd_function(OfPairs, [X, X + 1, X + 2], lambda a, b, c: a * b * c).guilty
    assert (row.quantity, row.code) == ("gradient of b", "wrong-for-choice")
    assert row.cause.startswith("wrong where all but c need a gradient")


def reads(kind: str) -> type[torch.autograd.Function]:
    """Return a square whose backward reads what lies in memory in a way that is wrong for one layout."""

    class Reads(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx: Any, d: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            if kind == "transposed d" and d.ndim == 2 and d.mT.is_contiguous() and not d.is_contiguous():
                d = d.mT.reshape(d.shape)
            if kind == "transposed x" and x.ndim == 2 and x.mT.is_contiguous() and not x.is_contiguous():
                x = x.mT.reshape(x.shape)
            if kind == "channels last" and d.ndim == 4 and not d.is_contiguous():
                d = d.permute(0, 2, 3, 1).reshape(d.shape)
            if kind == "later" and x.storage_offset():
                x = x.as_strided(x.shape, x.stride(), 0)
            return 2 * d * x

    return Reads


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("transposed d", "for transposed upstream gradients"),
        ("transposed x", "for transposed inputs"),
        ("channels last", "gradients"),
        ("later", "for tensors that begin later in their storage"),
        ("nothing", ""),
    ],
)
def test_tensors_lie_in_memory_in_every_way_that_is_usual(kind: str, said: str) -> None:
    x = torch.randn(2, 3, 4, 5) if kind == "channels last" else X
    report = check_autograd_function(reads(kind), [x], lambda x: x**2)
    assert report.ok is (kind == "nothing")
    assert all(said in row.cause and row.code == "wrong-for-layout" for row in report.guilty)
    assert check_autograd_function(reads(kind), [x], lambda x: x**2, layouts=False).ok


def test_a_sparse_gradient_is_compared_as_it_is_meant() -> None:
    w, i = torch.randn(6, 5), torch.tensor([0, 2, 2])

    def backward(d: Tensor, w: Tensor, i: Tensor, factor: float = 1.0) -> tuple[Tensor, None]:
        return torch.sparse_coo_tensor(i[None], factor * d, w.shape, check_invariants=True), None

    assert check_function(lambda w, i: w[i], backward, [w, i]).ok
    assert not check_function(lambda w, i: w[i], lambda d, w, i: backward(d, w, i, 1.1), [w, i]).ok
