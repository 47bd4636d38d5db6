"""Grade a student's file: read it, run each formula in a process of its own, compare, give points.

The right answers and all comparing stay here. A process gets the inputs of one formula only: x, the parameters, the
error of y and, for backward, the right y in the place of the file's own, so that a wrong forward costs no point of
backward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from torch_ref.grade.grading import Grading, Mark
from torch_ref.grade.marking import AnswerSheet, mark
from torch_ref.grade.process import Limits, Transcript, run
from torch_ref.grade.students_file import StudentsFile, read, refusal
from torch_ref.grade.subjects import QUESTIONS_OF, Point, Question, points
from torch_ref.steps.step import Failure, Value

Advance = Callable[[Question], None]


class _SpoiledFileError(Exception):
    """The file as a whole loses its points: it cannot be imported, or it is refused after all."""


def grade(
    path: Path,
    seed: int,
    limits: Limits | None = None,
    required: Iterable[str] = (),
    advance: Advance = lambda _: None,
) -> Grading:
    """Return the marks of a file for every formula of the classes that it defines, and of those required.

    Raises UnusableFileError where there is nothing to grade. ``advance`` hears of every formula before it is run.
    """
    file = read(path)
    missing = [name for name in QUESTIONS_OF if name in set(required) - set(file.classes)]
    lost = [
        Mark(of, earned=False, code="missing", remark="the class is missing")
        for name in missing
        for of in QUESTIONS_OF[name]
    ]
    note, marks = file.spoiled, list[Mark]()
    try:
        for name in () if note else file.classes:
            marks += _marks(_Exam(file, name, points(name, seed), limits or Limits(), advance))
    except _SpoiledFileError as error:
        note = str(error)
    if note:
        names = file.classes or tuple(name for name in QUESTIONS_OF if name not in missing)
        marks = [Mark(of, earned=False, code="not-run", remark=note) for name in names for of in QUESTIONS_OF[name]]
    return Grading(str(path), seed, file.classes, (*marks, *lost), note)


@dataclass(frozen=True)
class _Exam:
    """One class of a file, and the points at which its formulas are tried."""

    file: StudentsFile
    name: str
    points: list[Point]
    limits: Limits
    advance: Advance


def _marks(exam: _Exam) -> list[Mark]:
    answers: dict[str, list[Value | None]] = {}
    stuck: Failure | None = None
    for of in QUESTIONS_OF[exam.name]:
        exam.advance(of)
        if stuck and of.method == "backward":  # it would call that forward again, at the same points
            failure = Failure("nothing-to-read", f"forward: {stuck.text}; there is nothing for backward to read")
            answers[of.symbol] = [Value(None, None, failure) if point.has(of) else None for point in exam.points]
            continue
        transcript, answers[of.symbol] = _answers(exam, of)
        stuck = transcript.ending if of.method == "forward" else stuck
    sheet = AnswerSheet(exam.points, answers)
    return [mark(of, sheet, exam.file.place(of)) for of in QUESTIONS_OF[exam.name]]


def _answers(exam: _Exam, of: Question) -> tuple[Transcript, list[Value | None]]:
    """Run one formula; return how that went, and a value for each point where there is something to ask."""
    asked = [point for point in exam.points if point.has(of)]
    job = {
        "path": str(exam.file.path),
        "source": exam.file.source,
        "class": exam.name,
        "makes": of.makes,
        "points": [point.given(of) for point in asked],
    }
    transcript = run(job, 1 + len(asked), exam.limits)
    _check_file(exam.file, transcript)
    found = [Value(m["tensor"], None, m["failure"] and Failure(*m["failure"])) for m in transcript.messages[1:]]
    found += [Value(None, None, transcript.ending)] * (len(asked) - len(found))
    values = iter(found)
    return transcript, [next(values) if point.has(of) else None for point in exam.points]


def _check_file(file: StudentsFile, transcript: Transcript) -> None:
    """Raise where it is not one formula that fails, but the file."""
    refused = next((m["refused"] for m in transcript.messages if m.get("refused")), "")
    if refused:
        raise _SpoiledFileError(refusal(file.path, refused))
    imported, failure = False, transcript.ending.text if transcript.ending else ""
    for message in transcript.messages[:1]:
        imported, failure = message["imported"], message.get("failure", "")
    if not imported:
        raise _SpoiledFileError(f"{file.path.name} cannot be imported: {failure}")
