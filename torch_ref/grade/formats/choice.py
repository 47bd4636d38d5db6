"""The options of ``grade`` for course systems: which go together, and what each writes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch_ref.grade.course import Course

OF_MARKS = ("junit", "gradescope")
"""Formats of marks: they need files to grade."""

OF_ASSIGNMENTS = ("otter", "nbgrader")
"""Formats of an assignment, which the course system grades."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--format", choices=[*OF_MARKS, *OF_ASSIGNMENTS],
        help="for a course system: marks as JUnit's XML or Gradescope's results.json (of one submission); or, without "
        "a FILE, an assignment for otter-grader (a folder) or nbgrader (a notebook)",
    )  # fmt: skip
    parser.add_argument("--out", metavar="PATH", help="where --format writes; - for standard output, alone (-)")
    parser.add_argument(
        "--gradescope-zip", type=Path, metavar="FILE", help="write Gradescope's autograder, with these options"
    )
    parser.add_argument(
        "--index", type=_address, metavar="URL",
        help="of an assignment: where pip finds torch for the CPU alone (see the README)",
    )  # fmt: skip
    parser.add_argument("--html", type=Path, metavar="DIR", help="write a page for each student, and an index")


def makes_assignment(arguments: argparse.Namespace) -> bool:
    """Tell whether an assignment is made, and nothing graded."""
    return arguments.gradescope_zip is not None or arguments.format in OF_ASSIGNMENTS


def complaint(arguments: argparse.Namespace) -> str:
    """Return what is wrong with the options together, and how to mend it; '' where they fit."""
    a = arguments
    what = "--gradescope-zip" if a.gradescope_zip is not None else f"--format {a.format}"
    written = [f"--{name}" for name in ("json", "csv", "html") if getattr(a, name) is not None]
    if a.out is not None and a.format is None:
        return "--out is where --format writes: expected --format too"
    if a.index and a.gradescope_zip is None and a.format != "otter":
        return "--index is of what installs torch: expected --gradescope-zip or --format otter too"
    if a.gradescope_zip is not None and a.format:
        return f"--gradescope-zip is a format of its own: leave out --format {a.format}"
    if makes_assignment(a):
        if a.files:
            return f"{what} makes an assignment and grades nothing: expected no FILE"
        if written:
            return f"{what} makes an assignment and grades nothing: leave out {', '.join(written)}"
        if a.format in OF_ASSIGNMENTS and (a.network or "network" in (a.chapter or ())):
            return f"{what} asks for classes, not for a whole network: use --gradescope-zip"
        if a.format == "otter" and a.out in (None, "-"):
            return "--format otter writes a folder: expected --out DIR"
        return ""
    if a.template and (a.format or a.html is not None):
        return f"--template prints a file to fill in: leave out {'--html' if a.html is not None else what}"
    if a.format == "gradescope" and len(a.files) > 1:
        return f"--format gradescope is of one submission: expected one FILE or folder, got {len(a.files)}"
    to_standard_output = [f"--{name} -" for name in ("json", "csv") if getattr(a, name) == "-"]
    if a.format and a.out in (None, "-") and to_standard_output:
        return f"only one of {to_standard_output[0]} and --format {a.format} can be on standard output: name a file"
    return ""


def fills_standard_output(arguments: argparse.Namespace) -> bool:
    """Tell whether a format of marks is on standard output, where nothing else may be."""
    return arguments.format is not None and arguments.out in (None, "-")


def the_file(arguments: argparse.Namespace) -> Path:
    """Return the one file to grade; raise UnusableFileError where a submission has none, or more than one."""
    from torch_ref.grade.formats import gradescope

    file: Path = arguments.files[0]
    return gradescope.the_file(file) if arguments.format == "gradescope" else file


def write(arguments: argparse.Namespace, course: Course, seconds: float) -> None:
    """Write the marks in the formats that were asked for; raise UnusableFileError where that cannot be done."""
    from torch_ref.grade.formats import gradescope, junit, pages

    if arguments.html is not None:
        pages.write(arguments.html, course)
    if arguments.format == "junit":
        _put(arguments.out, junit.text(course))
    elif arguments.format == "gradescope":
        _put(arguments.out, gradescope.text(course, seconds))


def make(arguments: argparse.Namespace, options: Mapping[str, Any], worth: Any) -> None:
    """Write an assignment; ``options`` are those of ``grade``. Raises UnusableFileError where it cannot be written."""
    from torch_ref.grade.formats import archive, nbgrader, otter
    from torch_ref.grade.formats.assignment import Assignment

    assignment = Assignment(options, arguments.hints, worth, arguments.template or "torch", arguments.index or "")
    if arguments.gradescope_zip is not None:
        archive.write(arguments.gradescope_zip, assignment, arguments.points)
        print(f"{arguments.gradescope_zip}: upload it as the autograder; --seed {options['seed']} is in it")
    elif arguments.format == "otter":
        otter.write(Path(arguments.out), assignment)
    else:
        _put(arguments.out, nbgrader.text(assignment))


def _address(text: str) -> str:
    """Return the address of a package index."""
    if not text.startswith(("https://", "http://")) or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"expected an address as https://..., got {text}")
    return text


def _put(out: str | None, text: str) -> None:
    """Write a text to a file, or to standard output; raise UnusableFileError where that cannot be done."""
    from torch_ref.grade.unusable import UnusableFileError

    if out in (None, "-"):
        sys.stdout.write(text)
        return
    try:
        Path(str(out)).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnusableFileError(f"{out}: {error.strerror}") from error
