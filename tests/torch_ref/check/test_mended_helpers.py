"""Mistakes in the functions that a backward calls: which those are, and that the change is found in them."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from torch_ref import check_autograd_function, check_function
from torch_ref.check.helpers import helpers

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


def forward(x: Tensor) -> Tensor:
    return torch.softmax(x, 1) * x


def slope(d: Tensor, y: Tensor) -> Tensor:
    return y * (d - (d + y).sum(1, keepdim=True))  # d * y is meant


def inside(d: Tensor, x: Tensor) -> Tensor:
    y = torch.softmax(x, 1)
    return slope(d * x, y) + d * y


def backward(d: Tensor, x: Tensor) -> Tensor:
    return inside(d, x)


def with_scale(d: Tensor, x: Tensor, scale: float = 1.0) -> Tensor:
    y = torch.softmax(x, 1)
    return scale * (y * (d * x - (d * x + y).sum(1, keepdim=True)) + d * y)


MEND = "it is right with `(d * y).sum` in place of `(d + y).sum` in line "


by_lambda = lambda d, x: inside(d, x)  # noqa: E731
by_lambda_of_all = lambda *given: inside(*given)  # noqa: E731


@pytest.mark.parametrize("mine", [inside, backward, by_lambda, by_lambda_of_all])
def test_a_mistake_in_what_backward_calls_is_found_with_its_line(mine) -> None:
    line = slope.__code__.co_firstlineno + 1
    report = check_function(forward, mine, [X])
    assert f"{MEND}{line}" in " ".join(report.verdict.split())


def test_a_mistake_in_a_partial_function_is_found() -> None:
    verdict = " ".join(check_function(forward, partial(with_scale, scale=1.0), [X]).verdict.split())
    assert "it is right with `d * x * y` in place of `d * x + y`" in verdict


def test_a_mistake_in_what_a_function_of_autograd_calls_is_found() -> None:
    class Weighted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, d):
            (x,) = ctx.saved_tensors
            return inside(d, x)

    assert MEND in " ".join(check_autograd_function(Weighted, [X], forward).verdict.split())


def test_the_change_of_a_helper_is_put_back() -> None:
    before = slope(X, X)
    check_function(forward, backward, [X])
    assert torch.equal(slope(X, X), before)


def other(x):
    return x


class Layer:
    """Calls functions in all ways in which they are written."""

    @staticmethod
    def plain(x):
        return other(x)

    def own(self, x):
        return x

    def backward(self, d, given):
        captured = d
        return Layer.plain(d) + self.own(d) + other(captured) + torch.tanh(d) + given.called(d) + abs(d)


def names(function) -> list[str]:
    return sorted(one.function.__name__ for one in helpers(function))


def test_the_functions_of_ones_own_are_seen_and_no_others() -> None:
    given = SimpleNamespace(called=other)  # nobody knows before the call what an argument holds
    assert names(Layer().backward) == ["other", "other", "own", "plain"]
    assert names(Layer.backward) == ["other", "other", "plain"]
    assert names(lambda d: given.called(d)) == []
    assert names(partial(Layer.plain)) == ["other", "plain"]
    assert names(partial(torch.tanh)) == []
    assert names(torch.tanh) == []


def test_a_helper_stands_in_its_place_at_every_depth() -> None:
    for one in helpers(lambda d: Layer.plain(d) + other(d)):
        assert one.whole(torch.ones(2)).tolist() == [2.0, 2.0]
        one.box.function = lambda x: 5 * x
        assert one.whole(torch.ones(2)).tolist() == [6.0, 6.0]


def calls_itself(d, depth=3):
    return d if depth == 0 else calls_itself(d, depth - 1)


def test_a_function_that_calls_itself_is_no_helper_of_itself() -> None:
    assert names(calls_itself) == []
