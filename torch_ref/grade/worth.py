"""What each formula is worth: one point, or what the lecturer's file says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch_ref.grade.grading import Grading
from torch_ref.grade.subjects import QUESTIONS_OF, Question
from torch_ref.grade.unusable import UnusableFileError

Worth = Mapping[Question, float]


def read(path: Path) -> Worth:
    """Return the points of a JSON file: {"Linear": 1, "Linear weight": 3, "Sigmoid error": 2}.

    A class stands for each of its formulas; a formula is named by its class and what it makes, or by the symbol that
    the table of marks has. Raises UnusableFileError where it says something else.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnusableFileError(f"{path}: {getattr(error, 'strerror', None) or f'is not JSON: {error}'}") from error
    if not isinstance(given, dict):
        raise UnusableFileError(f'{path}: expected {{"Linear weight": 2, ...}}, got {type(given).__name__}')
    worth: dict[Question, float] = {}
    for name in sorted(given, key=lambda name: name not in QUESTIONS_OF):  # a class first, then its formulas
        points, found = given[name], _named(name)
        if not found:
            every = ", ".join(f"{q.kind.__name__} {q.makes}" for qs in QUESTIONS_OF.values() for q in qs)
            raise UnusableFileError(f"{path}: expected a class or one of {every}, got {name!r}")
        if isinstance(points, bool) or not isinstance(points, int | float) or not 0 <= points < 1e6:
            raise UnusableFileError(f"{path}: expected points of 0 or more for {name}, got {points!r}")
        worth |= dict.fromkeys(found, points)
    return worth


def _named(name: str) -> list[Question]:
    questions = [of for questions in QUESTIONS_OF.values() for of in questions]
    return [of for of in questions if name in (of.kind.__name__, f"{of.kind.__name__} {of.makes}", str(of))]


def weighed(grading: Grading, worth: Worth) -> Grading:
    """Return a grading with the points of each formula."""
    return replace(grading, marks=tuple(replace(m, worth=worth.get(m.of, m.worth)) for m in grading.marks))
