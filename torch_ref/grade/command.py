"""The command: python -m torch_ref grade student.py, or a folder of a whole class."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manual_bp.letters import codes_in_json
from torch_ref.grade.formats import choice

if TYPE_CHECKING:
    from torch_ref.grade.course import Course
    from torch_ref.grade.grading import Grading

CHAPTERS = ("lecture", "convolution", "norm", "recurrent", "network")
"""Those of ``subjects.CHAPTERS``, which takes a second to import."""

DESCRIPTION = """Grade the formulas of a student's file, each on its own, at hidden numbers: a point for each that is
right at all of them, a hint for each that is not. A folder, or several files, are graded as a class: a line for each
student, and the mistakes counted. Exit code 0 for full marks (of a class: when it is done), 1 for less, 2 where there
is nothing to grade. Time and memory are limited, and a file runs in a process of its own, but this is no sandbox: do
not run a file that you would not run yourself."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``python -m torch_ref``."""
    parser = subparsers.add_parser("grade", help="grade somebody's own formulas", description=DESCRIPTION)
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE",
        help="defines the classes of the template; or a folder of such files",
    )  # fmt: skip
    parser.add_argument(
        "--template", nargs="?", const="torch", choices=["torch", "numpy"], help="print a file to fill in, and exit"
    )
    parser.add_argument(
        "--chapter", nargs="+", choices=CHAPTERS, metavar="CHAPTER",
        help=f"what counts, or what the template is of (lecture): {', '.join(CHAPTERS)}",
    )  # fmt: skip
    parser.add_argument(
        "--network", type=Path, metavar="FILE", help="of the chapter network: your own, a forward(x, t, ...) and SHAPES"
    )
    parser.add_argument("--seed", type=int, help="draws the hidden numbers; a new one each time unless given")
    parser.add_argument("--time-limit", type=_positive, default=10.0, metavar="SECONDS", help="of a formula (10)")
    parser.add_argument("--memory-limit", type=_whole, default=1024, metavar="MIB", help="of a formula (1024)")
    parser.add_argument(
        "--only", "--require", nargs="+", type=_class_name, metavar="CLASS",
        help="the classes that count (all of the chapter); one that is absent costs its points",
    )  # fmt: skip
    parser.add_argument(
        "--sign", choices=["lecture", "either"], default="lecture",
        help="either: gradients that are +∂L/∂net throughout cost nothing (lecture)",
    )  # fmt: skip
    parser.add_argument(
        "--hints", type=int, choices=range(4), default=3,
        help="0: the points alone; 1: which formulas are wrong; 2: where; 3: the likely cause (3)",
    )  # fmt: skip
    parser.add_argument("--points", type=Path, metavar="FILE", help='JSON: {"Linear": 1, "Linear weight": 3, ...}')
    parser.add_argument("--json", metavar="FILE", help="write the outcome as JSON; - for standard output, alone")
    parser.add_argument(
        "--csv", metavar="FILE", help="of a class: write a line for each student; - for standard output"
    )
    parser.add_argument("--jobs", type=_whole, default=1, metavar="N", help="of a class: files graded at a time (1)")
    choice.add_options(parser)
    parser.set_defaults(run=run, program=parser.prog, complain=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Grade a file or a class, or print the template; return the exit code."""
    makes = choice.makes_assignment(arguments)
    if not makes and bool(arguments.template) == bool(arguments.files):
        arguments.complain("expected a file or folder to grade, or --template")
    if wrong := choice.complaint(arguments):
        arguments.complain(wrong)
    from torch_ref.grade import templates
    from torch_ref.grade.process import NotStartedError
    from torch_ref.grade.unusable import UnusableFileError

    if arguments.network:
        arguments.chapter = list(dict.fromkeys([*(arguments.chapter or ()), "network"]))
    if arguments.template and not makes:
        chapter, *others = arguments.chapter or ["lecture"]
        if others:
            arguments.complain("--template prints that of one chapter at a time")
        try:
            sys.stdout.write(templates.text(arguments.template, chapter, arguments.network))
        except UnusableFileError as error:
            print(f"{arguments.program}: {error}", file=sys.stderr)
            return 2
        return 0
    is_class = len(arguments.files) > 1 or any(f.is_dir() and arguments.format != "gradescope" for f in arguments.files)
    if arguments.csv and not is_class:
        arguments.complain("--csv is a table of a class: expected a folder or several files")
    try:
        if makes:
            choice.make(arguments, *_options(arguments))
            return 0
        return _class(arguments) if is_class else _one(arguments)
    except (UnusableFileError, NotStartedError) as error:
        print(f"{arguments.program}: {error}", file=sys.stderr)
        return 2


def _one(arguments: argparse.Namespace) -> int:
    from torch_ref.grade.course import Course, Student
    from torch_ref.grade.telling import told
    from torch_ref.grade.unusable import UnusableFileError
    from torch_ref.grade.worth import weighed

    began, (options, worth) = time.perf_counter(), _options(arguments)
    file, grading, note = arguments.files[0], None, ""
    try:
        file = choice.the_file(arguments)
        grading = told(weighed(_graded(file, options), worth), arguments.hints)
    except UnusableFileError as error:
        if arguments.format != "gradescope":  # there the student reads it in the results, or nowhere
            raise
        note = str(error)
    course = Course(options["seed"], _possible(options, worth), (Student(file.stem, str(file), grading, note),))
    failed = _written(grading or course, arguments, course, time.perf_counter() - began)
    return failed or (0 if grading and grading.full else 1)


def _graded(file: Path, options: dict[str, Any]) -> Grading:
    """Return the marks of one file; a terminal shows which formula is at work."""
    from torch_ref.grade.grader import grade

    console = _stderr()
    if not console.is_terminal:
        return grade(file, **options)
    with console.status("starting") as status:
        return grade(file, advance=lambda of: status.update(str(of)), **options)


def _possible(options: dict[str, Any], worth: Any) -> float:
    """Return the points that a file can earn."""
    from torch_ref.grade.subjects import QUESTIONS_OF

    possible: float = sum(worth.get(of, 1) for name in options["only"] for of in QUESTIONS_OF[name])
    return possible


def _class(arguments: argparse.Namespace) -> int:
    from rich.progress import Progress

    from torch_ref.grade import templates
    from torch_ref.grade.course import Course, Student
    from torch_ref.grade.pool import graded
    from torch_ref.grade.submissions import alike, submissions
    from torch_ref.grade.telling import told
    from torch_ref.grade.worth import weighed

    began, (options, worth) = time.perf_counter(), _options(arguments)
    found = submissions(arguments.files)
    with Progress(console=_stderr(), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("grading", total=len(found))
        outcomes = graded([one.path for one in found], options, arguments.jobs, lambda *_: progress.advance(task))
    students = []
    for one, outcome in zip(found, outcomes, strict=True):
        grading = None if isinstance(outcome, str) else told(weighed(outcome, worth), arguments.hints)
        note = outcome if isinstance(outcome, str) else ""
        students.append(Student(one.name, str(one.path), grading, note))
    course = Course(
        options["seed"],
        _possible(options, worth),
        tuple(students),
        tuple(map(tuple, alike(found, templates.every()))),
    )
    return _written(course, arguments, course, time.perf_counter() - began)


def _stderr() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _options(arguments: argparse.Namespace) -> tuple[dict[str, Any], Any]:
    """Return the options of ``grade``, and the points of each formula."""
    from torch_ref.grade import worth
    from torch_ref.grade.process import Limits, memory_can_be_limited
    from torch_ref.grade.subjects import QUESTIONS_OF, ask_for
    from torch_ref.grade.whole_network import read as read_network

    if not memory_can_be_limited():
        print("This system limits no memory: --memory-limit has no effect.", file=sys.stderr)
    ask_for(read_network(arguments.network))
    options = {
        "seed": arguments.seed if arguments.seed is not None else int.from_bytes(os.urandom(4)),
        "limits": Limits(arguments.time_limit, arguments.memory_limit),
        "only": tuple(name for name in QUESTIONS_OF if name in _counted(arguments)),
        "sign": arguments.sign,
        "network": arguments.network,
    }
    return options, worth.read(arguments.points) if arguments.points else {}


def _counted(arguments: argparse.Namespace) -> set[str]:
    """Return the classes that count."""
    from torch_ref.grade.subjects import CHAPTERS as CLASSES

    chapters = arguments.chapter or ([] if arguments.only else ["lecture"])
    return {*(arguments.only or ()), *(name for chapter in chapters for name in CLASSES[chapter])}


def _written(outcome: Grading | Course, arguments: argparse.Namespace, course: Course, seconds: float) -> int:
    """Print the outcome and write it in all formats; return 2 where a file cannot be written, else 0."""
    files = {arguments.json: _as_json, arguments.csv: _as_csv}
    choice.write(arguments, course, seconds)
    if "-" not in files and not choice.fills_standard_output(arguments):
        print(outcome)
    for file, text in files.items():
        if file == "-":
            print(text(outcome, sys.stdout), end="")
        elif file is not None:
            try:
                Path(file).write_text(text(outcome, None), encoding="utf-8")
            except OSError as error:
                print(f"{arguments.program}: {file}: {error.strerror}", file=sys.stderr)
                return 2
    return 0


def _as_json(outcome: Any, stream: Any) -> str:
    code_letters = stream is not None and codes_in_json(stream)  # in a file it is always UTF-8
    return json.dumps(outcome.to_dict(), ensure_ascii=code_letters, indent=2) + "\n"


def _as_csv(outcome: Any, _: Any) -> str:
    text: str = outcome.to_csv()
    return text


def _class_name(text: str) -> str:
    """Return the name of a class that is graded; imported only where somebody requires one."""
    from torch_ref.grade.subjects import QUESTIONS_OF

    if text not in QUESTIONS_OF:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(QUESTIONS_OF)}, got {text}")
    return text


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text}")
    return value


def _whole(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if not 0 < value < 1 << 20:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text}")
    return value
