"""Test files for otter-grader: a file for each class, a test case for each formula.

They are of otter's exception-based kind, and take notebooks and scripts alike: otter runs both as cells. `otter
generate` makes the autograder of them; beside them lies this package, which it takes along as a support file, and the
versions to install.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import manual_bp
import torch_ref
from torch_ref.grade.formats.assignment import Assignment
from torch_ref.grade.formats.nbgrader import name_of
from torch_ref.grade.formats.versions import requirements
from torch_ref.grade.subjects import QUESTIONS_OF, Question
from torch_ref.grade.unusable import UnusableFileError

HEAD = """OK_FORMAT = False

from otter.test_files import test_case

from torch_ref.grade.formats.hidden import assert_right

name = {name!r}
OPTIONS = {options!r}
"""

CASE = """

@test_case(name={name!r}, points={points!r}, hidden={hidden!r})
def {function}():
    assert_right({asked!r}, OPTIONS)
"""


def write(folder: Path, assignment: Assignment) -> None:
    """Write the folder of an assignment; raise UnusableFileError where that cannot be done."""
    tests = {name: [of for of in assignment.questions if of.kind.__name__ == name] for name in QUESTIONS_OF}
    try:
        (folder / "tests").mkdir(parents=True, exist_ok=True)
        for i, (name, questions) in enumerate(tests.items(), 1):
            if questions:
                text = _test_file(name, questions, assignment)
                (folder / "tests" / f"{i}_{name}.py").write_text(text, encoding="utf-8")
        (folder / "requirements.txt").write_text(requirements(assignment.index), encoding="utf-8")
        for name, text in assignment.files().items():
            (folder / name).write_text(text, encoding="utf-8")
        for package in (manual_bp, torch_ref):
            _copied(Path(str(package.__file__)).parent, folder)
    except OSError as error:
        raise UnusableFileError(f"{error.filename or folder}: {error.strerror}") from error


def _test_file(name: str, questions: list[Question], assignment: Assignment) -> str:
    head = HEAD.format(name=name, options=shlex.join(assignment.words))
    return head + "".join(
        CASE.format(
            name=str(of), points=assignment.points(of), hidden=assignment.hints == 0,
            function=f"test_{of.makes}", asked=name_of(of),
        )
        for of in questions
    )  # fmt: skip


def _copied(package: Path, folder: Path) -> None:
    """Copy the sources of a package."""
    for file in package.rglob("*.py"):
        copy = folder / file.relative_to(package.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
