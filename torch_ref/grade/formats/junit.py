"""JUnit's XML: a testsuite for each student, a testcase for each formula.

It fulfils the strictest of its published schemas, that of Ant's reports: every attribute and every child of a testsuite
is there, in order. A file that cannot be run, or read, is an error; any other lost point is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from xml.etree import ElementTree as Xml

from torch_ref.grade.course import Course, Student
from torch_ref.grade.formats.plain import plain
from torch_ref.grade.grading import Mark, shown


def text(course: Course) -> str:
    """Return the marks of a class as XML."""
    root, now = Xml.Element("testsuites"), datetime.now().isoformat(timespec="seconds")
    for i, student in enumerate(course.students):
        root.append(_suite(i, student, course, now))
    Xml.indent(root)
    written: bytes = Xml.tostring(root, encoding="US-ASCII", xml_declaration=True)  # which any terminal can write
    return written.decode() + "\n"


def _suite(i: int, student: Student, course: Course, now: str) -> Xml.Element:
    cases = list(_cases(student))
    count = {kind: str(sum(case.find(kind) is not None for case in cases)) for kind in ("failure", "error")}
    suite = Xml.Element(
        "testsuite",
        name=plain(student.name), package=plain(student.file), id=str(i), timestamp=now, hostname="localhost",
        tests=str(len(cases)), failures=count["failure"], errors=count["error"], time="0",
    )  # fmt: skip
    properties = Xml.SubElement(suite, "properties")
    earned = student.grading.earned if student.grading else 0
    for name, value in {"points": shown(earned), "possible": shown(course.possible), "seed": course.seed}.items():
        Xml.SubElement(properties, "property", name=name, value=str(value))
    suite.extend(cases)
    Xml.SubElement(suite, "system-out").text = plain(student.grading.convention if student.grading else "")
    Xml.SubElement(suite, "system-err").text = plain(student.note or (student.grading.note if student.grading else ""))
    return suite


def _cases(student: Student) -> Iterator[Xml.Element]:
    if student.grading is None:
        case = Xml.Element("testcase", name="file", classname="file", time="0")
        Xml.SubElement(case, "error", type="unusable", message=plain(student.note))
        yield case
        return
    for mark in student.grading.marks:
        case = Xml.Element("testcase", name=str(mark.of), classname=mark.of.kind.__name__, time="0")
        if not mark.earned:
            kind = "error" if student.grading.note else "failure"
            Xml.SubElement(case, kind, type=mark.code or "wrong", message=plain(_message(mark))).text = plain(mark.hint)
        yield case


def _message(mark: Mark) -> str:
    points = f"{shown(mark.points)} of {shown(mark.worth)} points"
    return f"{points}: {mark.remark}" if mark.remark else points
