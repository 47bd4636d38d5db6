"""How formulas and columns are laid out."""

import pytest

from torch_ref.lesson.terminal.sheet import Column, Entry, Note, Sheet, at_the_point, in_ascii
from torch_ref.lesson.walk.expression import GLUE


@pytest.mark.parametrize("number", ["4", "0.68", "−0.0027", "0.000945"])
def test_points_stand_below_each_other(number: str) -> None:
    padded = at_the_point(number)
    assert len(padded) - len(number.partition(".")[0]) == len(".000000")
    assert padded.rstrip() == number
    assert at_the_point("−123456.8", 9) == "−123456.8"


def test_ascii() -> None:
    assert in_ascii("∂L/∂W^1_11 = −δ^1_1·½ (σ′)² η ✗") == "dL/dW^1_11 = -delta^1_1*1/2 (sigma')^2 eta x"
    assert in_ascii("é") == "?"


ENTRY = Entry(
    "E1",
    "net^1_1",
    [f"W{GLUE}x +{GLUE}W{GLUE}x +{GLUE}b", f"0.1·0.5 +{GLUE}0.2"],
    ["0.5", "−1"],
    [Note("a note", ["7"])],
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
