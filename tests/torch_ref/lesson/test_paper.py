"""Arithmetic on paper: the slides' own digits, and two decimals for any other network."""

import re
from decimal import ROUND_HALF_UP, Decimal

import pytest

from manual_bp import lecture
from torch_ref.lesson.terminal.terminal import off
from torch_ref.lesson.walk.both import Both, given
from torch_ref.lesson.walk.examples import Slide, random_example, x1, x2
from torch_ref.lesson.walk.expression import GLUE
from torch_ref.lesson.walk.paper import explanation, on_paper, rounding_of, two_decimals
from torch_ref.lesson.walk.walk import walk


def test_the_walk_on_paper_is_the_slides_arithmetic_digit_for_digit() -> None:
    """The displayed formulas, and ``lecture.on_paper``, which writes each out, know nothing of each other."""
    example = x2()
    values = on_paper(walk(example.network), given(example), rounding_of(example))
    for name, calculation in lecture.on_paper().items():
        assert values[name] == calculation.value, name
    assert {n.quantity for n in lecture.X2_NUMBERS} == lecture.on_paper().keys() == example.slides.keys()
    assert values["e^1_1"] == Decimal("-0.01218")  # not printed, so not rounded


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("0.680267", "0.68"), ("-12.345", "-12.35"), ("0.1049", "0.10"), ("0.0949", "0.095"), ("-0.0026544", "-0.0027"),
        ("0.00093", "0.00093"), ("0.000945", "0.00095"), ("0", "0.00"), ("123.456", "123.46"), ("0.0999", "0.100"),
        ("0.1", "0.10"), ("0E-7", "0.00"),
    ],
)  # fmt: skip
def test_two_decimals_or_two_digits(value: str, rounded: str) -> None:
    assert str(two_decimals(Decimal(value))) == rounded


@pytest.mark.parametrize("which", [1, 2])
def test_x1_in_two_decimals_is_what_the_slides_print(which: int) -> None:
    example = x1(which)
    values = on_paper(walk(example.network)[:12], given(example), rounding_of(example))
    for name, slide in example.slides.items():
        assert values[name] == Decimal(slide.printed), name


def test_every_number_is_carried_on_rounded() -> None:
    example = random_example([2, 2, 2], "sigmoid", "squared-error", 1, 0.5, bias=True)
    steps = walk(example.network)
    values = on_paper(steps, given(example), rounding_of(example))
    for step in steps:
        assert values[step.name] == two_decimals(step.formula.value(values)), step.name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x^1_1", "to 2 decimals"),
        ("x^1_2", "to 4 decimals"),
        ("δ^2_1", "where y_1 is 0.69, to 4 decimals"),
        ("δ^1_1", "to 4 decimals"),
        ("∂L/∂W^1_11", "where δ^1_1 is −0.0027"),
        ("∂L/∂W^2_12", "where δ^2_1 is −0.0406, x^1_2 is 0.6637, to 4 decimals"),
        ("W^1_11 after", "to 4 decimals"),
        ("W^2_11 after", "where ∂L/∂W^2_11 is 0.0276"),
    ],
)
def test_a_printed_number_is_explained(name: str, reason: str) -> None:
    assert explained(x2(), name) == reason


def test_an_exact_number_of_x1_is_called_exact() -> None:
    assert explained(x1(1), "net^1_2") == "exact"
    assert explained(x1(1), "x^1_2") == "to 2 decimals"


def test_a_printed_number_that_is_exact_is_no_reason() -> None:
    exact = Both.of(x1(1)).exact
    slides = {"x^1_1": Slide("0.98"), "x^1_2": Slide(str(exact["x^1_2"])), "net^2_1": Slide("1.841")}
    steps = {step.name: step for step in walk(x1(1).network)}
    reason = explanation(steps["net^2_1"], steps, slides, exact).replace(GLUE, " ")
    assert reason == "where x^1_1 is 0.98, to 3 decimals"


def test_each_reason_holds() -> None:
    """With the numbers that it names put in, the formula gives what is printed, rounded as it says."""
    example = x2()
    steps, exact = {step.name: step for step in walk(example.network)}, Both.of(example).exact
    for name, slide in example.slides.items():
        reason = explained(example, name)
        named = dict(part.split(" is ") for part in reason.removeprefix("where ").split(", ") if " is " in part)
        values = exact | {source: Decimal(text.replace("−", "-")) for source, text in named.items()}
        for between in steps.values():  # e^l_i, which is not printed, follows from what is
            if between.name.startswith("e"):
                values[between.name] = between.formula.value(values)
        value, printed = steps[name].formula.value(values), Decimal(slide.printed)
        rounded = re.search(r"to (\d) decimals?$", reason)
        places = Decimal(1).scaleb(-int(rounded[1])) if rounded else Decimal(1)
        assert (value.quantize(places, rounding=ROUND_HALF_UP) if rounded else value.normalize()) == printed, name


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
    assert off(Decimal(paper), exact) == shown


def explained(example, name: str) -> str:
    steps = {step.name: step for step in walk(example.network)}
    return explanation(steps[name], steps, example.slides, Both.of(example).exact).replace(GLUE, " ")
