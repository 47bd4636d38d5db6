"""``python -m torch_ref lesson``: write the lesson, or a sheet of exercises, as one HTML file that needs no other."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "lesson",
        help="write the lesson page: the pass step by step, to project or to read",
        description="Write the lesson as one HTML file, which opens from disk and needs no internet. For its last "
        "chapter a 784-30-10 network is trained on the digits that come with the package; that takes some seconds.",
    )
    parser.add_argument(
        "--out", metavar="FILE", help="the file to write (lesson.html, or sheet.html); '-' is standard output"
    )
    parser.add_argument("--sheet", action="store_true", help="write exercises to print instead, with their solutions")
    parser.add_argument("--seed", type=int, metavar="N", help="draws the numbers of the sheet (1)")
    parser.add_argument("--count", type=int, metavar="N", help="how many exercises, from 1 to 30 (10)")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.set_defaults(run=run, program=parser.prog)


def run(arguments: argparse.Namespace) -> int:
    """Write the page; return 2 where that cannot be done."""
    if objection := next(_objections(arguments), None):
        return _wrong(arguments, objection)
    arguments.out = arguments.out or ("sheet.html" if arguments.sheet else "lesson.html")
    to_stdout = arguments.out == "-"
    if to_stdout and arguments.open:
        return _wrong(arguments, "--open expects a file, got --out -")
    if to_stdout and sys.stdout is None:
        return _wrong(arguments, "--out - expects a standard output that is open, and it is closed")
    path = Path(arguments.out)
    if not to_stdout and (not path.parent.is_dir() or (path.exists() and not path.is_file())):
        return _wrong(arguments, f"--out expects a file in a folder that exists, got {arguments.out}")

    from manual_bp.extras import missing

    if line := missing("lesson", "latex2mathml"):
        return _wrong(arguments, line)
    from manual_bp.training.run.whole_file import write_whole

    written = _written(arguments).encode()
    if to_stdout:
        sys.stdout.buffer.write(written)
        return 0
    try:
        write_whole(path, written)
    except OSError as error:
        return _wrong(arguments, str(error))
    _say(f"{arguments.out}  {len(written) / 1000:.0f} kB")
    if arguments.open and not webbrowser.open(path.absolute().as_uri()):
        _say("no browser was found: open the file yourself")
    return 0


def _objections(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield what is wrong with the options of the sheet."""
    for option, given, least, most in (
        ("--seed", arguments.seed, 0, 2**32 - 1),
        ("--count", arguments.count, 1, 30),
    ):
        if given is not None and not arguments.sheet:
            yield f"{option} goes with --sheet"
        if given is not None and not least <= given <= most:
            yield f"{option} expects a whole number from {least} to {most}, got {given}"


def _written(arguments: argparse.Namespace) -> str:
    from torch_ref.lesson.page import build, data

    if not arguments.sheet:
        return build.page(data.page_data())
    seed, count = (
        given if given is not None else usual for given, usual in ((arguments.seed, 1), (arguments.count, 10))
    )
    return build.sheet(data.sheet_data(seed, count))


def _say(line: str) -> None:
    """Print a line; a letter that the terminal cannot write, as in a file's name, is written as a code."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))


def _wrong(arguments: argparse.Namespace, message: str) -> int:
    print(f"{arguments.program}: {message}", file=sys.stderr)
    return 2
