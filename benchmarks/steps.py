"""Step times: rounds in which every contender computes in turn, with one thread and with two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from benchmarks.cases import Case
from benchmarks.worker import Worker

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


def measure(
    cases: Sequence[Case], names: Sequence[str], rounds: int, threads: Sequence[int] = (1, 2)
) -> Iterator[CaseTimes]:
    """Yield the times of each case as soon as they are known."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(n)) for n in threads]
        for case in cases:
            yield measure_case(workers, case, names, rounds)


def measure_case(workers: Sequence[Worker], case: Case, names: Sequence[str], rounds: int) -> CaseTimes:
    """Prepare the contenders in every worker, one after the other, then go round."""
    times = CaseTimes(case)
    for worker in workers:
        ready = worker.prepare(case, [name for name in names if name not in times.excluded])
        times.excluded |= ready.excluded
        times.left_out |= ready.left_out
    here = [name for name in names if name not in times.excluded and name not in times.left_out]
    seconds: dict[tuple[str, int], list[float]] = {(name, w.threads): [] for name in here for w in workers}
    for number in range(rounds):
        first = number % max(1, len(here))
        for worker in workers:
            for name, value in worker.round(here[first:] + here[:first]).items():
                seconds[name, worker.threads].append(value)
    times.timings = best(seconds)
    return times


def best(seconds: dict[tuple[str, int], list[float]]) -> dict[str, Timing]:
    """Return each contender in the form and with the number of threads that has the lowest median."""
    timings: dict[str, Timing] = {}
    for (full_name, threads), values in sorted(seconds.items(), key=lambda item: -median(item[1])):
        name, _, form = full_name.partition(":")
        timings[name] = Timing(name, form, threads, values)
    return timings
