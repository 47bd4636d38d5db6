"""The command: python -m torch_ref compare. Both engines side by side, one number after the other."""

from __future__ import annotations

import argparse
import io
import json
import math
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch_ref.lesson.terminal.outcomes import Outcome
    from torch_ref.lesson.terminal.terminal import Look
    from torch_ref.lesson.walk.examples import Example

NARROWEST, WIDEST = 60, 100
UNICODE = "σδ∂η−·½²′ᵀΣ‖←✗█▀▄"
MOST_WEIGHTS = 2_000_000

DESCRIPTION = """Walk through one pass and one update of a network: forward, loss, backward, gradients, update. Each
number stands there with its equation, its formula in symbols and with the numbers put in, its value by hand and by
autograd, and the difference in units in the last place (ulp). Without options this is X2, the worked example of the
lecture, with the numbers that its slides print. A network of more than 9 units in a layer, or of more than 200 numbers,
is walked through tensor by tensor. Numbers are float64; those of a digit are float32."""

EPILOG = """Exit code 0 where hand and autograd agree, 1 where they do not, 2 for arguments that are wrong.
NO_COLOR=1 leaves the colours out; in a pipe there are none."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``python -m torch_ref``."""
    parser = subparsers.add_parser(
        "compare", help="both engines side by side, number by number", description=DESCRIPTION, epilog=EPILOG
    )
    what = parser.add_argument_group("what to walk through")
    what.add_argument("--example", choices=("X1", "X2"), help="of the lecture (X2); X1 is forward only")
    what.add_argument("--input", type=int, choices=(1, 2), help="of X1; both unless given")
    what.add_argument("--network", type=_sizes, metavar="SIZES", help="a random network, 3-4-2 for example")
    what.add_argument("--activation", choices=("sigmoid", "tanh", "relu"), help="of the random network (sigmoid)")
    what.add_argument(
        "--loss", choices=("squared-error", "cross-entropy"), help="squared-error; cross-entropy of a digit"
    )
    what.add_argument("--no-bias", action="store_true", help="of the random network")
    what.add_argument("--data", choices=("mnist5k",), help="a digit through 784-30-10, or a --network 784-...-10")
    what.add_argument("--index", type=_whole(0, 999), metavar="N", help="of the digit, from 0 to 999 (0)")
    what.add_argument(
        "--seed", type=_whole(0, 2**63 - 1), metavar="N", help="draws the random network, or the random fault (1)"
    )
    what.add_argument("--lr", type=_rate, metavar="ETA", help="the learning rate (0.5; X2: 1)")
    how = parser.add_argument_group("how")
    how.add_argument("--steps", type=_whole(1, 10_000), metavar="N", help="just repeat: a table of N updates")
    how.add_argument("--by-hand", action="store_true", help="in arithmetic on paper, rounded and carried on rounded")
    how.add_argument(
        "--fault",
        metavar="NAME",
        help="spot the bug: plant this fault, or one that is 'random'; 'list' shows which there are",
    )
    how.add_argument(
        "--layer", type=_whole(1, 1000), metavar="L", help="where to plant it (the first layer that shows it)"
    )
    how.add_argument("--json", action="store_true", help="print JSON: numbers in full precision, or summaries")
    how.add_argument("--plain", action="store_true", help="print ASCII without colours")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the walk; return 0 where the two engines agree, 1 where they do not, 2 for options that do not fit."""
    if objection := next(_objections(arguments), None):
        return _refused(objection)
    from torch_ref.lesson.terminal.terminal import Look
    from torch_ref.lesson.walk.planting import UnshownFaultError

    plain = arguments.plain or not _takes_unicode()
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    try:
        outcomes = [_outcome(arguments, example, Look(width, plain)) for example in _examples(arguments)]
    except UnshownFaultError as error:
        return _refused(str(error))
    _print_json(outcomes, ascii_only=plain) if arguments.json else _print_lines(outcomes, plain=plain)
    return 0 if all(outcome.agrees for outcome in outcomes) else 1


def _outcome(arguments: argparse.Namespace, example: Example, look: Look) -> Outcome:
    from torch_ref.lesson.terminal import outcomes
    from torch_ref.lesson.walk import planting

    if arguments.by_hand:
        return outcomes.calculated(example, look)
    if arguments.fault == "list":
        return outcomes.listed(example, look)
    planted = None
    if arguments.fault == "random":
        planted = planting.drawn(example, _seed(arguments))
    elif arguments.fault is not None:
        planted = planting.planted(example, planting.fault_named(arguments.fault), arguments.layer)
    if arguments.steps is not None:
        return outcomes.iterated(example, planted, arguments.steps, look)
    return outcomes.walked(example, planted, look)


def _examples(arguments: argparse.Namespace) -> Iterator[Example]:
    """Yield what the arguments ask for: one example, or both inputs of X1."""
    from manual_bp.lecture import X2_LEARNING_RATE
    from torch_ref.lesson.walk import examples
    from torch_ref.lesson.walk.walk import is_walkable

    seed, activation = _seed(arguments), arguments.activation or "sigmoid"
    lr, bias = arguments.lr or 0.5, not arguments.no_bias
    if arguments.data:
        sizes, loss = arguments.network or [784, 30, 10], arguments.loss or "cross-entropy"
        yield examples.digit(arguments.index or 0, sizes, activation, loss, seed, lr, bias=bias)
    elif arguments.network:
        few = is_walkable(arguments.network, bias=bias)
        draw = examples.random_example if few else examples.large_example
        yield draw(arguments.network, activation, arguments.loss or "squared-error", seed, lr, bias=bias)
    elif arguments.example == "X1":
        yield from map(examples.x1, [arguments.input] if arguments.input else [1, 2])
    else:
        yield examples.x2(arguments.lr or X2_LEARNING_RATE)


def _seed(arguments: argparse.Namespace) -> int:
    return 1 if arguments.seed is None else int(arguments.seed)


def _objections(a: argparse.Namespace) -> Iterator[str]:
    """Yield what is wrong with the options taken together."""
    drawn, x1 = bool(a.network or a.data), a.example == "X1"
    if a.example and drawn:
        yield "--example goes without --network and --data"
    if a.input and not x1:
        yield "--input goes with --example X1"
    if x1 and (a.steps is not None or a.fault is not None or a.lr is not None):
        yield "X1 is forward only, its slides give no target: --steps, --fault and --lr go with another example"
    if not drawn and (a.activation or a.loss or a.no_bias):
        yield "--activation, --loss and --no-bias go with --network or --data; X1 and X2 are given"
    if a.seed is not None and not (drawn or a.fault == "random"):
        yield "--seed goes with --network, --data or --fault random; nothing else is drawn"
    if a.index is not None and not a.data:
        yield "--index goes with --data"
    if a.layer is not None and a.fault in (None, "random", "list"):
        yield "--layer goes with the --fault that is to be planted there"
    if a.by_hand and (a.steps is not None or a.fault is not None):
        yield "--by-hand, one pass in arithmetic on paper, goes without --steps and --fault"
    if a.fault == "list" and a.steps is not None:
        yield "--fault list goes without --steps"
    yield from _objections_to_sizes(a)


def _objections_to_sizes(a: argparse.Namespace) -> Iterator[str]:
    """Yield what is wrong with the network's size for what is asked of it."""
    if a.network is None:
        if a.by_hand and a.data:
            yield "--by-hand goes number by number, and a digit has too many"
        return
    shown = "-".join(map(str, a.network))
    if a.data and (a.network[0], a.network[-1]) != (784, 10):
        yield f"--data expects a --network from 784 inputs to 10 outputs, such as 784-30-10, got {shown}"
    weights = sum(n_in * n_out for n_in, n_out in zip(a.network, a.network[1:], strict=False))
    if weights > MOST_WEIGHTS:
        yield f"--network expects at most {MOST_WEIGHTS:,} weights, got {shown}, which has {weights:,}"
    if a.loss == "cross-entropy" and a.network[-1] == 1:
        yield f"--loss cross-entropy expects at least 2 outputs (a softmax of one is always 1), got {shown}"
    if a.by_hand:
        from torch_ref.lesson.walk.walk import is_walkable

        if a.data or not is_walkable(a.network, bias=not a.no_bias):
            yield f"--by-hand expects at most 9 units in a layer and 200 numbers in all, got {shown}"


