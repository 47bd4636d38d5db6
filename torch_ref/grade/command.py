"""The command: python -m torch_ref grade student.py."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manual_bp.letters import codes_in_json

if TYPE_CHECKING:
    from torch_ref.grade.grading import Grading

DESCRIPTION = """Grade the formulas of a student's file, each on its own, at hidden numbers: a point for each that is
right at all of them, a hint for each that is not. Exit code 0 for full marks, 1 for less, 2 where there is nothing to
grade. Time and memory are limited, and the file runs in a process of its own, but this is no sandbox: do not run a
file that you would not run yourself."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``python -m torch_ref``."""
    parser = subparsers.add_parser("grade", help="grade somebody's own formulas", description=DESCRIPTION)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", nargs="?", type=Path, help="defines any of the six classes of the template")
    what.add_argument("--template", action="store_true", help="print a file to fill in, and exit")
    parser.add_argument("--seed", type=int, help="draws the hidden numbers; a new one each time unless given")
    parser.add_argument("--time-limit", type=_positive, default=10.0, metavar="SECONDS", help="of a formula (10)")
    parser.add_argument("--memory-limit", type=_whole, default=1024, metavar="MIB", help="of a formula (1024)")
    parser.add_argument(
        "--only",
        "--require",
        nargs="+",
        type=_class_name,
        metavar="CLASS",
        help="the classes that count (all six); one that is absent costs its points",
    )
    parser.add_argument(
        "--sign",
        choices=["lecture", "either"],
        default="lecture",
        help="either: gradients that are +∂L/∂net throughout cost nothing (lecture)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the outcome as JSON; - for standard output, alone")
    parser.set_defaults(run=run, program=parser.prog)


def run(arguments: argparse.Namespace) -> int:
    """Grade a file or print the template; return the exit code."""
    from torch_ref.grade import template
    from torch_ref.grade.students_file import UnusableFileError

    if arguments.template:
        sys.stdout.write(Path(template.__file__).read_text(encoding="utf-8"))
        return 0
    try:
        grading = _graded(arguments)
    except UnusableFileError as error:
        print(f"{arguments.program}: {error}", file=sys.stderr)
        return 2
    return _written(grading, arguments) or (0 if grading.full else 1)


def _graded(arguments: argparse.Namespace) -> Grading:
    from rich.console import Console

    from torch_ref.grade.grader import grade
    from torch_ref.grade.process import Limits, memory_can_be_limited
    from torch_ref.grade.subjects import QUESTIONS_OF

    seed = arguments.seed if arguments.seed is not None else int.from_bytes(os.urandom(4))
    limits = Limits(arguments.time_limit, arguments.memory_limit)
    if not memory_can_be_limited():
        print("This system limits no memory: --memory-limit has no effect.", file=sys.stderr)
    given: dict[str, Any] = {"only": arguments.only or QUESTIONS_OF, "sign": arguments.sign}
    console = Console(stderr=True)
    if not console.is_terminal:
        return grade(arguments.file, seed, limits, **given)
    with console.status("starting") as status:
        return grade(arguments.file, seed, limits, advance=lambda of: status.update(str(of)), **given)


def _written(grading: Grading, arguments: argparse.Namespace) -> int:
    """Print the outcome and write it as JSON; return 2 where that cannot be written, else 0."""
    json_file = arguments.json
    code_letters = json_file == "-" and codes_in_json(sys.stdout)  # in a file it is always UTF-8
    written = json.dumps(grading.to_dict(), ensure_ascii=code_letters, indent=2) + "\n"
    print(written if json_file == "-" else grading, end="" if json_file == "-" else "\n")
    if json_file in (None, "-"):
        return 0
    try:
        Path(json_file).write_text(written, encoding="utf-8")
    except OSError as error:
        print(f"{arguments.program}: {json_file}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


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
    value = int(text)
    if not 0 < value < 1 << 20:
        raise argparse.ArgumentTypeError(f"expected a whole number of MiB above 0, got {text}")
    return value
