"""How numbers, formulas and columns are laid out."""

import math
from decimal import Decimal

import pytest

from torch_ref.lesson.terminal.sheet import Column, Entry, Note, Sheet, at_the_point, in_ascii
from torch_ref.lesson.walk.expression import GLUE
from torch_ref.lesson.walk.shown import count, short, shown


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
    assert at_the_point("−123456.8", 9) == "−123456.8"


@pytest.mark.parametrize(
    ("ulp", "text"), [(0.0, "0"), (9999.0, "9999"), (1e4, "1e4"), (4.4e13, "4e13"), (math.inf, "?")]
)
def test_distances(ulp: float, text: str) -> None:
    assert count(ulp) == text


@pytest.mark.parametrize("number", ["4", "0.68", "−0.0027", "0.000945"])
def test_points_stand_below_each_other(number: str) -> None:
    padded = at_the_point(number)
    assert len(padded) - len(number.partition(".")[0]) == len(".000000")
    assert padded.rstrip() == number


def test_ascii() -> None:
    assert in_ascii("∂L/∂W^1_11 = −δ^1_1·½ (σ′)² η ✗") == "dL/dW^1_11 = -delta^1_1*1/2 (sigma')^2 eta x"
    assert in_ascii("é") == "?"


ENTRY = Entry(
    "E1", "net^1_1", [f"W{GLUE}x +{GLUE}W{GLUE}x +{GLUE}b", f"0.1·0.5 +{GLUE}0.2"], ["0.5", "−1"], [Note("a note", "7")]
)


def test_lines_break_before_a_plus_and_stand_below_each_other() -> None:
    sheet = Sheet(32, [Column("one", 6), Column("two", 5)])
    assert [line.plain for line in sheet.heading("title") + sheet.entry(ENTRY)] == [
        "",
        "title                   one  two",
        "E1   net^1_1 = W x      0.5   −1",
        "               + W x",
        "               + b",
        "             = 0.1·0.5",
        "               + 0.2",
        "     a note               7",
    ]


def test_a_formula_never_reaches_the_numbers() -> None:
    for width in range(25, 60):
        sheet = Sheet(width, [Column("one", 6), Column("two", 5)])
        first = sheet.entry(ENTRY)[0].plain
        assert (first.index("0.5"), len(first)) == (width - 8, width)


def test_a_mark_moves_everything_to_the_right() -> None:
    wide = Sheet(80, [Column("one", 6)], marks=True)
    wrong = Entry("E6", "L", ["x"], ["1"], wrong=True)
    assert wide.entry(wrong)[0].plain.startswith("✗ E6   L = x   ")
    assert wide.entry(Entry("E6", "L", ["x"], ["1"]))[0].plain.startswith("  E6   L = x   ")
    assert wide.entry(wrong)[0].plain.endswith("     1")
