"""What a comparison says: its numbers, the place, the reason, and what is left out where nothing is finite."""

import math

import pytest
import torch
from torch import Tensor

from torch_ref.numbers.agreement import Comparison, check_tolerance, compare, relative_difference
from torch_ref.numbers.witness import Witness

INF, NAN = math.inf, math.nan
EPS = torch.finfo(torch.float32).eps


def compared(by_hand: list, reference: list, dtype: torch.dtype = torch.float32, **more: object) -> Comparison:
    return compare(torch.tensor(by_hand, dtype=dtype), Witness.exactly(torch.tensor(reference, dtype=dtype)), **more)


def test_what_is_identical_says_so_and_how_many_entries_there_were() -> None:
    same = Comparison("identical", 0.0, 0, 0.0, 0.0, None, None, None, count=3)
    assert repr(compared([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])) == repr(same)
    assert same.ok
    none = Comparison("identical", 0.0, 0, 0.0, 0.0, None, None, None)
    assert (none.off, none.count, none.skipped, none.reason, none.remark) == (0, 0, 0, "", "")


def test_what_differs_by_rounding_says_by_how_much_and_where() -> None:
    found = compared([3.0, 4.0, -(1 + 3 * EPS)], [3.0, 4.0, -1.0])
    norm = math.sqrt(26)
    assert found.ok
    assert (found.status, found.reason, found.remark) == ("rounding", "rounding", "")
    assert (found.max_ulp, found.off, found.count, found.skipped) == (3, 0, 3, 0)
    assert found.max_abs == pytest.approx(3 * EPS)
    assert found.relative == pytest.approx(3 * EPS / norm)
    assert found.bound == pytest.approx(4 * EPS)
    assert (found.worst, found.by_hand, found.reference) == ((2,), -(1 + 3 * EPS), -1.0)


def test_what_is_wrong_says_by_how_much_where_and_in_how_many_entries() -> None:
    found = compared([3.0, 4.0, 11.0], [3.0, 4.0, 12.0])
    assert not found.ok
    assert (found.status, found.reason, found.remark) == ("wrong", "", "off by 7.7e-02 of its norm")
    assert (found.max_abs, found.relative, found.off, found.count) == (1.0, pytest.approx(1 / 13), 1, 3)
    assert (found.worst, found.by_hand, found.reference) == ((2,), 11.0, 12.0)


def test_numbers_to_count_with_are_equal_or_wrong() -> None:
    found = compared([1, 2, 4], [1, 3, 2], torch.int64)
    remark = "another number in 2 of 3 entries"
    expected = Comparison("wrong", 2.0, None, INF, 0.0, (2,), 4, 2, remark, "", 2, 3)
    assert repr(found) == repr(expected)
    assert compared([1, 2], [1, 2], torch.int64).status == "identical"
    assert compared([True, False], [True, True], torch.bool).remark == "another number in 1 of 2 entries"


def test_complex_numbers_are_shown_by_the_part_that_differs_more_and_have_no_units_in_the_last_place() -> None:
    found = compared([3 + 4j, 1j], [3 + 4j, 0.5j], torch.complex64)
    assert (found.status, found.max_ulp, found.max_abs, found.worst) == ("wrong", None, 0.5, (1,))
    assert (found.by_hand, found.reference, found.part) == (1.0, 0.5, "imaginary part")
    turned = compared([5.0 + 0j], [5j], torch.complex64)
    assert (turned.status, turned.by_hand, turned.reference, turned.part) == ("wrong", 5.0, 0.0, "real part")
    assert turned.max_abs == pytest.approx(math.sqrt(50))


def test_another_shape_is_wrong_by_any_measure() -> None:
    found = compared([1.0], [1.0, 2.0])
    expected = Comparison("wrong", INF, None, INF, 0.0, None, None, None, "of shape (1,), expected (2,)")
    assert repr(found) == repr(expected)


# ---------------------------------------------------------------------------------------------------- not finite


