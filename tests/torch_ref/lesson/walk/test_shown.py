"""How a number is written: in a column, in a formula, as a distance, and by how many percent it is off on paper."""

import math
from decimal import Decimal

import pytest

from torch_ref.lesson.walk.shown import count, percent_off, short, shown


@pytest.mark.parametrize(
    ("value", "in_a_column", "in_a_formula"),
    [
        (0.6802671966986485, "0.680267", "0.680267"),
        (-0.000929071, "−0.000929", "−0.000929"),
        (0.35, "0.350000", "0.35"),
        (-2.0, "−2.000000", "−2"),
        (100.0, "100.000000", "100"),
        (0.0, "0.000000", "0"),
        (-0.0, "0.000000", "0"),
        (1e-4, "0.000100", "0.0001"),
        (3.21449e-7, "3.214e−7", "3.214e−7"),
        (-2e-5, "−2.000e−5", "−2e−5"),
        (999999.5, "999999.500000", "999999.5"),
        (1.25e6, "1.250e6", "1.25e6"),
        (math.inf, "inf", "inf"),
        (math.nan, "nan", "nan"),
        (Decimal("-0.01218"), "−0.012180", "−0.01218"),
    ],
)
def test_numbers(value, in_a_column: str, in_a_formula: str) -> None:
    assert shown(value) == in_a_column
    assert short(value) == in_a_formula


def test_a_number_with_little_room_is_written_shorter() -> None:
    assert shown(-12.5, 9) == "−12.50000"
    assert shown(-1.25, 9) == "−1.250000"
    assert shown(123456.789, 9) == "123456.79"
    assert short(-123456.789, 9) == "−123456.8"


@pytest.mark.parametrize(
    ("ulp", "text"), [(0.0, "0"), (9999.0, "9999"), (1e4, "1e4"), (4.4e13, "4e13"), (math.inf, "?")]
)
def test_distances(ulp: float, text: str) -> None:
    assert count(ulp) == text


@pytest.mark.parametrize(
    ("paper", "exact", "shown"),
    [
        ("0.0027", 0.002654, "+1.73 %"),
        ("-0.0027", -0.002654, "+1.73 %"),
        ("0.68", 0.68, "0.00 %"),
        ("0.67999", 0.68, "0.00 %"),
        ("0", 0.0, "0.00 %"),
        ("0.1", 0.0, "-"),
        ("0.5", 1.0, "−50.00 %"),
        ("3.5", 1.0, "+250 %"),
        ("-0.00004", -0.00003, "+33.33 %"),
        ("0.680035", 0.68, "+0.01 %"),
    ],
)
def test_percent_off(paper: str, exact: float, shown: str) -> None:
    assert percent_off(Decimal(paper), exact) == shown
