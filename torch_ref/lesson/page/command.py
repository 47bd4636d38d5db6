"""``python -m torch_ref lesson``: write the lesson as one HTML file that needs no other."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path
from typing import Any

from torch_ref.lesson.walk.options import add_network_options

MOST_UNITS, MOST_LAYERS, HIGHEST_LR = 4, 4, 1000
"""What the page can show: units in a layer, layers with the input, and η."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "lesson",
        help="write the lesson page: the pass step by step, to project or to read",
        description="Write the lesson as one HTML file, which opens from disk and needs no internet. For its last "
        "chapter a 784-30-10 network is trained on the digits that come with the package; that takes some seconds.",
    )
    parser.add_argument(
        "--out", metavar="FILE", default="lesson.html", help="the file to write (lesson.html); '-' is standard output"
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    begins = parser.add_argument_group("what the page begins with, the lecture's X2 where nothing is said")
    add_network_options(
        begins,
        loss="of the random network (squared-error)",
        seed="draws the random network, the same as in compare (1)",
        lr="the learning rate (0.5)",
    )
    parser.set_defaults(run=run, program=parser.prog)


def run(arguments: argparse.Namespace) -> int:
    """Write the page; return 2 where that cannot be done."""
    to_stdout = arguments.out == "-"
    if to_stdout and arguments.open:
        return _wrong(arguments, "--open expects a file, got --out -")
    if to_stdout and sys.stdout is None:
        return _wrong(arguments, "--out - expects a standard output that is open, and it is closed")
    path = Path(arguments.out)
    if not to_stdout and (not path.parent.is_dir() or (path.exists() and not path.is_file())):
        return _wrong(arguments, f"--out expects a file in a folder that exists, got {arguments.out}")

    if objection := _objection_to_network(arguments):
        return _wrong(arguments, objection)

    from manual_bp.extras import missing

    if line := missing("lesson", "latex2mathml"):
        return _wrong(arguments, line)
    from manual_bp.training.run.whole_file import write_whole
    from torch_ref.lesson.page.build import page
    from torch_ref.lesson.page.data import page_data

    written = page(page_data(_opening(arguments))).encode()
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


def _objection_to_network(a: argparse.Namespace) -> str | None:
    """Say which network the page could not show."""
    if a.network is None:
        alone = a.activation or a.loss or a.no_bias or a.seed is not None or a.lr is not None
        return "--activation, --loss, --no-bias, --seed and --lr go with --network" if alone else None
    shown = "-".join(map(str, a.network))
    if len(a.network) > MOST_LAYERS or max(a.network) > MOST_UNITS:
        limits = f"1 to {MOST_UNITS} units in a layer and at most {MOST_LAYERS} layers with the input"
        return f"--network expects {limits}, more has no room on the page, got {shown}"
    if a.loss == "cross-entropy" and a.network[-1] == 1:
        return f"--loss cross-entropy expects at least 2 outputs (a softmax of one is always 1), got {shown}"
    if a.lr is not None and a.lr > HIGHEST_LR:
        return f"--lr expects at most {HIGHEST_LR} for the page, got {a.lr:g}"
    return None


def _opening(a: argparse.Namespace) -> Any:
    """Return the random example that the page begins with; None for the lecture's."""
    if a.network is None:
        return None
    from torch_ref.lesson.walk.examples import random_example

    seed, lr = 1 if a.seed is None else a.seed, a.lr or 0.5
    loss = a.loss or "squared-error"
    return random_example(a.network, a.activation or "sigmoid", loss, seed, lr, bias=not a.no_bias)


def _say(line: str) -> None:
    """Print a line; a letter that the terminal cannot write, as in a file's name, is written as a code."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))


def _wrong(arguments: argparse.Namespace, message: str) -> int:
    print(f"{arguments.program}: {message}", file=sys.stderr)
    return 2