def test_a_number_that_is_not_finite_is_wrong_even_on_both_sides_unless_masked() -> None:
    found = compared([1.0, INF, 2.0], [1.0, INF, 2.0])
    assert (found.status, found.remark, found.worst) == ("wrong", "a number is not finite", (1,))
    assert math.isnan(found.max_abs)
    assert math.isnan(found.relative)
    assert (found.by_hand, found.reference) == (INF, INF)


def test_what_is_not_finite_on_both_sides_is_left_out_and_counted() -> None:
    found = compared([1.0, INF, NAN, -INF, 2.0], [1.0, INF, NAN, -INF, 2.0], masked=True)
    remark = "3 of 5 entries are not finite on both sides and were not compared"
    expected = Comparison("identical", 0.0, 0, 0.0, 0.0, None, None, None, remark, "not-finite", 0, 2, 3)
    assert repr(found) == repr(expected)
    rounded = compared([1 + EPS, INF], [1.0, INF], masked=True)
    assert (rounded.status, rounded.reason, rounded.count, rounded.skipped) == ("rounding", "not-finite", 1, 1)
    wrong = compared([2.0, INF], [1.0, INF], masked=True)
    assert (wrong.status, wrong.reason, wrong.remark) == ("wrong", "", "off by 1.0e+00 of its norm")


@pytest.mark.parametrize(
    ("by_hand", "reference"),
    [([0.0, INF], [0.0, -INF]), ([0.0, INF], [0.0, NAN]), ([0.0, NAN], [0.0, INF]), ([0.0, 7.0], [0.0, INF])],
)
def test_what_is_not_finite_in_another_way_is_wrong(by_hand: list[float], reference: list[float]) -> None:
    found = compared(by_hand, reference, masked=True)
    assert (found.status, found.remark, found.worst) == ("wrong", "a number is not finite", (1,))
    assert repr((found.by_hand, found.reference)) == repr((by_hand[1], reference[1]))


def test_a_tensor_with_nothing_finite_has_nothing_to_compare() -> None:
    assert compared([INF, NAN], [INF, NAN], masked=True).status == "wrong"


def test_what_overflows_in_float32_on_both_sides_is_left_out_of_the_norm_too() -> None:
    exact = torch.tensor([1.0, 1e39], dtype=torch.float64)
    witness = Witness.exactly(exact.float(), exact=exact)
    assert compare(torch.tensor([1 + EPS, INF]), witness, masked=True).status == "rounding"
    assert compare(torch.tensor([2.0, INF]), witness, masked=True).status == "wrong"


# ------------------------------------------------------------------------------------- zero, ill-conditioned, tolerance


def cancelled(exact: float, terms: float = 1.0) -> Witness:
    """Return the witness of a sum that is ``exact``, of terms so large that arithmetic is off by ``terms`` units."""
    t = torch.tensor([exact], dtype=torch.float64)
    return Witness.exactly(t.float(), exact=t, others=[t + terms * EPS])


def test_a_sum_that_cancels_is_zero_but_for_rounding() -> None:
    found = compare(torch.tensor([1e-7]), cancelled(1e-13))
    assert (found.status, found.reason, found.remark) == ("rounding", "zero", "zero but for rounding")
    assert compare(torch.tensor([1e-3]), cancelled(1e-13)).status == "wrong"


def test_a_small_sum_that_is_not_zero_is_ill_conditioned_and_not_excused() -> None:
    found = compare(torch.tensor([1e-7]), cancelled(1e-12))
    assert found.status == "wrong"
    assert "ill-conditioned" in found.remark
    assert found.bound == 0.1


def test_however_inexact_arithmetic_is_more_than_a_tenth_is_wrong() -> None:
    exact = torch.ones(6, 6).double()
    noise = 0.5 * (torch.arange(36).view(6, 6) % 2 * 2 - 1)
    witness = Witness.exactly(exact.float(), exact=exact, others=[exact + noise])
    near, far = (compare((exact * (1 + share)).float(), witness) for share in (0.09, 0.2))
    assert (near.status, near.reason, near.remark, near.bound) == ("rounding", "rounding", "", 0.1)
    assert far.status == "wrong"
    assert far.remark == (
        "off by 2.0e-01 of its norm; at these numbers arithmetic alone is off by more than 10 % (they are "
        "ill-conditioned): try others"
    )


