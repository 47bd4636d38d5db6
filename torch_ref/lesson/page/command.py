"""``python -m torch_ref lesson``: write the lesson, or a sheet of exercises, as one HTML file that needs no other."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch_ref.lesson.walk.options import add_network_options, whole_number

MOST_UNITS, MOST_LAYERS, HIGHEST_LR = 4, 4, 1000
"""What the page can show: units in a layer, layers with the input, and η."""

MOST_EXERCISES, HIGHEST_SHEET_SEED = 30, 2**32 - 1
"""Of a sheet; its numbers are drawn by the page's own generator, whose seeds have 32 bits."""


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
    parser.add_argument(
        "--count", type=whole_number(1, MOST_EXERCISES), metavar="N", help=f"how many, from 1 to {MOST_EXERCISES} (10)"
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    begins = parser.add_argument_group("what the page begins with, the lecture's X2 where nothing is said")
    add_network_options(
        begins,
        loss="of the random network (squared-error)",
        seed="draws the random network, the same as in compare, or the sheet (1)",
        lr="the learning rate (0.5)",
    )
    parser.set_defaults(run=run, program=parser.prog)


def run(arguments: argparse.Namespace) -> int:
    """Write the page; return 2 where that cannot be done."""
    if objection := next(_objections(arguments), None):
        return _wrong(arguments, objection)
    if arguments.out is None:
        arguments.out = "sheet.html" if arguments.sheet else "lesson.html"
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


def _objections(a: argparse.Namespace) -> Iterator[str]:
    """Yield what is wrong with the options taken together."""
    if a.count is not None and not a.sheet:
        yield "--count goes with --sheet"
    if a.sheet and (a.network or a.activation or a.loss or a.no_bias or a.lr is not None):
        yield "--sheet draws networks of its own, it goes without --network, --activation, --loss, --no-bias and --lr"
    elif a.sheet and a.seed is not None and a.seed > HIGHEST_SHEET_SEED:
        yield f"--seed expects a whole number from 0 to {HIGHEST_SHEET_SEED} with --sheet, got {a.seed}"
    elif not a.sheet:
        yield from _objections_to_network(a)


def _objections_to_network(a: argparse.Namespace) -> Iterator[str]:
    """Yield what the page could not show."""
    if a.network is None:
        if a.activation or a.loss or a.no_bias or a.lr is not None:
            yield "--activation, --loss, --no-bias and --lr go with --network"
        elif a.seed is not None:
            yield "--seed goes with --network or --sheet; nothing else is random"
        return
    shown = "-".join(map(str, a.network))
    if len(a.network) > MOST_LAYERS or max(a.network) > MOST_UNITS:
        limits = f"1 to {MOST_UNITS} units in a layer and at most {MOST_LAYERS} layers with the input"
        yield f"--network expects {limits}, more has no room on the page, got {shown}"
    if a.loss == "cross-entropy" and a.network[-1] == 1:
        yield f"--loss cross-entropy expects at least 2 outputs (a softmax of one is always 1), got {shown}"
    if a.lr is not None and a.lr > HIGHEST_LR:
        yield f"--lr expects at most {HIGHEST_LR} for the page, got {a.lr:g}"


def _written(a: argparse.Namespace) -> str:
    """Return the page, or the sheet."""
    from torch_ref.lesson.page import build, data

    seed = 1 if a.seed is None else a.seed
    if a.sheet:
        return build.sheet(data.sheet_data(seed, 10 if a.count is None else a.count))
    if a.network is None:
        return build.page(data.page_data())
    from torch_ref.lesson.walk.examples import random_example

    activation, loss = a.activation or "sigmoid", a.loss or "squared-error"
    return build.page(
        data.page_data(random_example(a.network, activation, loss, seed, a.lr or 0.5, bias=not a.no_bias))
    )


def _say(line: str) -> None:
    """Print a line; a letter that the terminal cannot write, as in a file's name, is written as a code."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))


def _wrong(arguments: argparse.Namespace, message: str) -> int:
    print(f"{arguments.program}: {message}", file=sys.stderr)
    return 2
