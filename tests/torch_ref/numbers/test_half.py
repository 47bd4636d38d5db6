"""Half precision: one rounding, sums in half precision, or a mistake, by what its error is and whether it adds up."""

import math

import pytest
import torch
from torch import Tensor

from torch_ref.numbers.half import Found, judged, remainder_of
from torch_ref.numbers.witness import Witness

EPS = torch.finfo(torch.bfloat16).eps


def kind(errors: Tensor, left: float | None = None, of: float = 1.0) -> Found:
    """Judge ones where so many units in the last place more or less are right."""
    exact = of * (1 - errors * EPS)
    return judged(torch.full_like(exact, of).bfloat16(), Witness.exactly(exact.bfloat16(), exact=exact), lambda: left)


def signs(*shape: int) -> Tensor:
    """Return +1 and −1 in turn."""
    return (torch.arange(math.prod(shape)) % 2 * 2.0 - 1).view(shape).double()


def test_what_is_negative_is_judged_alike() -> None:
    assert kind(0.5 * signs(8), of=-1.0).kind == "rounding"
    assert kind(2 * torch.ones(16).double(), of=-1.0).kind == "wrong"
    assert kind(2 * signs(16), 0.0, of=-1.0) == kind(2 * signs(16), 0.0)
    assert kind(3 * signs(8), 0.0, of=-1.0).kind == "wrong"


def test_a_common_factor_is_that_of_the_large_numbers() -> None:
    exact = torch.tensor([1.0] * 8 + [2.0**-3] * 8).double()
    witness = Witness.exactly(exact.bfloat16(), exact=exact)
    for factors, expected in (([1.0, 8.0], "half"), ([2.0, 0.0], "wrong"), ([0.0, 8.0], "half")):
        off = torch.tensor(factors).double().repeat_interleave(8)
        assert judged((exact * (1 + off * EPS)).bfloat16(), witness, lambda: None).kind == expected, factors


def test_a_common_factor_is_weighed_by_squares() -> None:
    exact = torch.tensor([1.0] * 2 + [0.5] * 14).double()
    witness = Witness.exactly(exact.bfloat16(), exact=exact)
    for units, expected in ((1, "half"), (2, "wrong")):
        assert judged((exact * (1 + units * EPS)).bfloat16(), witness, lambda: None).kind == expected


def test_terms_larger_than_the_result_and_the_reference_s_own_error_count() -> None:
    exact = torch.ones(8).double()
    cancelled = Witness.exactly(exact.bfloat16(), exact=exact, others=[exact + 3 * EPS])
    for units, expected in ((30, "half"), (40, "wrong")):
        found = judged((exact + units * EPS * signs(8)).bfloat16(), cancelled, lambda: None)
        assert found.kind == expected
        assert found.allowed == pytest.approx(9 * (math.sqrt(10) + 1) * EPS)
    found = kind(2.5 * signs(8))
    assert found.allowed == pytest.approx(9 * (math.sqrt(1 + 0.5**2 / 2) + 1) * EPS, rel=0.01)


def test_one_rounding_of_the_result_is_rounding() -> None:
    for errors in (0.5 * signs(8), 0.7 * signs(8), torch.zeros(8).double(), 0.5 * torch.ones(64).double()):
        found = kind(errors)
        assert found == Found("rounding", 0.76 * EPS)
    assert kind(0.85 * signs(8)).kind == "half"
    assert kind(-2 * torch.ones(8).double()).kind == "half"
    assert kind(2 * torch.ones(8).double()).kind == "half"
    assert kind(2 * torch.eye(8)[0].double()).kind == "half", "one of eight"


def test_beside_a_sum_that_cancels_the_rounding_of_float32_counts() -> None:
    exact = torch.tensor([0.0, 1.0]).double()
    witness = Witness.exactly(exact.bfloat16(), exact=exact, others=[exact + torch.tensor([EPS, 0.0]).double()])
    for size, expected in (
        (2e-6, "rounding"),
        (-2e-6, "rounding"),
        (4.7e-6, "rounding"),
        (5e-6, "half"),
        (1e-3, "half"),
    ):
        by_hand = torch.tensor([size, 1.0]).bfloat16()
        assert judged(by_hand, witness, lambda: None).kind == expected, size


