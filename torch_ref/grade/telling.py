"""How much a student is told: 0 the points alone, 1 which formulas are wrong, 2 where, 3 the likely cause too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch_ref.grade.grading import Grading, Mark

LEVELS = (0, 1, 2, 3)

NOTHING: dict[str, Any] = {"code": "", "hint": "", "row": None}


def told(grading: Grading, level: int) -> Grading:
    """Return the grading with no more than a level tells; points and notes stay."""
    if level == max(LEVELS):
        return grading
    marks = tuple(_told(mark, level) for mark in grading.marks)
    return replace(grading, marks=marks, hints=level, convention=grading.convention if level > 1 else "")


def _told(mark: Mark, level: int) -> Mark:
    if mark.earned:
        return replace(mark, remark="")
    if level < 2:
        return replace(mark, **NOTHING, remark="wrong" if level else "")
    if mark.row is None or mark.row.isolated.worst is None:  # it gave no numbers: why, is no hint at the formula
        return replace(mark, hint="", row=None)
    return replace(mark, **NOTHING, remark=f"wrong, at {mark.row.source}")
