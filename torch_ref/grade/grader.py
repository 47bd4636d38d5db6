"""Grade a student's file: read it, run each class in a process of its own, compare, give points.

The right answers and all comparing stay here. A process gets the inputs of one formula only: x, the parameters, the
error of y and, for backward, the right y in the place of the file's own, so that a wrong forward costs no point of
backward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from torch_ref.grade.answer import Answer
from torch_ref.grade.convention import Sign, settled
from torch_ref.grade.drawn import points
from torch_ref.grade.grading import Grading, Mark
from torch_ref.grade.marking import AnswerSheet, is_near, mark
from torch_ref.grade.process import STUDENTS, Limits, Transcript
from torch_ref.grade.students_file import StudentsFile, read, refusal
from torch_ref.grade.subjects import LECTURE, QUESTIONS_OF, Question, ask_for
from torch_ref.grade.whole_lines import Seen
from torch_ref.grade.whole_marks import marks_of, seen_in
from torch_ref.grade.whole_network import NAME
from torch_ref.grade.whole_network import read as read_network
from torch_ref.grade.whole_points import points as whole_points
from torch_ref.steps.step import Failure, Value

Advance = Callable[[Question], None]


class _SpoiledFileError(Exception):
    """The file as a whole loses its points: it cannot be imported."""


class _RefusedError(Exception):
    """A class loses its points: it asked for a derivative as it ran."""


def grade(
    path: Path,
    seed: int,
    limits: Limits | None = None,
    required: Iterable[str] = (),
    advance: Advance = lambda _: None,
    *,
    only: Iterable[str] | None = None,
    sign: Sign = "lecture",
    network: Path | None = None,
) -> Grading:
    """Return the marks of a file for every formula of the classes that it defines, and of those required.

    The classes of the lecture count, or ``only`` those where it is given. With the sign "either", gradients that are
    +∂L/∂net throughout cost nothing. A whole network is ours, or that of a lecturer's file. Raises UnusableFileError
    where there is nothing to grade. ``advance`` hears of every formula before it is run.
    """
    whole = read_network(network)
    ask_for(whole)
    asked = set(required) | set(() if only is None else only)
    counted = [name for name in QUESTIONS_OF if name in (LECTURE if only is None else asked)]
    file = read(path, counted)
    note, marks = file.spoiled, dict[str, list[Mark]]()
    try:
        for name in () if note else (name for name in counted if name in file.classes):
            arrays = file.is_of_numpy(name)
            at = whole_points(whole, seed, arrays) if name == NAME else points(name, seed, arrays)
            exam = _Exam(file, name, at, limits or Limits(), advance)
            marks[name] = _marks_or_refusal(exam)
    except _SpoiledFileError as error:
        note = str(error)
    if note:
        names = file.classes or tuple(counted)
        marks = {name: _lost(name, note, code="not-run") for name in names if name in counted}
    for name in asked - marks.keys():
        marks[name] = _lost(name, "the class is missing", code="missing")
    ordered = [mark for name in QUESTIONS_OF for mark in marks.get(name, [])]
    return Grading(str(path), seed, file.classes, *settled(ordered, sign), note)


def _lost(name: str, why: str, *, code: str) -> list[Mark]:
    return [Mark(of, earned=False, code=code, remark=why) for of in QUESTIONS_OF[name]]


@dataclass(frozen=True)
class _Exam:
    """One class of a file, and the points at which its formulas are tried."""

    file: StudentsFile
    name: str
    points: tuple[Any, ...]
    """Of a class, Point; of a whole network, WholePoint."""
    limits: Limits
    advance: Advance


def _marks_or_refusal(exam: _Exam) -> list[Mark]:
    if text := exam.file.refusal(exam.name):
        return _lost(exam.name, text, code="not-by-hand")
    try:
        return _marks(exam)
    except _RefusedError as error:
        return _lost(exam.name, str(error), code="not-by-hand")


def _marks(exam: _Exam) -> list[Mark]:
    answers: dict[str, list[Answer | None]] = {}
    stuck: Failure | None = None
    job = {
        "path": exam.file.path.name,
        "source": exam.file.source,
        "class": exam.name,
        "arrays": exam.file.is_of_numpy(exam.name),
    } | ({"whole": True} if exam.name == NAME else {})
    seen: dict[int, list[Seen]] = {}
    for method, questions in groupby(QUESTIONS_OF[exam.name], key=lambda of: of.method):
        asked = list(questions)
        exam.advance(asked[0])
        if stuck and method == "backward":  # it would call that forward again, at the same points
            failure = Failure("nothing-to-read", f"forward: {stuck.text}; there is nothing for backward to read")
            nothing = Answer(Value(None, None, failure))
            answers |= {of.symbol: [nothing if point.has(of) else None for point in exam.points] for of in asked}
            continue
        transcript = STUDENTS.run(job, {"method": method, "points": [p.given(asked) for p in exam.points]}, exam.limits)
        answers |= _answers(exam, asked, transcript)
        for i, variables in seen_in(transcript.messages, exam.points).items() if exam.name == NAME else ():
            seen[i] = [*seen.get(i, []), *variables]
        stuck = transcript.ending if method == "forward" else stuck
    sheet = AnswerSheet(exam.points, answers)
    if exam.name == NAME:
        return marks_of(QUESTIONS_OF[NAME], sheet, exam.points, seen, exam.file.text.splitlines(), exam.file.place)
    return [mark(of, sheet, exam.file.place(of)) for of in QUESTIONS_OF[exam.name]]


def _answers(exam: _Exam, asked: list[Question], transcript: Transcript) -> dict[str, list[Answer | None]]:
    """Return by symbol an answer for each point where there is something to ask."""
    _check(exam, transcript)
    received = iter([Answer.received(m) for m in transcript.messages if "narrow" in m])
    missing = Answer(Value(None, None, transcript.ending))
    found: dict[str, list[Answer | None]] = {of.symbol: [] for of in asked}
    for point in exam.points:
        given = {of: next(received, missing) for of in asked if point.has(of)}
        cleared = _cleared(given, point)
        for of in asked:
            found[of.symbol].append(cleared.get(of))
    return found


def _cleared(given: dict[Question, Answer], point: Any) -> dict[Question, Answer]:
    """Return the answers of one call where those that are right do not pay for what it changes in place.

    That is on those that are wrong, or on the first where all are right.
    """
    changing = [of for of, a in given.items() if a.value.failure and a.value.failure.code == "changes-input"]
    right = [of for of in changing if is_near(given[of].value.tensor, point.right(of))]
    free = right[1:] if len(right) == len(given) else right
    return {of: replace(a, value=replace(a.value, failure=None)) if of in free else a for of, a in given.items()}


def _check(exam: _Exam, transcript: Transcript) -> None:
    """Raise where it is not one formula that fails, but the class, or the file."""
    refused = next((m["refused"] for m in transcript.messages if m.get("refused")), "")
    if refused:
        raise _RefusedError(refusal(exam.name, str(refused)[:200]))
    imported, failure = not transcript.begins, transcript.ending.text if transcript.ending else ""
    for message in transcript.messages[: transcript.begins]:
        imported, failure = message.get("imported") is True, str(message.get("failure", ""))
    if not imported:
        raise _SpoiledFileError(f"{exam.file.path.name} cannot be imported: {failure}")
