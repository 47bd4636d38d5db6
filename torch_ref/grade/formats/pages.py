"""Pages to read: one for each student, and an index for the lecturer with the mistakes counted.

A page is one file that loads nothing and runs nothing, and says so to the browser: whatever a student's text may be, it
is shown as text. The students' pages are in a folder of their own, so that they can be handed out without the index.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from importlib import resources
from pathlib import Path

from torch_ref.grade.course import Course, Student
from torch_ref.grade.formats.plain import plain
from torch_ref.grade.grading import Grading, Mark, hints_of, shown
from torch_ref.grade.unusable import UnusableFileError

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

STUDENTS = "students"


def write(folder: Path, course: Course) -> None:
    """Write the pages of a class into a folder; raise UnusableFileError where that cannot be done."""
    pages = dict(zip(_names(course.students), course.students, strict=True))
    try:
        (folder / STUDENTS).mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text(_index(course, pages), encoding="utf-8")
        for name, student in pages.items():
            (folder / STUDENTS / name).write_text(_students(student, course.possible), encoding="utf-8")
    except OSError as error:
        raise UnusableFileError(f"{folder}: {error.strerror}") from error


def _names(students: Iterable[Student]) -> list[str]:
    """Return names of files that every system takes, no two alike where capitals do not count."""
    taken, found = set[str](), list[str]()
    for student in students:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", student.name).strip("-")[:60] or "student"
        name, i = stem, 1
        while name.lower() in taken:
            i += 1
            name = f"{stem}-{i}"
        taken.add(name.lower())
        found.append(f"{name}.html")
    return found


def _text(words: object) -> str:
    return escape(plain(str(words)))


def _page(title: str, parts: Iterable[str]) -> str:
    style = resources.files(__package__).joinpath("pages.css").read_text(encoding="utf-8")
    return PAGE.format(title=_text(title), style=style, body="\n".join(part for part in parts if part))


def _students(student: Student, possible: float) -> str:
    grading = student.grading
    earned = shown(grading.earned if grading else 0)
    note = student.note or (grading.note if grading else "")
    return _page(
        student.name,
        [
            f"<h1>{_text(student.name)}</h1>",
            f'<p class="points">{earned} of {shown(possible)} points</p>',
            f"<pre>{_text(note)}</pre>" if note else "",
            *(_details(grading) if grading and grading.hints and not grading.note else ()),
        ],
    )


def _details(grading: Grading) -> list[str]:
    hints = [*([grading.convention] if grading.convention else []), *hints_of(grading.marks)]
    head = '<tr><th>formula<th class="by">by<th class="number">points<th>remark</tr>'
    rows = "\n".join(map(_row, grading.marks))
    table = f'<table class="marks">\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table>'
    return [table, "<h2>What is wrong</h2>" if hints else "", *(f"<pre>{_text(hint)}</pre>" for hint in hints)]


def _row(mark: Mark) -> str:
    points = f"{shown(mark.points)} of {shown(mark.worth)}"
    how = "earned" if mark.earned else "lost"
    return (
        f'<tr><td>{_text(mark.of)}<td class="by">{_text(mark.of.number)}'
        f'<td class="number {how}">{"✓" if mark.earned else "✗"} {points}<td>{_text(mark.remark)}</tr>'
    )


def _index(course: Course, pages: dict[str, Student]) -> str:
    lines = "\n".join(_line(name, student, course.possible) for name, student in pages.items())
    return _page(
        "Marks of the class",
        [
            "<h1>Marks of the class</h1>",
            f'<p class="muted">{len(course.students)} files; --seed {course.seed} repeats this. '
            f"This page is the lecturer's; those in the folder {STUDENTS} are to hand out.</p>",
            f'<table>\n<thead><tr><th>student<th class="number">points<th>lost</tr></thead>\n<tbody>\n{lines}\n'
            "</tbody>\n</table>",
            _histogram(course),
            "<h2>The same code</h2>" if course.alike else "",
            *(f"<p>{_text(', '.join(names))}</p>" for names in course.alike),
        ],
    )


def _line(name: str, student: Student, possible: float) -> str:
    earned = shown(student.grading.earned if student.grading else 0)
    note = student.note or (student.grading.note if student.grading else "")
    lost = note or "; ".join(f"{mark.of}: {mark.code}" if mark.code else str(mark.of) for mark in student.lost)
    return (
        f'<tr><td><a href="{STUDENTS}/{name}">{_text(student.name)}</a>'
        f'<td class="number">{earned} of {shown(possible)}<td>{_text(lost)}</tr>'
    )


def _histogram(course: Course) -> str:
    found = course.mistakes
    if not found:
        return ""
    most, items = len(found[0].students), []
    for m in found:
        what = f"{m.formula}: {m.text or m.code or 'wrong'}" if m.formula else m.text
        width = round(100 * len(m.students) / most)
        items.append(
            f"<li>{len(m.students)} of {len(course.students)}: {_text(what)}"
            f'<span class="bar" style="width: {width}%"></span>'
            f'<span class="muted">{_text(", ".join(m.students))}</span></li>'
        )
    return '<h2>Mistakes</h2>\n<ul class="histogram">\n' + "\n".join(items) + "\n</ul>"
