"""From a step to its report: other upstream gradients, what is kept between calls, and finite differences."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from torch_ref import check_function
from torch_ref.numbers.agreement import Comparison
from torch_ref.verdict.judge import _is_ill_conditioned
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Quantity, Row

X = torch.linspace(0.5, 2.0, 12, dtype=torch.float64).view(4, 3)


def square(x: Tensor) -> Tensor:
    return x * x


def report(backward: Callable[..., Any], forward: Callable[..., Any] = square, **more: Any) -> Report:
    return check_function(forward, backward, [X], **({"differences": False, "power": False} | more))


# ------------------------------------------------------------------------------------------ another upstream gradient


def test_what_is_clipped_is_right_at_a_small_upstream_gradient_and_wrong_at_a_large_one() -> None:
    found = report(lambda d, x: 2 * x * d.clamp(-10, 10))
    assert [row.quantity for row in found.guilty] == ["gradient of x"]
    assert found.guilty[0].code != "keeps-state"
    assert found.guilty[0].source
    assert report(lambda d, x: 2 * x * d.clamp(-1e6, 1e6)).ok


def test_what_is_wrong_at_the_first_is_told_of_the_first() -> None:
    found = report(lambda d, x: -2 * x * d.clamp(-10, 10))
    assert found.guilty[0].cause == "the sign is wrong"


def test_another_algorithm_is_right_at_both_and_strictly_wrong() -> None:
    def nearly(d: Tensor, x: Tensor) -> Tensor:
        return 2 * d * x * (1 + 4e-7)

    def nearly_where_large(d: Tensor, x: Tensor) -> Tensor:
        return 2 * d * x * (1 + 4e-7 * (d.abs() > 100))

    for backward in (nearly, nearly_where_large):
        assert report(backward).ok
        assert not report(backward, strict=True).ok
        assert report(backward, power=True).power is not None


def test_what_is_added_up_over_calls_is_said_to_keep_something() -> None:
    kept: list[Tensor] = []

    def adding(d: Tensor, x: Tensor) -> Tensor:
        kept.append(2 * d * x)
        return sum(kept[1:], torch.zeros_like(x)) if len(kept) > 1 else kept[0].clone()

    (guilty,) = report(adding).guilty
    assert guilty.code == "keeps-state"
    assert guilty.cause == "it gives other numbers at a second call: something is kept from the first"


def test_an_output_that_is_right_stays_so_where_a_gradient_is_wrong_at_the_second_upstream_gradient() -> None:
    found = report(lambda d, x: 2 * x * d.clamp(-10, 10))
    assert [row.status for row in found.rows] == ["identical", "wrong"]
    assert [row.blame for row in found.rows] == ["", "by hand"]
    assert [bool(row.source) for row in found.rows] == [False, True]
    assert found.power is None


def loss(x: Tensor) -> Tensor:
    return (x * x).sum()


def test_a_loss_that_ignores_its_upstream_gradient_is_right_with_a_remark_and_strictly_wrong() -> None:
    found = report(lambda d, x: 2 * x, loss)
    assert found.outcome == "right, with remarks"
    assert found.remarks == (
        "backward ignores its upstream gradient (gradient of x): right for a loss as it is, wrong for one that is "
        "scaled or part of another",
    )
    assert [row.quantity for row in report(lambda d, x: 2 * x, loss, strict=True).guilty] == ["gradient of x"]
    assert report(lambda d, x: 2 * x * d, loss).remarks == ()
    assert report(lambda d, x: 2 * x, loss, power=True).power is not None


def test_only_a_loss_may_have_the_same_gradient_at_every_upstream_gradient() -> None:
    kept: list[Tensor] = []

    def remembering(d: Tensor, x: Tensor) -> Tensor:
        kept.append(2 * d * x)
        return kept[0].clone()

    assert [row.quantity for row in report(remembering).guilty] == ["gradient of x"]


def test_power_is_that_of_the_upstream_gradient_that_shows_a_mistake_best() -> None:
    def off(d: Tensor, x: Tensor) -> Tensor:
        return 2 * d * x * (1 + 1.5e-6 * (d.abs() > 50))

    plain, second = (report(b, power=True).power for b in (lambda d, x: 2 * d * x, off))
    assert plain is not None
    assert second is not None
    assert (second.factor or 1) < 1e-6 < 1.5e-6 < (plain.factor or 0)
    ignoring = report(lambda d, x: 2 * x, loss, power=True).power
    assert ignoring is not None
    assert (ignoring.factor or 0) > 1e-6, "what is wrong at the second is no mistake that it would have seen"


def test_only_a_loss_may_ignore_its_upstream_gradient_and_only_if_it_is_right() -> None:
    assert not report(lambda d, x: 2 * x).ok
    assert not report(lambda d, x: 3 * x, loss).ok
    assert not report(lambda d, x: 2 * x * d.clamp(-10, 10), loss).ok
    two = check_function(
        lambda x: ((x * x).sum(), x.sum()), lambda d, e, x: 2 * x * d + 1, [X], differences=False, power=False
    )
    assert not two.ok


def test_one_of_two_gradients_may_not_ignore_it() -> None:
    w = torch.tensor(3.0, dtype=torch.float64)

    def guilty(of_x, of_w) -> list[tuple[str, str]]:
        found = check_function(
            lambda x, w: (w * x).sum(),
            lambda d, x, w: (of_x(d, w.expand(4, 3)), of_w(d, x.sum())),
            [X, w],
            differences=False,
            power=False,
        )
        return [(row.quantity, row.cause) for row in found.guilty]

    def times(d: Tensor, t: Tensor) -> Tensor:
        return d * t

    def without(_: Tensor, t: Tensor) -> Tensor:
        return t

    ignored = "the upstream gradient is ignored; gradient of {} is multiplied by it"
    assert guilty(times, times) == guilty(without, without) == []
    assert guilty(without, times) == [("gradient of x", ignored.format("w"))]
    assert guilty(times, without) == [("gradient of w", ignored.format("x"))]
    assert [name for name, _ in guilty(without, lambda d, t: d.clamp(-10, 10) * t)] == ["gradient of w"]


def test_a_gradient_of_0_tells_nothing_about_one_that_ignores_it() -> None:
    found = check_function(
        lambda x, w: (x * x).sum() + 0 * w,
        lambda d, x, w: (2 * x, 0 * d),
        [X, torch.tensor(3.0, dtype=torch.float64)],
        power=False,
    )
    assert found.ok
    assert "(gradient of x)" in found.remarks[0]


# ------------------------------------------------------------------------------------------------------ what it says


def test_the_batch_is_the_length_of_the_first_input() -> None:
    found = report(lambda d, x: 2 * d * x)
    assert (found.batch, found.dtype, found.device, found.not_compared) == (4, X.dtype, X.device, ())
    one = check_function(square, lambda d, x: 2 * d * x, [torch.tensor(2.0)])
    assert one.batch == 1
    assert one.ok


def test_power_is_there_where_it_is_asked_for_and_nothing_is_wrong() -> None:
    assert report(lambda d, x: 2 * d * x).power is None
    assert report(lambda d, x: 2 * d * x, power=True).power is not None
    assert report(lambda d, x: 3 * d * x, power=True).power is None


def test_a_row_has_the_shape_the_method_and_where_it_is_wrong_the_line() -> None:
    def backward(d: Tensor, x: Tensor) -> Tensor:
        return 3 * d * x

    out, gradient = report(backward).rows
    assert (out.shape, out.method, out.source, out.why) == ((4, 3), "square", "", None)
    assert (gradient.shape, gradient.method) == ((4, 3), "backward")
    assert gradient.source.endswith(f":{backward.__code__.co_firstlineno}")
    assert gradient.why is not None
    assert out.of == Quantity("output", text="output")
    nameless = report(partial(backward), partial(square)).rows
    assert [row.method for row in nameless] == ["", ""]


# ------------------------------------------------------------------------------------------------- finite differences


class Halved(torch.autograd.Function):
    """A square of which autograd believes that its derivative is x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        return d * ctx.saved_tensors[0]