def test_a_tolerance_takes_the_place_of_rounding() -> None:
    loose = compared([1.0, 1.3, 1.0], [1.0, 1.0, 1.0], tolerance=0.5)
    assert (loose.status, loose.reason, loose.remark, loose.bound) == (
        "rounding",
        "tolerance",
        "off by 1.7e-01 of its norm, within the tolerance that was given",
        0.5,
    )
    assert loose.off == 1
    tight = compared([1.0, 1.3], [1.0, 1.0], tolerance=0.1)
    assert (tight.status, tight.remark, tight.bound) == ("wrong", "off by 2.1e-01 of its norm", 0.1)


def test_a_tolerance_beside_zeros_is_absolute() -> None:
    assert compared([0.05], [0.0], tolerance=0.1).status == "rounding"
    assert compared([0.5], [0.0], tolerance=0.1).status == "wrong"


@pytest.mark.parametrize("good", [None, {}, {torch.float32: 0}, {torch.float32: 0.5, torch.float64: 0.999}])
def test_a_tolerance_says_by_dtype_what_share_of_the_norm_is_allowed(good: object) -> None:
    check_tolerance(good)


@pytest.mark.parametrize("bad", [0.1, 1, [torch.float32], {torch.float32: 1e-3, "float64": 1e-3}])
def test_a_tolerance_that_is_not_by_dtype_is_refused(bad: object) -> None:
    with pytest.raises(TypeError, match="tolerance expects a number for each"):
        check_tolerance(bad)


@pytest.mark.parametrize("bad", [-1e-9, 1, 1.5, NAN, "0.1", None])
def test_a_tolerance_that_is_no_share_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="tolerance expects shares"):
        check_tolerance({torch.float32: 1e-3, torch.float64: bad})


def test_a_difference_from_zeros_is_infinite_and_none_is_none() -> None:
    zeros: Tensor = torch.zeros(3)
    assert relative_difference(torch.ones(3), zeros) == INF
    assert relative_difference(zeros, zeros) == 0.0


def test_what_is_within_the_tolerance_that_was_given_says_by_how_much_where_and_in_how_many_entries() -> None:
    found = compared([3.0, 4.5, -1.0], [3.0, 4.0, -1.25], tolerance=0.5)
    assert (found.status, found.reason, found.bound) == ("rounding", "tolerance", 0.5)
    assert found.max_abs == 0.5
    assert found.max_ulp == 2**21
    assert found.relative == pytest.approx(math.sqrt((0.25 + 0.0625) / (25 + 1.25**2)))
    assert (found.worst, found.by_hand, found.reference) == ((1,), 4.5, 4.0)
    assert (found.off, found.count) == (2, 3)


def test_the_worst_place_within_a_tolerance_is_that_of_the_difference() -> None:
    found = compared([30.0, 4.0], [30.0, 4.5], tolerance=0.5)
    assert (found.worst, found.by_hand, found.reference) == ((1,), 4.0, 4.5)


@pytest.mark.parametrize(("off", "named"), [(0.02, True), (0.004, False)])
def test_a_slice_is_named_that_is_ten_times_farther_off_than_the_whole(off: float, named: bool) -> None:
    right = torch.ones(401, 3)
    wrong = right.clone()
    wrong[7] *= 1 + off
    wrong[8:] *= 1.0005
    found = compare(wrong, Witness.exactly(right))
    assert found.status == "wrong"
    assert ("row 7" in found.remark) is named


def test_of_complex_numbers_the_part_is_named_that_differs_more() -> None:
    found = compare(torch.tensor([1 + 9j]), Witness.exactly(torch.tensor([3 + 8j])))
    assert (found.part, found.by_hand, found.reference) == ("real part", 1.0, 3.0)
    found = compare(torch.tensor([9 + 1j]), Witness.exactly(torch.tensor([8 + 3j])))
    assert (found.part, found.by_hand, found.reference) == ("imaginary part", 1.0, 3.0)
