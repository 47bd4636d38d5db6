"""Second derivatives, Functions that work in place or on one layout only, and upstream gradients that are given."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.function import once_differentiable

from torch_ref import check_autograd_function, check_function


def function_of(forward, backward, once: bool = False):
    class Made(torch.autograd.Function):
        pass

    Made.forward = staticmethod(forward)
    Made.backward = staticmethod(once_differentiable(backward) if once else backward)
    return Made


def squared(ctx, x):
    ctx.save_for_backward(x)
    return x**2


def keeps_an_intermediate(ctx, x):
    ctx.doubled = 2 * x  # a number, for autograd
    return x**2


def right_twice(ctx, d):
    return 2 * ctx.saved_tensors[0] * d


def right_once(ctx, d):
    return ctx.doubled * d


def test_a_second_derivative_that_is_silently_wrong_is_found_where_it_is_asked_for() -> None:
    kept, right = function_of(keeps_an_intermediate, right_once), function_of(squared, right_twice)
    x = torch.randn(5)
    plain = check_autograd_function(kept, [x], torch.square)
    assert plain.ok
    assert ("second derivatives", "second_order=True compares them") in plain.not_compared
    asked = check_autograd_function(kept, [x], torch.square, second_order=True)
    assert {row.quantity for row in asked.guilty} == {"second derivative by x"}
    good = check_autograd_function(right, [x], torch.square, second_order=True)
    assert good.ok
    assert not good.not_compared
    assert [row.quantity for row in good.rows][2:] == ["second derivative by x", "second derivative by d_output"]


def test_second_derivatives_that_a_function_forbids_are_not_missed_and_cannot_be_asked_for() -> None:
    once = function_of(squared, right_twice, once=True)
    assert not check_autograd_function(once, [torch.randn(5)], torch.square).not_compared
    with pytest.raises(ValueError, match="once_differentiable"):
        check_autograd_function(once, [torch.randn(5)], torch.square, second_order=True)


def test_second_derivatives_of_a_plain_backward_are_autograd_s_through_it() -> None:
    x = torch.randn(5)
    assert check_function(torch.sin, lambda d, x: d * x.cos(), [x], second_order=True).ok
    cut = check_function(torch.sin, lambda d, x: d * x.detach().cos(), [x], second_order=True)
    assert [row.quantity for row in cut.guilty] == ["second derivative by input 0"]


class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.clamp_(min=0)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, d):
        (y,) = ctx.saved_tensors
        return d * (y > 0)


def test_a_function_that_marks_its_input_dirty_is_checked_and_the_input_stays() -> None:
    x = torch.randn(4, 3)
    before = x.clone()
    assert check_autograd_function(InPlace, [x], torch.relu).ok
    assert torch.equal(x, before)


class Contiguous(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        assert x.is_contiguous()
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, d):
        return 2 * ctx.saved_tensors[0] * d.contiguous()


def test_a_function_that_insists_on_contiguous_tensors_can_say_so() -> None:
    assert not check_autograd_function(Contiguous, [torch.randn(4, 3)], torch.square).ok
    assert check_autograd_function(Contiguous, [torch.randn(4, 3)], torch.square, layouts=False).ok


def test_the_upstream_gradient_can_be_given() -> None:
    d = torch.zeros(5)
    d[2] = 1.0
    x = torch.randn(5)
    only_there = function_of(squared, lambda ctx, d: torch.where(d != 0, 2 * ctx.saved_tensors[0] * d, 0))
    assert check_autograd_function(only_there, [x], torch.square, upstream=d).ok
    with pytest.raises(ValueError, match=r"upstream gradients of the outputs' shapes \[\(5,\)\], got \[\(4,\)\]"):
        check_autograd_function(only_there, [x], torch.square, upstream=d[:4])


def test_a_second_call_is_made_also_where_the_upstream_gradient_is_given() -> None:
    calls: list[int] = []

    def backward(d, x):
        calls.append(1)
        return d * x.cos() * (1 if len(calls) == 1 else 2)

    x = torch.randn(5).requires_grad_()
    report = check_function(torch.sin, backward, [x], upstream=torch.ones(5))
    assert [row.code for row in report.guilty] == ["keeps-state"]


def test_second_derivatives_pass_by_an_output_that_counts() -> None:
    def forward(x):
        return x**2, x > 0

    def backward(d, _, x):
        return 2 * d * x

    assert check_function(forward, backward, [torch.randn(5)], second_order=True).ok