def _print_lines(outcomes: list[Outcome], *, plain: bool) -> None:
    """Write the lines, in colours where standard output is a terminal that has them."""
    from rich.console import Console
    from rich.text import Text

    lines = [line for outcome in outcomes for line in [Text(), Text(), *outcome.lines]][2:]
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
    print(text.getvalue(), end="")  # not by rich, which would answer a closed pipe in its own way


def _print_json(outcomes: list[Outcome], *, ascii_only: bool) -> None:
    from torch_ref.verdict.row import jsonable

    walks = {"walks": [jsonable(outcome.document) for outcome in outcomes]}
    print(json.dumps(walks, ensure_ascii=ascii_only, allow_nan=False, indent=1))


def _takes_unicode() -> bool:
    """Tell whether standard output's encoding has every character of a walk."""
    try:
        UNICODE.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _refused(objection: str) -> int:
    print(f"python -m torch_ref compare: error: {objection}", file=sys.stderr)
    return 2


def _sizes(text: str) -> list[int]:
    if not re.fullmatch(r"[1-9][0-9]{0,6}(-[1-9][0-9]{0,6}){1,50}", text):
        raise argparse.ArgumentTypeError(f"expected numbers of units, 3-4-2 for example, each from 1, got {text!r}")
    return [int(n) for n in text.split("-")]


def _whole(least: int, most: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, got {text!r}")
        return int(text)

    return whole


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e6:
        raise argparse.ArgumentTypeError(f"expected a number above 0, at most 1e6, got {text!r}")
    return value
