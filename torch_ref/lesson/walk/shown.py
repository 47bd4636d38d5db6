"""A number as a reader sees it: six decimals in a column, trimmed inside a formula, with a real minus sign."""

from __future__ import annotations

import math
from decimal import Decimal

MINUS, DECIMALS = "−", 6


def shown(value: float | Decimal, room: int = 14) -> str:
    """Return a number for a column: 0.680267; 3.214e−7 below 1e-4, 1.250e6 from 1e6 on; fewer decimals to fit."""
    value = value or 0.0  # a zero below zero is a zero
    if math.isfinite(value) and not _is_plain(value):
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    text = f"{value:.{DECIMALS}f}"
    too_long = max(0, len(text) - room)
    return f"{value:.{max(0, DECIMALS - too_long)}f}".replace("-", MINUS)


def short(value: float | Decimal, room: int = 14) -> str:
    """Return a number for a formula: as in a column, without the zeros at its end."""
    mantissa, e, exponent = shown(value, room).partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return mantissa + e + exponent


def count(ulp: float) -> str:
    """Return a distance in units in the last place: 0, 12, 4e13."""
    if not math.isfinite(ulp):
        return "?"
    if ulp < 10_000:
        return f"{ulp:.0f}"
    mantissa, exponent = f"{ulp:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent_off(paper: Decimal, exact: float) -> str:
    """Say by how many percent a number on paper is off: + where it is too large in size, − where too small."""
    if not exact:
        return "0.00 %" if not paper else "-"
    share = (float(paper) - exact) / exact
    if abs(share) < 5e-5:
        return "0.00 %"
    return f"{share:+.{2 if abs(share) < 1 else 0}%}".replace("-", MINUS).replace("%", " %")


def _is_plain(value: float | Decimal) -> bool:
    return value == 0 or 1e-4 <= abs(float(value)) < 1e6
