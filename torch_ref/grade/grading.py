"""The outcome of a grading: a mark for each formula, a table of them, and a hint for each lost point."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from torch_ref.grade.subjects import Question, chapters_of
from torch_ref.verdict.row import Row
from torch_ref.verdict.table import WIDTH

LONG = 40
"""Letters of a remark that is not printed a second time for the same class."""


@dataclass(frozen=True)
class Mark:
    """One formula: its point, or why it is lost."""

    of: Question
    earned: bool
    code: str = ""
    """Of the cause, as in docs/causes.md."""
    remark: str = ""
    """Why the point is lost: a failure in words, or the likely cause."""
    hint: str = ""
    """The checker's verdict: formula, method and line, likely cause, the worst place with both values."""
    row: Row | None = None
    """The comparison that the hint is about."""
    opposite: bool = False
    """Whether it is right with the other sign at every point."""
    worth: float = 1
    """Its points."""

    @property
    def points(self) -> float:
        """Return the points earned."""
        return self.worth if self.earned else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the mark in terms that JSON knows."""
        head = {"class": self.of.kind.__name__, "quantity": self.of.symbol, "makes": self.of.makes}
        tail: dict[str, Any] = {"formula": self.of.number, "points": self.points, "worth": self.worth}
        tail |= {"code": self.code, "remark": self.remark, "hint": self.hint}
        return head | tail | {"comparison": self.row.to_dict() if self.row else None}


@dataclass(frozen=True)
class Grading:
    """All marks of a file; ``str(grading)`` is the table, the hints and the total."""

    file: str
    seed: int
    classes: tuple[str, ...]
    """Those of the classes that count which the file defines."""
    marks: tuple[Mark, ...]
    convention: str = ""
    """What there is to say once about the sign of all gradients."""
    note: str = ""
    """Why the file as a whole loses its points: it cannot be imported."""
    hints: int = 3
    """How much of it is told: see ``telling``."""

    @property
    def earned(self) -> float:
        """Return the points earned."""
        return sum(mark.points for mark in self.marks)

    @property
    def possible(self) -> float:
        """Return the points that could be earned."""
        return sum(mark.worth for mark in self.marks)

    @property
    def full(self) -> bool:
        """Tell whether no point is lost."""
        return not self.note and all(mark.earned for mark in self.marks)

    def to_dict(self) -> dict[str, Any]:
        """Return the grading in terms that JSON knows."""
        head = {"file": self.file, "seed": self.seed, "full": self.full, "note": self.note}
        head |= {"convention": self.convention}
        points = {"points": self.earned, "possible": self.possible, "classes": list(self.classes)}
        return head | points | {"marks": [mark.to_dict() for mark in self.marks]}

    @property
    def total(self) -> str:
        """Return the last line: the points, the classes that were found, and the seed."""
        every = chapters_of(mark.of.kind.__name__ for mark in self.marks)
        found = f"{len(self.classes)} of {len(every)} classes found"
        return f"{shown(self.earned)} of {shown(self.possible)} points; {found}; --seed {self.seed} repeats this."

    def __str__(self) -> str:
        """Return the table and the hints, 80 columns wide, and the total."""
        if self.note or self.hints == 0:
            return "\n".join([*([self.note] if self.note else []), self.total])
        told = [self.convention] if self.convention else []
        return "\n\n".join([self._table(), *(_filled(text) for text in [*told, *hints_of(self.marks)]), self.total])

    def _table(self) -> str:
        table, before = Table("formula", "by", "points", "remark", box=None, pad_edge=False), set[tuple[type, str]]()
        for mark in self.marks:
            again = (mark.of.kind, mark.remark) in before and len(mark.remark) > LONG
            table.add_row(str(mark.of), mark.of.number, shown(mark.points), "the same" if again else mark.remark)
            before.add((mark.of.kind, mark.remark))
        return printed(table)


def printed(table: Table) -> str:
    """Return a table as text, 80 columns wide."""
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, color_system=None, highlight=False, markup=False, force_jupyter=False)
    console.print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def shown(points: float) -> str:
    """Return points as they are written: 2, 1.5."""
    return f"{points:g}"


def hints_of(marks: Sequence[Mark]) -> list[str]:
    """Return what there is to say about the lost points: each cause once, with the other formulas that it costs."""
    causes: dict[tuple[str, str, str], list[Mark]] = {}
    for mark in marks:
        if mark.hint and mark.code != "nothing-to-read":  # which forward's own hint explains
            causes.setdefault((mark.of.kind.__name__, mark.of.method, mark.remark), []).append(mark)
    by_hint: dict[str, list[Mark]] = {}
    for found in causes.values():
        by_hint.setdefault(found[0].hint, []).extend(found)
    return [hint + _besides(others) for hint, (_, *others) in by_hint.items()]


def _besides(others: Sequence[Mark]) -> str:
    return f"\nThe same: {', '.join(str(mark.of) for mark in others)}." if others else ""


def _filled(hint: str) -> str:
    return "\n".join(textwrap.fill(line, WIDTH, break_long_words=False) for line in hint.splitlines())
