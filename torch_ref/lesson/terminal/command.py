"""The command: python -m torch_ref compare. Both engines side by side, one number after the other."""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch_ref.lesson.terminal.options import add_options, objections, phases
from torch_ref.lesson.terminal.pager import show

if TYPE_CHECKING:
    from torch_ref.lesson.terminal.printout import Printout
    from torch_ref.lesson.terminal.sheet import Look
    from torch_ref.lesson.walk.examples import Example

NARROWEST, WIDEST = 60, 100
UNICODE = "σδ∂η−·½²′ᵀΣ⊙×‖←✗█▀▄"

DESCRIPTION = """Walk through one pass and one update of a network: forward, loss, backward, gradients, update. Each
number is shown with its equation, its formula in symbols and with the numbers put in, its value by hand and by
autograd, and the difference in units in the last place (ulp). Without options this is X2, the worked example of the
lecture, with the numbers that its slides print. A network of more than 9 units in a layer, or of more than 200 numbers,
is walked through tensor by tensor. Numbers are float64; those of a digit are float32."""

EPILOG = """Exit code 0 where hand and autograd agree, 1 where they do not, 2 for arguments that are wrong.
NO_COLOR=1 turns the colours off; in a pipe there are none."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``python -m torch_ref``."""
    parser = subparsers.add_parser(
        "compare", help="both engines side by side, number by number", description=DESCRIPTION, epilog=EPILOG
    )
    add_options(parser)
    parser.set_defaults(run=run, program=parser.prog)


def run(arguments: argparse.Namespace) -> int:
    """Print the walk; return 0 where the two engines agree, 1 where they do not, 2 for options that do not fit."""
    if objection := next(objections(arguments), None):
        return _refused(arguments, objection)
    from torch_ref.lesson.terminal.sheet import Look
    from torch_ref.lesson.walk.planting import UnshownFaultError
    from torch_ref.lesson.walk.training import UntrainableError

    plain = arguments.plain or not _takes_unicode()
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    try:
        printouts = [_printout(arguments, example, Look(width, plain)) for example in _examples(arguments)]
    except UnshownFaultError as error:
        return _refused(arguments, str(error))
    except UntrainableError as error:
        return _refused(arguments, f"{error}; --untrained walks through the network as it is drawn")
    text = _json(printouts, ascii_only=plain) if arguments.json else _lines(printouts, plain=plain)
    show(text) if arguments.pager else print(text, end="")
    return 0 if all(printout.agrees for printout in printouts) else 1


def _printout(arguments: argparse.Namespace, example: Example, look: Look) -> Printout:
    from torch_ref.lesson.terminal import printout
    from torch_ref.lesson.walk import planting

    if arguments.on_paper:
        return printout.on_paper(example, look, phases(arguments))
    if arguments.fault == "list":
        return printout.listed(example, look)
    planted = None
    if arguments.fault == "random":
        planted = planting.drawn(example, _seed(arguments))
    elif arguments.fault is not None:
        planted = planting.planted(example, planting.fault_named(arguments.fault), arguments.layer)
    if arguments.steps is not None:
        return printout.repeated(example, planted, arguments.steps, look)
    return printout.walked(example, planted, look, phases(arguments))


def _examples(arguments: argparse.Namespace) -> Iterator[Example]:
    """Yield what the arguments ask for: one example, or both inputs of X1."""
    from manual_bp.lecture import X2_LEARNING_RATE
    from torch_ref.lesson.walk import examples
    from torch_ref.lesson.walk.options import CONVOLUTIONAL
    from torch_ref.lesson.walk.size import is_walkable

    seed, activation, loss = _seed(arguments), arguments.activation or "sigmoid", arguments.loss or "squared-error"
    lr, bias = arguments.lr or 0.5, not arguments.no_bias
    if arguments.data:
        reader = examples.reader(
            tuple(arguments.network or (784, 30, 10)),
            activation,
            loss,
            seed,
            bias=bias,
            is_trained=not arguments.untrained,
        )
        yield examples.digit(arguments.index or 0, reader, lr)
    elif arguments.network == CONVOLUTIONAL:
        yield examples.of_images(activation, loss, seed, lr, bias=bias)
    elif arguments.network:
        few = is_walkable(arguments.network, bias=bias)
        draw = examples.random_example if few else examples.large_example
        yield draw(arguments.network, activation, loss, seed, lr, bias=bias)
    elif arguments.example == "X1":
        yield from map(examples.x1, [arguments.input] if arguments.input else [1, 2])
    else:
        yield examples.x2(arguments.lr or X2_LEARNING_RATE)


def _seed(arguments: argparse.Namespace) -> int:
    return 1 if arguments.seed is None else int(arguments.seed)


def _lines(printouts: list[Printout], *, plain: bool) -> str:
    """Return the lines, in colours where standard output is a terminal that has them."""
    from rich.console import Console
    from rich.text import Text

    lines = [line for printout in printouts for line in [Text(), Text(), *printout.lines]][2:]
    terminal, text = Console(), io.StringIO()
    coloured = terminal.is_terminal and terminal.color_system is not None and not plain
    console = Console(
        file=text,
        color_system="standard" if coloured else None,
        force_terminal=coloured,
        no_color=terminal.no_color,
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    return text.getvalue()  # not printed by rich, which would answer a closed pipe in its own way


def _json(printouts: list[Printout], *, ascii_only: bool) -> str:
    from torch_ref.verdict.row import jsonable

    walks = {"walks": [jsonable(printout.document) for printout in printouts]}
    return json.dumps(walks, ensure_ascii=ascii_only, allow_nan=False, indent=1) + "\n"


def _takes_unicode() -> bool:
    """Tell whether standard output's encoding has every character of a walk."""
    try:
        UNICODE.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _refused(arguments: argparse.Namespace, objection: str) -> int:
    print(f"{arguments.program}: error: {objection}", file=sys.stderr)
    return 2