def test_the_smallest_numbers_of_float16_are_all_there_is_between_them() -> None:
    for of, expected in ((0.125, "rounding"), (1.0, "rounding")):
        for small in (2e-8, 2.0**-24):
            exact = torch.tensor([small, of]).double()
            witness = Witness.exactly(exact.half(), exact=exact)
            assert judged(torch.tensor([2.0**-24, of]).half(), witness, lambda: 0.0).kind == expected
            assert judged(torch.tensor([0.0, of * (1 + 2 * 2**-10)]).half(), witness, lambda: 0.0).kind == "half"


def test_a_factor_that_all_entries_have_in_common_is_a_mistake() -> None:
    """At random it averages out: of sixteen entries it may be 0.6 units of the terms, here of 1 + 1."""
    ones = torch.ones(16).double()
    for sign in (1, -1):
        found = kind(sign * 2.0 * ones)
        assert found.kind == "wrong"
        assert found.allowed == pytest.approx(0.6 * 2 * EPS)
        assert kind(sign * 1.0 * ones).kind == "half"
        assert kind(sign * 2.0 * ones[:15]).kind == "half", "too few"
    assert kind(2.0 * signs(16)).kind == "half"
    assert kind(2.0 * signs(16), of=0.125).kind == "half"
    assert kind(2.0 * ones, of=0.125).kind == "wrong"


@pytest.mark.parametrize(
    ("error", "left", "expected"),
    [
        (2.0, 0.1, "half"),
        (4.0, 0.1, "wrong"),
        (4.0, 0.25, "wrong"),
        (4.0, 0.5, "half"),
        (4.0, None, "half"),
        (14.0, None, "half"),
        (14.0, 0.29, "wrong"),
    ],
)
def test_an_error_that_adds_up_may_be_smaller_than_one_at_random(
    error: float, left: float | None, expected: str
) -> None:
    found = kind(error * signs(8), left)
    assert found.kind == expected
    share = 1.2 if left is not None and left < 0.3 else 9.0
    assert found.allowed == pytest.approx(share * 2 * EPS)


def test_no_sum_in_half_precision_is_off_by_nine_units_of_its_terms() -> None:
    exact = torch.ones(8).double()
    witness = Witness.exactly(exact.bfloat16(), exact=exact)
    for units, expected in ((16, "half"), (20, "wrong")):
        by_hand = (exact + units * EPS * signs(8)).bfloat16()
        found = judged(by_hand, witness, lambda: None)
        assert found.kind == expected
        assert found.allowed == pytest.approx(9 * 2 * EPS)


def test_a_row_may_be_off_by_twice_as_much_and_an_entry_by_ten_times() -> None:
    exact = torch.ones(40, 40).double()
    witness = Witness.exactly(exact.bfloat16(), exact=exact)
    for at, passing, failing in (((3,), 4, 6), ((3, 4), 18, 28)):
        for units, expected in ((passing, "half"), (failing, "wrong")):
            by_hand = exact.clone()
            by_hand[at] += units * EPS * signs(40, 40)[at]
            assert judged(by_hand.bfloat16(), witness, lambda: 0.0).kind == expected, at


def test_what_is_zero_is_measured_by_its_terms() -> None:
    exact = torch.zeros(16).double()
    witness = Witness.exactly(exact.bfloat16(), exact=exact, others=[exact + EPS])
    for size, expected in ((0.5, "half"), (20.0, "wrong")):
        found = judged((size * EPS * signs(16)).bfloat16(), witness, lambda: None)
        assert found.kind == expected
        assert found.allowed == pytest.approx(9 * EPS * 4 / EPS), "in units of the largest error"


# ------------------------------------------------------------------------------------- what is left where it adds up


def test_of_an_error_that_adds_up_nothing_is_left() -> None:
    exact = [torch.tensor(numbers) for numbers in ([1.0, 2.0], [4.0, 8.0])]
    whole = exact[0] + exact[1]
    assert remainder_of(1.5 * whole, [1.5 * e for e in exact], whole, exact) == 0.0
    assert remainder_of(whole, exact, whole, exact) is None


def test_of_an_error_at_random_all_or_more_is_left() -> None:
    whole, parts = torch.tensor([1.0, 1.0]), [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])]
    off = torch.tensor([3.0, 4.0])
    assert remainder_of(whole + off, parts, whole, parts) == pytest.approx(1.0)
    moved = [parts[0] + torch.tensor([0.0, 4.0]), parts[1] - torch.tensor([3.0, 0.0])]
    assert remainder_of(whole + off, moved, whole, parts) == pytest.approx(6 / 5)
