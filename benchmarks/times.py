"""What was timed: the seconds of each contender in a case, by round, and their ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from benchmarks.cases import Case
from benchmarks.contenders import TITLES

Spread = tuple[float, float, float]
"""First quartile, median, third quartile."""


def spread(values: Sequence[float]) -> Spread:
    """Return median and quartiles."""
    if len(values) < 2:
        return (values[0],) * 3
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


@dataclass(frozen=True)
class Timing:
    """The steps of a contender in its fastest form and number of threads, in seconds by round."""

    name: str
    form: str
    threads: int
    seconds: list[float]

    @property
    def spread(self) -> Spread:
        """Return median and quartiles."""
        return spread(self.seconds)

    @property
    def median(self) -> float:
        """Return the median."""
        return self.spread[1]


@dataclass
class CaseTimes:
    """All timings of a case; ``excluded`` and ``left_out`` say who is missing and why."""

    case: Case
    timings: dict[str, Timing] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def ratio(self, over: str, under: str) -> Spread | None:
        """Return over / under, computed round by round, or None where one is missing."""
        if over not in self.timings or under not in self.timings:
            return None
        both = zip(self.timings[over].seconds, self.timings[under].seconds, strict=True)
        return spread([a / b for a, b in both])

    def to_dict(self) -> dict[str, Any]:
        """Return everything measured, for JSON; times in microseconds."""
        return {
            "case": self.case.name,
            "network": self.case.title,
            "formulas": self.case.formulas,
            "contenders": {name: self._row(timing) for name, timing in self.timings.items()},
            "excluded": self.excluded,
            "left_out": self.left_out,
        }

    def _row(self, timing: Timing) -> dict[str, Any]:
        low, middle, high = (round(1e6 * s, 2) for s in timing.spread)
        return {
            "form": timing.form,
            "threads": timing.threads,
            "us_quartile_1": low,
            "us_median": middle,
            "us_quartile_3": high,
            "of_manual": self._rounded(timing.name, "manual"),
            "of_floor": self._rounded(timing.name, "floor"),
            "us_by_round": [round(1e6 * s, 2) for s in timing.seconds],
        }

    def _rounded(self, over: str, under: str) -> list[float] | None:
        ratio = self.ratio(over, under)
        return ratio and [round(value, 3) for value in ratio]


def names_of(results: Sequence[CaseTimes]) -> list[str]:
    """Return everyone who was timed in any case, in the order of the contenders."""
    return [name for name in TITLES if any(name in times.timings for times in results)]