def test_where_both_agree_on_another_derivative_than_that_of_forward_both_are_blamed() -> None:
    found = report(lambda d, x: d * x, reference=Halved.apply, differences=True, power=True)
    assert not found.ok
    (guilty,) = [row for row in found.rows if row.blame]
    assert (guilty.quantity, guilty.blame, guilty.code) == ("gradient of x", "both", "not-the-derivative")
    assert found.rows[1].differences == pytest.approx(1.0, rel=1.0)
    assert found.power is None
    assert report(lambda d, x: d * x, reference=Halved.apply).ok, "without finite differences nobody knows"


def test_finite_differences_are_a_number_of_the_row_where_they_are_asked_for() -> None:
    found = report(lambda d, x: 2 * d * x, differences=True)
    assert found.rows[0].differences is None
    assert found.rows[1].differences is not None
    assert found.rows[1].differences < 1e-6
    assert report(lambda d, x: 2 * d * x).rows[1].differences is None


def test_there_are_no_differences_without_a_gradient_or_a_forward_in_float64() -> None:
    def failing(d: Tensor, x: Tensor) -> Tensor:
        raise ValueError

    assert report(failing, differences=True).rows[1].differences is None

    def in_float32(x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError
        return x * x

    x = X.float()
    found = check_function(in_float32, lambda d, x: 2 * d * x, [x], reference=square, power=False)
    assert found.ok
    assert found.rows[1].differences is None


def test_a_detached_factor_is_meant_and_said() -> None:
    def forward(x: Tensor) -> Tensor:
        return x * x.detach()

    found = report(lambda d, x: d * x, forward, differences=True)
    assert found.ok
    assert found.remarks == (
        "gradient of x: finite differences of forward give another derivative, since it detaches a tensor",
    )
    assert all(row.differences is None for row in found.rows)
    assert report(lambda d, x: d * x, forward).remarks == ()
    without_effect = report(lambda d, x: 2 * d * x, lambda x: x * x + 0 * x.detach(), differences=True)
    assert (without_effect.outcome, without_effect.remarks) == ("right", ())
    assert without_effect.rows[1].differences is not None


def test_what_grows_from_call_to_call_keeps_state_also_where_it_is_wrong_at_once() -> None:
    calls: list[int] = []

    def backward(d, x):
        calls.append(1)
        return d * x.cos() * len(calls)

    report = check_function(torch.sin, backward, [torch.randn(4)])
    assert [row.cause for row in report.guilty] == [
        "it gives other numbers at a second call: something is kept from the first"
    ]


@pytest.mark.parametrize(
    ("bound", "relative", "is_ill"),
    [(1e-6, 0.5, False), (0.1, 0.5, True), (0.1, 1.5, False), (1e-4, 9e-4, False), (0.02, 0.19, True)],
)
def test_at_other_inputs_little_more_than_rounding_is_held_against_no_one(
    bound: float, relative: float, is_ill: bool
) -> None:
    found = Comparison("wrong", 1.0, None, relative, bound, None, None, None)
    assert _is_ill_conditioned(Row(Quantity("gradient of x"), (3,), found)) == is_ill
