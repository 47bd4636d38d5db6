"""A formula writes itself in symbols and in numbers, with brackets where they are needed, and has a value."""

import math
from decimal import Decimal

import pytest

from torch_ref.lesson.walk.expression import (
    GLUE,
    HALF,
    ONE,
    SYMBOLS,
    Difference,
    Negative,
    Product,
    Quotient,
    Ref,
    Square,
    Sum,
    with_numbers,
)
from torch_ref.lesson.walk.functions import SIGMOID, TANH, Apply, StepSlope

A, B, C, ZERO = Ref("a"), Ref("b"), Ref("c"), Ref("z")
VALUES = {"a": Decimal("0.5"), "b": Decimal("-2"), "c": Decimal("1e-7"), "z": Decimal(0)}


@pytest.mark.parametrize(
    ("formula", "symbols", "numbers"),
    [
        (Sum((Product((A, B)), B, A)), "a b + b + a", "0.5·(−2) + (−2) + 0.5"),
        (Difference(B, Product((B, A))), "b − b a", "−2 − (−2)·0.5"),
        (Product((HALF, Sum((A, B)))), "½ (a + b)", "½·(0.5 + (−2))"),
        (Product((Difference(ONE, Square(A)), B)), "(1 − (a)²) b", "(1 − 0.5²)·(−2)"),
        (Negative(Product((B, C))), "−b c", "−(−2)·1e−7"),
        (Negative(Sum((A, B))), "−(a + b)", "−(0.5 + (−2))"),
        (Quotient(A, Sum((A, B))), "a / (a + b)", "0.5 / (0.5 + (−2))"),
        (Square(B), "(b)²", "(−2)²"),
        (Product((StepSlope(A), B)), "σ′(a) b", "1·(−2)"),
        (StepSlope(B), "σ′(b)", "0"),
        (StepSlope(ZERO), "σ′(z)", "0"),
        (Difference(A, Difference(B, A)), "a − (b − a)", "0.5 − (−2 − 0.5)"),
    ],
)
def test_brackets_stand_around_sums_and_negative_numbers(formula, symbols, numbers) -> None:
    assert formula.text(SYMBOLS).replace(GLUE, " ") == symbols
    assert formula.text(with_numbers(VALUES)).replace(GLUE, " ") == numbers


def test_functions_keep_their_digits() -> None:
    for z in (-30.0, -0.3, 0.0, 1e-6, 2.0, 30.0):
        values = {"a": Decimal(z)}
        assert float(Apply(SIGMOID, A).value(values)) == pytest.approx(1 / (1 + math.exp(-z)), rel=1e-14)
        assert float(Apply(TANH, A).value(values)) == pytest.approx(math.tanh(z), rel=1e-14)
