"""Gradescope's results.json: one submission, a test for each formula.

https://gradescope-autograders.readthedocs.io/en/latest/specs/ says what may stand in it. The seed is in ``extra_data``,
which the lecturer alone sees: who knows it can ask for the same numbers again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch_ref.grade.course import Course, Student
from torch_ref.grade.formats.plain import plain
from torch_ref.grade.grading import Grading, Mark, shown
from torch_ref.grade.students_file import read
from torch_ref.grade.subjects import QUESTIONS_OF
from torch_ref.grade.submissions import submissions
from torch_ref.grade.unusable import UnusableFileError


def the_file(path: Path) -> Path:
    """Return the file to grade of a submission: the only one, or the only one that defines graded classes.

    Raises UnusableFileError where there is none, or more than one.
    """
    if not path.is_dir():
        return path
    found = [one.path for one in submissions([path])]
    of_formulas = found if len(found) == 1 else [file for file in found if _defines_formulas(file)]
    if len(of_formulas) == 1:
        return of_formulas[0]
    names = ", ".join(file.relative_to(path).as_posix() for file in of_formulas or found)
    raise UnusableFileError(f"expected one file with the classes {', '.join(QUESTIONS_OF)}, got {names}")


def _defines_formulas(file: Path) -> bool:
    try:
        return bool(read(file).classes)
    except UnusableFileError:
        return False


def text(course: Course, seconds: float) -> str:
    """Return the results of the one student of a course, and how long it took, as JSON."""
    (student,) = course.students
    return json.dumps(_results(student, course, seconds), indent=2) + "\n"


def _results(student: Student, course: Course, seconds: float) -> dict[str, Any]:
    grading = student.grading
    return {
        "score": grading.earned if grading else 0,
        "execution_time": round(seconds, 2),
        "output": plain(_about_all(grading, course.possible) if grading else student.note),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "stdout_visibility": "hidden",
        "tests": _tests(grading) if grading else [],
        "extra_data": {"seed": course.seed, "file": plain(student.file), "possible": course.possible},
    }


def _about_all(grading: Grading, possible: float) -> str:
    points = f"{shown(grading.earned)} of {shown(possible)} points."
    return "\n\n".join(part for part in (grading.note, grading.convention, points) if part)


def _tests(grading: Grading) -> list[dict[str, Any]]:
    numbers, found = list(QUESTIONS_OF), []
    for mark in grading.marks:
        kind = mark.of.kind.__name__
        number = f"{numbers.index(kind) + 1}.{QUESTIONS_OF[kind].index(mark.of) + 1}"
        found.append(_test(mark, number, "visible" if grading.hints else "hidden"))
    return found


def _test(mark: Mark, number: str, visibility: str) -> dict[str, Any]:
    return {
        "name": str(mark.of),
        "number": number,
        "score": mark.points,
        "max_score": mark.worth,
        "status": "passed" if mark.earned else "failed",
        "output": plain(mark.hint or mark.remark),
        "visibility": visibility,
        "tags": [mark.of.number, *([mark.code] if mark.code else [])],
    }
