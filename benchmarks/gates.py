"""What the benchmark promises and what it aims at, as data, and how a run stands to them.

A promise holds on any processor: `--check` fails where one is broken. An aim is a figure to reach, which depends on the
processor; how far a run is from it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.cases import CASES, FED
from benchmarks.times import CaseTimes, Spread

Kind = Literal["at least", "at most"]

LARGE = ("c128", "c1024", "d", "e")
"""The cases that are almost only matrix products."""


@dataclass(frozen=True)
class Gate:
    """A ratio of step times, over / under, and what it should be in some of the cases."""

    over: str
    under: str
    kind: Kind
    figures: Mapping[str, float]
    """By case."""
    is_promise: bool = False


def _everywhere(figure: float) -> dict[str, float]:
    return dict.fromkeys(CASES, figure)


def _in_order(*figures: float) -> dict[str, float]:
    return dict(zip(CASES, figures, strict=True))


GATES = (
    *(Gate(other, "manual", "at least", _everywhere(1.0), True) for other in ("autograd", "expert", "compile")),
    Gate("manual", "floor", "at most", dict.fromkeys(LARGE, 1.15), True),
    #                                             f    a     b     c128  c1024 d     e
    Gate("autograd", "manual", "at least", _in_order(18, 9.5, 4.7, 1.7, 1.15, 1.28, 1.1)),
    Gate("jax", "manual", "at least", _everywhere(1.0)),
    Gate("numpy", "manual", "at least", _everywhere(1.0)),
    Gate("manual", "floor", "at most", _in_order(3, 2, 1.3, 1.12, 1.03, 1.1, 1.06)),
)


@dataclass(frozen=True)
class Limit:
    """A figure of another part that may not be larger than ``most``."""

    part: str
    figure: str
    most: float
    text: str
    is_promise: bool = True


FEEDING = {"a": 0.09}
"""Of the time of an epoch: in a, a batch is ten images, of which a step takes less than a tenth of a millisecond."""

LIMITS = (
    Limit("startup", "import_over_torch_ms", 50, "import manual_bp, ms more than import torch"),
    Limit("startup", "help_imports_torch", 0, "train.py --help imports torch"),
    *(
        Limit("epoch", f"feeding_share_{case}", FEEDING.get(case, 0.06), f"{case}: share of data feeding in an epoch")
        for case in FED
    ),
    Limit("memory", "manual_of_autograd", 0.30, "memory that a step of case e adds, of autograd's", is_promise=False),
)


@dataclass(frozen=True)
class Judged:
    """One figure of a run: what was promised or aimed at, what was measured, and how the two stand, in words."""

    what: str
    measured: float | None
    asked: str
    word: str
    is_promise: bool

    @property
    def is_broken(self) -> bool:
        """Return whether a promise is not kept."""
        return self.is_promise and self.word == "broken"


def judged_gates(results: Sequence[CaseTimes], names: Sequence[str]) -> list[Judged]:
    """Judge every gate in the cases that ran, for the contenders that were asked for; the promises come first."""
    asked = {name.partition(":")[0] for name in names}
    gates = [gate for gate in GATES if {gate.over, gate.under} <= asked]
    judged = [judge(gate, times) for gate in gates for times in results if times.case.name in gate.figures]
    return sorted(judged, key=lambda one: not one.is_promise)


def judge(gate: Gate, times: CaseTimes) -> Judged:
    """Judge one gate in one case.

    A promise is broken where three quarters of the rounds break it: noise, which no single round is free of, does not.
    """
    case = times.case.name
    ratio, figure = times.ratio(gate.over, gate.under), gate.figures[case]
    what, asked = f"{case}: {gate.over} / {gate.under}", f"{gate.kind} {figure:g}"
    if ratio is None:
        return Judged(what, None, asked, "not measured", gate.is_promise)
    word = _of_promise(gate.kind, ratio, figure) if gate.is_promise else distance(gate.kind, ratio[1], figure)
    return Judged(what, ratio[1], asked, word, gate.is_promise)


def _of_promise(kind: Kind, ratio: Spread, figure: float) -> str:
    low, middle, high = ratio
    best = high if kind == "at least" else low
    if _is_reached(kind, middle, figure):
        return "kept"
    return "kept, within the noise" if _is_reached(kind, best, figure) else "broken"


def distance(kind: Kind, measured: float, figure: float) -> str:
    """Return in words how far a figure is from what is aimed at."""
    if _is_reached(kind, measured, figure):
        return "reached"
    share = figure / measured - 1 if kind == "at least" else measured / figure - 1
    return f"{share:.0%} off"


def _is_reached(kind: Kind, measured: float, figure: float) -> bool:
    return measured >= figure if kind == "at least" else measured <= figure


def judged_limits(figures: Mapping[str, Mapping[str, Any]]) -> list[Judged]:
    """Judge the figures of the other parts, as far as they were measured."""
    return [
        judge_limit(limit, figures[limit.part][limit.figure])
        for limit in LIMITS
        if limit.figure in figures.get(limit.part, {})
    ]


def judge_limit(limit: Limit, measured: float) -> Judged:
    """Judge one of them."""
    kept = "kept" if measured <= limit.most else "broken"
    word = kept if limit.is_promise else distance("at most", measured, limit.most)
    return Judged(limit.text, measured, f"at most {limit.most:.3g}", word, limit.is_promise)
