"""The outcome for a class: a line for each student, the mistakes counted, and who handed in the same."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from torch_ref.grade.grading import Grading, Mark, printed, shown
from torch_ref.verdict.table import WIDTH

MOST = 20
"""Mistakes that the histogram lists."""

LONGEST = 30
"""Letters of a name."""

BAR = 20
"""Letters of its longest bar."""


@dataclass(frozen=True)
class Student:
    """One student's file and its outcome."""

    name: str
    file: str
    grading: Grading | None
    """None where the file could not be graded at all: then ``note`` says why."""
    note: str = ""

    @property
    def lost(self) -> list[Mark]:
        """Return the marks of the formulas that lost their points."""
        return [mark for mark in self.grading.marks if not mark.earned] if self.grading else []

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome in terms that JSON knows."""
        head = {"student": self.name, "file": self.file, "note": self.note}
        return (self.grading.to_dict() if self.grading else {"points": 0, "marks": []}) | head


@dataclass(frozen=True)
class Mistake:
    """One mistake, and how many students made it."""

    formula: str
    """Or the class, or '' where the whole file is meant."""
    code: str
    text: str
    """As most of them were told."""
    students: tuple[str, ...]


@dataclass(frozen=True)
class Course:
    """All students of a class; ``str(course)`` is the table, the mistakes and what is handed in twice."""

    seed: int
    possible: float
    """The points that a file can earn."""
    students: tuple[Student, ...]
    alike: tuple[tuple[str, ...], ...] = ()
    """The names of those whose files are the same."""

    @property
    def mistakes(self) -> list[Mistake]:
        """Return what was done wrong, the most frequent first; what only follows from something else is left out."""
        made = defaultdict[tuple[str, str], dict[str, str]](dict)
        for student in self.students:
            for mark in student.lost:
                if mark.code not in ("missing", "nothing-to-read"):
                    made[_of_what(mark), mark.code].setdefault(student.name, _in_general(mark))
        found = [
            Mistake(of, code, Counter(told.values()).most_common(1)[0][0], tuple(told))
            for (of, code), told in made.items()
        ]
        return sorted(found, key=lambda mistake: -len(mistake.students))

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome in terms that JSON knows."""
        mistakes = [
            {"formula": m.formula, "code": m.code, "text": m.text, "students": list(m.students)} for m in self.mistakes
        ]
        head = {"seed": self.seed, "possible": self.possible, "students": [s.to_dict() for s in self.students]}
        return head | {"mistakes": mistakes, "alike": [list(names) for names in self.alike]}

    def to_csv(self) -> str:
        """Return a table for a spreadsheet: a line for each student, a column for each formula."""
        formulas = list(dict.fromkeys(str(m.of) for s in self.students for m in (s.grading.marks if s.grading else ())))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["student", "file", "points", "possible", "note", *formulas, "causes"])
        for student in self.students:
            marks = {str(mark.of): mark for mark in (student.grading.marks if student.grading else ())}
            points = [shown(marks[f].points) if f in marks else "" for f in formulas]
            causes = "; ".join(f"{mark.of}: {mark.code}" for mark in student.lost)
            earned = shown(student.grading.earned) if student.grading else "0"
            note = student.note or (student.grading.note if student.grading else "")
            writer.writerow([student.name, student.file, earned, shown(self.possible), note, *points, causes])
        return text.getvalue()

    def __str__(self) -> str:
        """Return the table, the mistakes and the files that are alike, 80 columns wide."""
        parts = [self._table(), self._histogram(), *(f"The same code: {', '.join(names)}." for names in self.alike)]
        last = f"{len(self.students)} files; --seed {self.seed} repeats this."
        return "\n\n".join([*(part for part in parts if part), last])

    def _table(self) -> str:
        points = [f"{shown(s.grading.earned if s.grading else 0)} of {shown(self.possible)}" for s in self.students]
        notes = [s.note or (s.grading.note if s.grading else "") or _in_short(s.lost) for s in self.students]
        named = min(max(len("student"), *(len(s.name) for s in self.students)), LONGEST)
        counted = max(len("points"), *map(len, points))
        lines = [("student", "points", "lost"), *zip((s.name for s in self.students), points, notes, strict=True)]
        written = [f"{_cut(name, named):{named}}  {p:>{counted}}  {note}".rstrip() for name, p, note in lines]
        return "\n".join(_cut(line, WIDTH) for line in written)

    def _histogram(self) -> str:
        found = self.mistakes
        if not found:
            return ""
        table, most = Table(box=None, pad_edge=False, show_header=False), len(found[0].students)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column()
        for m in found[:MOST]:
            bar = "█" * max(1, round(BAR * len(m.students) / most))
            table.add_row(
                f"{len(m.students)} of {len(self.students)}", bar, f"{m.formula}: {m.text}" if m.formula else m.text
            )
        more = f"\n{len(found) - MOST} more are rarer." if len(found) > MOST else ""
        return f"Mistakes\n{printed(table)}{more}"


def _in_short(lost: Sequence[Mark]) -> str:
    """Return the lost formulas with their causes, those of one cause together."""
    by_code = defaultdict[tuple[str, str], list[str]](list)
    for mark in lost:
        by_code[mark.of.kind.__name__, mark.code].append(mark.of.symbol)
    return "; ".join(f"{kind} {', '.join(symbols)}: {code}" for (kind, code), symbols in by_code.items())


def _of_what(mark: Mark) -> str:
    """Return the formula that a mistake is in; the class or nothing where it is not in one formula."""
    return {"not-run": "", "not-by-hand": mark.of.kind.__name__}.get(mark.code, str(mark.of))


def _in_general(mark: Mark) -> str:
    """Return a remark without what is of one file alone: names, lines, messages of exceptions."""
    if mark.code == "not-run":
        return "the file cannot be run"
    if mark.code == "raises":
        kind = mark.remark.partition(":")[0].partition(" (")[0]
        return "left open" if kind.endswith("NotImplementedError") else kind
    return mark.remark


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"
