"""Whether a contender computes the same step as manual_bp: nobody may be faster because it computes less."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.cases import Array, Problem
from benchmarks.contenders.contender import Steps
from benchmarks.contenders.manual import Manual

STEPS = 3

OF_PARAMETER = 1e-4
"""Largest distance of a parameter, relative to its norm: float32 with another order of operations."""

OF_CHANGE = 1e-2
"""Largest distance relative to what the steps changed, so that a missing update is found. Some layers hardly move in
three steps, so 4 units in the last place of the parameter's norm are allowed on top: its own rounding."""


def expected(problem: Problem) -> list[Array]:
    """Return the parameters of manual_bp after the steps."""
    return after_steps(Manual(problem))


def after_steps(contender: Steps) -> list[Array]:
    """Take the steps; return the parameters."""
    with contender.scope():
        for _ in range(STEPS):
            contender.step()
        return contender.parameters()


def difference(first: Sequence[Array], mine: Sequence[Array], theirs: Sequence[Array]) -> str:
    """Return what is wrong with their parameters, or '' where they agree with mine; both began as ``first``."""
    if [p.shape for p in mine] != [p.shape for p in theirs]:
        return "has parameters of other shapes"
    for i, (begin, a, b) in enumerate(zip(first, mine, theirs, strict=True)):
        if b.dtype != np.float32:
            return f"computes in {b.dtype}, not float32"
        distance, size = float(np.linalg.norm(a - b)), float(np.linalg.norm(a))
        change = float(np.linalg.norm(a - begin))
        if not distance <= OF_PARAMETER * size:
            return f"parameter {i} is {distance / size:.1e} of its norm away after {STEPS} steps"
        if not distance <= OF_CHANGE * change + 4 * float(np.finfo(np.float32).eps) * size:
            return f"parameter {i} moved {distance / change:.0%} differently in {STEPS} steps"
    return ""
