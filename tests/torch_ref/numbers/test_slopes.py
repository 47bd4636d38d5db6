"""A slope: where it is taken, how far it may be off, and what it says of a gradient."""

import pytest
import torch
from torch import Tensor

from torch_ref.numbers.differences import Slope, slope

ONES = torch.ones(4, dtype=torch.float64)
FIVE = torch.ones(5, dtype=torch.float64)


def of(outputs, q: Tensor, gradient: Tensor | None = None, errors: list[Tensor] | None = None, **more) -> Slope:
    errors = [torch.ones_like(outputs(q))] if errors is None else errors
    return slope(lambda at: (outputs(at),), q, errors, q if gradient is None else gradient, **more)


def points(q: Tensor, here: Tensor | None = None) -> list[Tensor]:
    """Return where the function is computed."""
    seen = []

    def outputs(at: Tensor) -> tuple[Tensor, ...]:
        seen.append(at)
        return (torch.zeros_like(at),)

    slope(outputs, q, [torch.zeros_like(q)], torch.zeros_like(q), None if here is None else (here,))
    return seen


# ----------------------------------------------------------------------------------------- what it says of a gradient


def test_a_difference_counts_where_it_is_ten_times_what_the_slope_may_be_off() -> None:
    known = Slope(ONES, 4.0, 1e-5)
    assert known.agrees(ONES * (1 + 5e-5 / 4)) is True
    assert known.agrees(ONES * (1 + 2e-4 / 4)) is False


def test_a_difference_counts_where_it_is_a_hundred_thousandth_of_the_norm() -> None:
    known = Slope(ONES, 4.0, 0.0)
    assert known.agrees(ONES * (1 + 1e-5 / 4)) is True
    assert known.agrees(ONES * (1 + 4e-5 / 4)) is False


def test_a_slope_that_may_be_off_by_a_ten_thousandth_decides_nothing() -> None:
    assert Slope(ONES, 4.0, 3e-5 * 2).agrees(ONES) is True
    assert Slope(ONES, 4.0, 3e-4 * 2).agrees(ONES) is None
    assert Slope(ONES, 4.0, 3e-4 * 2).agrees(2 * ONES) is False, "however unsure it is, this is far off"


def test_a_gradient_that_is_not_finite_is_not_the_derivative() -> None:
    assert Slope(ONES, 4.0, 1.0).agrees(torch.tensor([1.0, torch.nan, 1.0, 1.0])) is False


def test_the_share_is_of_the_gradient_s_norm_and_none_where_nothing_can_be_told() -> None:
    assert Slope(ONES, 4.0, 0.0).share(1.5 * ONES) == pytest.approx(2 / 3)
    assert Slope(ONES, 4.0, 0.0).share(ONES) == 0.0
    assert Slope(ONES, 4.0, 1.0).share(ONES) is None
    assert Slope(ONES, 4.0, 0.0).share(0 * ONES) is None


# ---------------------------------------------------------------------------------------------------- where it is taken


@pytest.mark.parametrize(
    ("q", "size"), [(3 * torch.ones(100).double(), 3.0), (torch.tensor([-3.0]).double(), 3.0), (0 * ONES, 1.0)]
)
def test_the_step_is_a_hundred_thousandth_of_the_size_of_the_numbers(q: Tensor, size: float) -> None:
    here, up, down, half_up, half_down = points(q)
    assert torch.equal(here, q)
    for at, step in ((up, 1e-5), (down, -1e-5), (half_up, 5e-6), (half_down, -5e-6)):
        assert (at - q).abs().tolist() == pytest.approx([size * abs(step)] * q.numel(), rel=1e-6)
        assert torch.equal((at - q).sign(), (up - q).sign() * (1 if step > 0 else -1))
    if q.numel() > 1:
        assert set((up - q).sign().tolist()) == {-1, 1}


def test_what_is_known_at_the_middle_is_not_computed_again() -> None:
    assert len(points(ONES)) == 5
    assert len(points(ONES, here=0 * ONES)) == 4


def test_nothing_has_a_slope_of_nothing() -> None:
    assert of(lambda q: 2 * q, ONES[:0]).value == 0


def test_the_direction_is_the_same_each_time_and_nobody_s_random_numbers() -> None:
    state = torch.get_rng_state()
    first = of(torch.sin, ONES).direction
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(of(torch.sin, ONES).direction, first)
    assert first.dtype == torch.float64
    of_complex = of(lambda q: q * q, torch.ones(9, dtype=torch.complex128)).direction
    assert of_complex.dtype == torch.complex128
    assert torch.equal(of_complex.real, of_complex.imag)
    assert set(of_complex.real.tolist()) == {-1, 1}


def test_a_slope_of_complex_numbers_tells_a_gradient_from_its_conjugate() -> None:
    q = torch.tensor([1 + 2j, 0.5 - 1j, -2 + 0.3j], dtype=torch.complex128)
    e = torch.tensor([0.3 - 1j, 2 + 1j, 1 + 1j], dtype=torch.complex128)
    right = e * (2 * q).conj()
    assert of(lambda at: at * at, q, right, [e]).agrees(right) is True
    for wrong in (e * 2 * q, right.conj(), 1.001 * right):
        assert of(lambda at: at * at, q, wrong, [e]).agrees(wrong) is False


# ------------------------------------------------------------------------------------------------ how far it may be off


def test_rounding_is_a_few_units_of_what_is_subtracted_over_the_step() -> None:
    found = of(lambda q: 0 * q + 3e6, ONES, errors=[2 * ONES])
    assert found.value == 0
    assert found.uncertainty == pytest.approx(8 * 2.0**-52 * 12e6 / 1e-5)


def test_a_smooth_bend_is_no_kink() -> None:
    assert of(lambda q: q**2, ONES, 2 * ONES).uncertainty < 1e-8
    assert of(torch.exp, ONES, torch.e * ONES).uncertainty < 1e-8


@pytest.mark.parametrize(("beside", "sure"), [(3e-6, None), (5e-5, True)])
def test_a_kink_within_the_step_is_noticed_and_one_beyond_it_is_not(beside: float, sure: bool | None) -> None:
    q = torch.tensor([1.0, 1.0, 1.0, beside], dtype=torch.float64)
    assert of(torch.relu, q, ONES).agrees(ONES) is sure


def test_kinks_that_cancel_in_the_sum_are_kinks() -> None:
    q = torch.tensor([3e-6, 1.0], dtype=torch.float64)
    e = torch.tensor([1.0, -1.0], dtype=torch.float64)
    found = of(lambda at: torch.relu(at[:1]).expand(2), q, errors=[e])
    assert found.value == 0
    assert found.uncertainty > 0.01


def test_a_step_over_whole_waves_has_a_smaller_one_after_it() -> None:
    waves = 4 * torch.pi / 1e-5

    def found(gradient: Tensor) -> Slope:
        return of(lambda q: torch.sin(waves * q), FIVE, gradient)

    right = waves * torch.cos(waves * FIVE)
    assert found(right).agrees(right) is True
    assert found(1.01 * right).agrees(1.01 * right) is False


def test_what_both_steps_reject_is_told_by_the_first_which_is_surer() -> None:
    found = of(torch.sin, FIVE, 2 * FIVE)
    assert found.agrees(2 * FIVE) is False
    assert found.uncertainty < 1e-9


def test_a_gradient_of_another_shape_is_no_reason_for_a_smaller_step() -> None:
    assert of(torch.sin, FIVE, torch.ones(3)).value == of(torch.sin, FIVE, FIVE).value
