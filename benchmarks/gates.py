"""The figures to reach, as data, and how a run stands to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.cases import CASES, FED
from benchmarks.times import CaseTimes

MARGIN = 0.10
"""A ratio of step times may miss its limit by this share: the machine's noise."""

Word = Literal["ok", "ok, within 10 %", "missed", "missed, the floor too", "not measured"]
"""``the floor too``: torch's matrix products alone take so long that no step made of them could reach the limit."""


@dataclass(frozen=True)
class Gate:
    """A ratio of step times, over / under, with its limit and its aim for each of ``CASES``. Only limits gate."""

    over: str
    under: str
    kind: Literal["at least", "at most"]
    limits: tuple[float, ...]
    aims: tuple[float, ...] = ()

    def limit(self, case: str) -> float:
        """Return the limit in a case."""
        return self.limits[tuple(CASES).index(case)]

    def aim(self, case: str) -> float | None:
        """Return the aim in a case, if there is one."""
        return self.aims[tuple(CASES).index(case)] if self.aims else None


AUTOGRAD_LIMITS, AUTOGRAD_AIMS = (8, 5.5, 4, 1.5, 1.1, 1.2, 1.04), (18, 9.5, 4.7, 1.7, 1.15, 1.28, 1.1)
FLOOR_LIMITS, FLOOR_AIMS = (5, 3.0, 1.7, 1.3, 1.08, 1.22, 1.18), (3, 2, 1.3, 1.12, 1.03, 1.1, 1.06)

GATES = (  #                                f    a     b     c128  c1024 d     e
    Gate("autograd", "manual", "at least", AUTOGRAD_LIMITS, AUTOGRAD_AIMS),
    Gate("compile", "manual", "at least", (2.2, 1.9, 1.6, 1.15, 1.05, 1.05, 1.0)),
    Gate("jax", "manual", "at least", (0.6, 1.05, 1.1, 1.5, 1.25, 1.4, 1.0)),
    Gate("numpy", "manual", "at least", (1.2, 1.05, 1.35, 1.45, 1.2, 1.4, 1.35)),
    Gate("manual", "floor", "at most", FLOOR_LIMITS, FLOOR_AIMS),
)


@dataclass(frozen=True)
class Limit:
    """A figure of another part that may not be larger than ``most``."""

    part: str
    figure: str
    most: float
    text: str


LIMITS = (
    Limit("memory", "manual_of_autograd", 1 / 6, "memory that a step of case e adds, of autograd's"),
    Limit("startup", "import_over_torch_ms", 50, "import manual_bp, ms more than import torch"),
    Limit("startup", "help_imports_torch", 0, "train.py --help imports torch"),
    *(Limit("epoch", f"feeding_share_{case}", 0.05, f"{case}: share of data feeding in an epoch") for case in FED),
)


@dataclass(frozen=True)
class Judged:
    """One figure of a run against its limit."""

    what: str
    measured: float | None
    limit: str
    aim: str
    word: Word

    @property
    def holds(self) -> bool:
        """Return whether the limit holds."""
        return self.word.startswith("ok")


def judged_gates(results: Sequence[CaseTimes], names: Sequence[str]) -> list[Judged]:
    """Judge every gate in the cases that ran, for the contenders that were asked for."""
    asked = {name.partition(":")[0] for name in names}
    gates = [gate for gate in GATES if {gate.over, gate.under} <= asked]
    return [judge(gate, times) for gate in gates for times in results if times.case.name in CASES]


def judge(gate: Gate, times: CaseTimes) -> Judged:
    """Judge one gate in one case."""
    case = times.case.name
    ratio, limit, aim = times.ratio(gate.over, gate.under), gate.limit(case), gate.aim(case)
    measured = ratio and ratio[1]
    what = f"{case}: {gate.over} / {gate.under}"
    said = word(gate.kind, measured, limit)
    at_best = times.ratio(gate.over, "floor")
    if said == "missed" and gate.kind == "at least" and at_best and word(gate.kind, at_best[1], limit) == "missed":
        said = "missed, the floor too"
    return Judged(what, measured, f"{gate.kind} {limit:g}", "" if aim is None else f"{aim:g}", said)


def word(kind: str, measured: float | None, limit: float, margin: float = MARGIN) -> Word:
    """Return in a word how a figure stands to its limit."""
    if measured is None:
        return "not measured"
    reached = measured / limit if kind == "at least" else limit / measured
    if reached >= 1:
        return "ok"
    return "ok, within 10 %" if reached >= 1 - margin else "missed"


def judged_limits(figures: Mapping[str, Mapping[str, Any]]) -> list[Judged]:
    """Judge the figures of the other parts that ran."""
    return [
        judge_limit(limit, figures[limit.part][limit.figure])
        for limit in LIMITS
        if limit.figure in figures.get(limit.part, {})
    ]


def judge_limit(limit: Limit, measured: float) -> Judged:
    """Judge one of them; these have no margin."""
    holds = measured <= limit.most
    return Judged(limit.text, measured, f"at most {limit.most:.3g}", "", "ok" if holds else "missed")
