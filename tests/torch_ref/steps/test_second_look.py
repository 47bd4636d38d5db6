"""What differs by more than rounding and is right all the same: another algorithm, less exact in float32, a kink."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from torch_ref import check_function
from torch_ref.numbers.agreement import Comparison
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.finest import EPS, around
from torch_ref.steps.function import by_formula, function_step

Backward = Callable[[Tensor, Tensor], Any]

X = torch.linspace(1.0, 2.0, 30, dtype=torch.float64).view(6, 5)


def looked(backward: Backward, x: Tensor = X, forward: Callable[..., Any] = lambda x: x * x, **more: Any) -> Comparison:
    """Return how the gradient of x compares."""
    report = check_function(forward, backward, [x], differences=False, power=False, **more)
    return report.rows[-1].isolated


def off_by(share: float, at: Any = ()) -> Backward:
    """Return the derivative of a square, off by a share at a place."""

    def backward(d: Tensor, x: Tensor) -> Tensor:
        g = 2 * d * x
        g[at] *= 1 + share
        return g

    return backward


# ---------------------------------------------------------------------------------------------------- another algorithm


@pytest.mark.parametrize(("share", "digits"), [(4e-7, 6), (1.1e-6, 5), (4e-9, 8)])
def test_another_algorithm_may_differ_in_the_sixth_digit(share: float, digits: int) -> None:
    found = looked(off_by(share))
    assert (found.status, found.reason) == ("rounding", "algorithm")
    assert found.remark == f"agrees to {digits} digits (more than rounding: an ε, a cut-off, another algorithm)"
    assert found.relative == pytest.approx(share)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("at", [(), 3, (slice(None), 3)], ids=["everywhere", "row", "column"])
def test_in_the_fifth_digit_it_is_a_mistake(at: Any) -> None:
    for x in (X, X.float()):
        found = looked(off_by(1e-5, at), x)
        assert (found.status, found.reason) == ("wrong", "")
        assert found.remark.startswith("off by ")


def test_one_entry_may_differ_by_a_thousandth_where_its_row_and_column_hide_it() -> None:
    x = X.clone()
    x[3, 4] = 1e-3

    def there(share: float) -> Backward:
        return lambda d, x: 2 * d * x * torch.where(x == 1e-3, 1 + share, 1.0)

    assert looked(there(5e-4), x).reason == "algorithm"
    assert looked(there(1.8e-3), x).status == "wrong"


@pytest.mark.parametrize(
    ("share", "at", "status"),
    [(2.3e-6, (), "rounding"), (4e-6, (), "wrong"), (2.6e-6, 3, "rounding"), (4.5e-6, 3, "wrong")],
)
def test_beside_rounding_another_algorithm_may_differ_in_the_sixth_digit(share: float, at: Any, status: str) -> None:
    """The formula is for float32 only: four units are 4.8e-7, and a row is allowed twice as many."""

    def here_only(d: Tensor, x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError
        return off_by(share, at)(d.double(), x.double()).float()

    assert looked(here_only, X.float()).status == status


def test_complex_numbers_may_have_another_algorithm_too() -> None:
    z = torch.complex(X, X.flip(0))
    for share, status in ((4e-7, "rounding"), (1e-4, "wrong")):
        found = looked(lambda d, z, s=share: 2 * d * z.conj() * (1 + s), z)
        assert (found.status, found.reason) == (status, "algorithm" if status == "rounding" else "")


def test_strictly_nothing_but_rounding_is_right() -> None:
    assert looked(off_by(4e-7), strict=True).status == "wrong"
    assert looked(off_by(1.5e-6), X.float()).reason == "algorithm"
    assert looked(off_by(1.5e-6), X.float(), strict=True).status == "wrong"
    assert looked(off_by(4e-16), strict=True).reason in ("", "rounding")


def test_an_output_by_another_algorithm_is_right_too() -> None:
    def forward(x: Tensor) -> Tensor:
        return x * x * (1 + 4e-7)

    report = check_function(
        forward, lambda d, x: 2 * d * x, [X], reference=torch.square, differences=False, power=False
    )
    assert [row.isolated.reason for row in report.rows] == ["algorithm", ""]


def test_a_tolerance_leaves_no_room_for_other_reasons() -> None:
    assert looked(off_by(4e-7), tolerance={torch.float64: 1e-7}).status == "wrong"
    assert looked(off_by(4e-7), tolerance={torch.float64: 1e-6}).reason == "tolerance"


# ------------------------------------------------------------------------------ right in float64, less exact in float32


def less_exact(share: float, at: Any = ()) -> Backward:
    """Return a formula that is right in float64, and off by a share in float32."""
    return lambda d, x: off_by(share if x.dtype == torch.float32 else 0.0, at)(d, x)


def test_what_is_right_in_float64_may_be_less_exact_in_float32() -> None:
    found = looked(less_exact(7e-3), X.float())
    assert (found.status, found.reason) == ("rounding", "accuracy")
    assert found.remark == "right in float64; in float32 it is less exact than the reference, off by 7.0e-03"
    assert looked(less_exact(7e-3), X.float(), strict=True).reason == "accuracy"


def test_what_is_off_by_more_than_a_hundredth_is_unstable_and_wrong() -> None:
    found = looked(less_exact(3e-2), X.float())
    assert (found.status, found.reason) == ("wrong", "")
    assert found.remark == ("right in float64, but off by 3.0e-02 of its norm in float32: it is numerically unstable")


def test_a_mistake_in_float64_that_float32_cannot_show_is_found_only_where_float32_differs_too() -> None:
    def only_in_float64(d: Tensor, x: Tensor) -> Tensor:
        return off_by(0.5 if x.dtype == torch.float64 else 0.0)(d, x)

    assert looked(only_in_float64, X.float()).reason in ("", "rounding")

    def in_both(d: Tensor, x: Tensor) -> Tensor:
        return off_by(0.5 if x.dtype == torch.float64 else 1e-3)(d, x)

    assert looked(in_both, X.float()).status == "wrong"


@pytest.mark.parametrize("what", ["raises", "another shape", "infinite", "float32"])
def test_a_formula_that_cannot_compute_in_float64_has_its_own_numbers_looked_at(what: str) -> None:
    def in_float32_only(share: float) -> Backward:
        def backward(d: Tensor, x: Tensor) -> Tensor:
            g = off_by(share)(d, x)
            if x.dtype == torch.float32:
                return g
            if what == "raises":
                raise TypeError
            return {"another shape": g.sum(), "infinite": g / 0.0, "float32": g.float()}[what]

        return backward

    found = looked(in_float32_only(1.5e-6), X.float())
    assert (found.status, found.reason) == ("rounding", "algorithm")
    assert looked(in_float32_only(1e-3), X.float()).status == "wrong"


# --------------------------------------------------------------------------------------------------- what has no reason


def test_what_is_not_finite_or_of_another_shape_or_dtype_has_no_second_look() -> None:
    assert looked(lambda d, x: off_by(0.0)(d, x).float()).remark == "of dtype torch.float32, expected torch.float64"
    assert looked(lambda d, x: off_by(0.0)(d, x)[:3]).remark == "of shape (3, 5), expected (6, 5)"
    assert looked(lambda d, x: off_by(0.0)(d, x) / 0.0).remark == "a number is not finite"


def test_a_finite_number_where_the_reference_overflows_is_wrong() -> None:
    x = torch.tensor([1.0, 2e30])

    def finite(d: Tensor, x: Tensor) -> Tensor:
        g = 3 * d.double() * x.double() ** 2
        return g.clamp(-1e38, 1e38).float() if x.dtype == torch.float32 else g

    found = looked(finite, x, lambda x: x**3)
    assert (found.status, found.remark) == ("wrong", "a number is not finite")


def test_what_changes_its_inputs_has_no_reason() -> None:
    def changing(d: Tensor, x: Tensor) -> Tensor:
        g = off_by(4e-7)(d, x)
        x.mul_(2)
        return g

    found = looked(changing)
    assert (found.status, found.remark) == ("wrong", "changes x in place")


def test_an_output_that_counts_is_equal_or_wrong() -> None:
    report = check_function(
        lambda x: (x * x, x > 1.5),
        lambda d, _, x: 2 * d * x,
        [X],
        reference=lambda x: (x * x, x > 1.7),
        differences=False,
        power=False,
    )
    assert [row.isolated.status for row in report.rows] == ["identical", "wrong", "identical"]


def test_masked_entries_have_no_second_look() -> None:
    mask = torch.tensor([0.0, 0.0, 0.0, 0.0, -torch.inf])

    def forward(x: Tensor, factor: float = 1.0) -> Tensor:
        return factor * x + mask.to(x.dtype)

    for factor, status in ((1.0, "identical"), (1 + 4e-7, "wrong")):
        report = check_function(
            lambda x, factor=factor: forward(x, factor),
            lambda d, x: d,
            [X],
            reference=forward,
            differences=False,
            power=False,
        )
        assert report.rows[0].isolated.status == status


def test_several_gradients_each_have_a_look_of_their_own() -> None:
    def backward(d: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return d @ w.T, x.T @ d * (1 + 4e-7)

    w = torch.linspace(-1, 1, 15, dtype=torch.float64).view(5, 3)
    report = check_function(lambda x, w: x @ w, backward, [X, w], differences=False, power=False)
    assert [row.isolated.reason for row in report.rows][1:] in (["", "algorithm"], ["rounding", "algorithm"])


def test_roundings_around_a_formula_count_as_those_of_the_arithmetic_that_is_asked_for() -> None:
    arguments = Arguments.of(torch.square, [X.float()])
    step = function_step(torch.square, torch.square, arguments, by_formula(torch.square, off_by(0.0), arguments))
    (made,) = step.gradients.values()
    by_hand = step.compute(step.in_float64, True)[made.name].tensor
    unit = torch.finfo(torch.float32).eps
    assert by_hand is not None
    for of in (unit, EPS):
        witness = around(step, made, by_hand, unit, of)
        assert witness is not None
        assert witness.eps == of
        assert of < witness.bound < 100 * of
