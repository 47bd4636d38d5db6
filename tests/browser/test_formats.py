"""Numbers on the page: how they are written, and how far apart they are."""

from __future__ import annotations

import math
import random
import struct

import pytest
import torch

from torch_ref.numbers.agreement import ulp_distance

WRITTEN = [
    (0.6802671966986485, "0.680267", "0.680267"),
    (-0.000929, "−0.000929", "−0.000929"),
    (0.5, "0.500000", "0.5"),
    (0.35, "0.350000", "0.35"),
    (-2.0, "−2.000000", "−2"),
    (10.0, "10.000000", "10"),
    (100.5, "100.500000", "100.5"),
    (0.0, "0.000000", "0"),
    (-0.0, "0.000000", "0"),
    (1e-4, "0.000100", "0.0001"),
    (0.00009999, "9.999e−5", "9.999e−5"),
    (0.000099999, "1.000e−4", "1e−4"),
    (3.2144e-7, "3.214e−7", "3.214e−7"),
    (-1e-300, "−1.000e−300", "−1e−300"),
    (5e-324, "4.941e−324", "4.941e−324"),
    (999999.5, "999999.500000", "999999.5"),
    (1e6, "1.000e6", "1e6"),
    (-12345678.0, "−1.235e7", "−1.235e7"),
]


def test_numbers_are_written_with_six_decimals_or_four_digits_and_a_power(lesson) -> None:
    values = [value for value, _, _ in WRITTEN]
    assert lesson("(all) => all.map(lesson.shown)", values) == [shown for _, shown, _ in WRITTEN]
    assert lesson("(all) => all.map(lesson.short)", values) == [short for _, _, short in WRITTEN]


@pytest.mark.parametrize("write", ["shown", "short"])
def test_what_is_no_number_is_written_as_that(lesson, write) -> None:
    assert lesson(f"() => [NaN, Infinity, -Infinity].map(lesson.{write})") == ["NaN", "∞", "−∞"]


def test_ulps_are_those_of_the_checker(lesson) -> None:
    dice = random.Random(3)
    pairs = [(0.0, -0.0), (0.0, 5e-324), (-5e-324, 5e-324), (1.0, math.nextafter(1.0, 2.0)), (1.0, 1.0), (-1.0, 1.0)]
    pairs += [(x, math.nextafter(x, -math.inf)) for x in (0.5, 2.0, -2.0, 1e300, 2.0**52)]
    anything = (struct.unpack("<d", dice.randbytes(8))[0] for _ in range(400))
    finite = [value for value in anything if math.isfinite(value)]
    pairs += list(zip(finite[::2], finite[1::2], strict=False))
    found = lesson("(pairs) => pairs.map(([a, b]) => lesson.ulps(a, b))", pairs)
    a, b = (torch.tensor(side, dtype=torch.float64) for side in zip(*pairs, strict=True))
    assert found[:4] == [0, 1, 2, 1]
    assert list(map(float, found)) == pytest.approx(
        ulp_distance(a, b).tolist(), rel=2**-52, abs=0
    )  # above 2^53 rounded


def test_ulps_of_what_is_no_number_are_none(lesson) -> None:
    assert lesson("() => [lesson.ulps(NaN, 1), lesson.ulps(1, NaN)].every(Number.isNaN)")


def test_how_far_two_numbers_are_apart_is_said_in_ulp_or_in_percent(lesson) -> None:
    cases = [[0.5, 0.5, False], [0.5, 0.5 + 2**-52, False], [1.0, 1.0 + 2e-13, False]]
    cases += [[-0.0243, -0.0081, True], [1.0005, 1.0, True], [1.0, 0.0, True]]
    said = ["0 ulp", "2 ulp", "by rounding", "off by 200 %", "off by 0.050 %", "off"]
    assert lesson("(cases) => cases.map((one) => lesson.apart(...one))", cases) == said
