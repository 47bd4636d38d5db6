"""The options of the command: what each takes, and which of them do not go together."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch_ref.lesson.walk.options import CONVOLUTIONAL, add_network_options, whole_number
from torch_ref.lesson.walk.phases import PHASES

MOST_WEIGHTS = 2_000_000
ON_PAPER = "--on-paper (--by-hand)"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add every option."""
    what = parser.add_argument_group("what to walk through")
    what.add_argument("--example", choices=("X1", "X2"), help="the lecture's example (X2); X1 is forward only")
    what.add_argument("--input", type=int, choices=(1, 2), help="one input of X1 (both)")
    add_network_options(
        what,
        loss="of that network (squared-error)",
        seed="draws the network, or the random fault (1)",
        lr="the learning rate (0.5; X2: 1)",
        images=True,
    )
    what.add_argument(
        "--data", choices=("mnist5k",), help="a digit through a trained 784-30-10, or a --network 784-...-10"
    )
    what.add_argument("--untrained", action="store_true", help="leave the weights of the digit's network as drawn")
    what.add_argument("--index", type=whole_number(0, 999), metavar="N", help="which test digit, from 0 to 999 (0)")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--phase", metavar="PHASE", help=f"show one part alone: {', '.join(PHASES)}, or several with commas (all)"
    )
    how.add_argument("--steps", type=whole_number(1, 10_000), metavar="N", help="just repeat: a table of N updates")
    how.add_argument(
        "--on-paper",
        "--by-hand",
        action="store_true",
        help="arithmetic on paper: round each number, and calculate on with the rounded one",
    )
    how.add_argument(
        "--fault",
        metavar="NAME",
        help="spot the bug: plant this fault, or a 'random' one; 'list' shows which ones there are",
    )
    how.add_argument(
        "--layer",
        type=whole_number(1, 1000),
        metavar="L",
        help="the layer to plant it in (the first one that shows it)",
    )
    how.add_argument("--pager", action="store_true", help="read it in your pager: PAGER, else less -R")
    how.add_argument("--json", action="store_true", help="print JSON: numbers in full precision, or summaries")
    how.add_argument("--plain", action="store_true", help="print ASCII without colours")


def objections(a: argparse.Namespace) -> Iterator[str]:
    """Yield what is wrong with the options taken together."""
    drawn, x1 = bool(a.network or a.data), a.example == "X1"
    if a.example and drawn:
        yield "--example goes without --network and --data"
    if a.input and not x1:
        yield "--input goes with --example X1"
    if x1 and (a.steps is not None or a.fault is not None or a.lr is not None):
        yield "X1 is forward only, its slides give no target: --steps, --fault and --lr go with another example"
    if not drawn and (a.activation or a.loss or a.no_bias):
        yield "--activation, --loss and --no-bias go with --network or --data; X1 and X2 have their own"
    if a.seed is not None and not (drawn or a.fault == "random"):
        yield "--seed goes with --network, --data or --fault random; nothing else is random"
    if a.index is not None and not a.data:
        yield "--index goes with --data"
    if a.untrained and not a.data:
        yield "--untrained goes with --data; no other network is trained"
    if a.layer is not None and a.fault in (None, "random", "list"):
        yield "--layer goes with the --fault that is to be planted there"
    if a.on_paper and (a.steps is not None or a.fault is not None):
        yield f"{ON_PAPER}, one pass in arithmetic on paper, goes without --steps and --fault"
    if a.fault == "list" and a.steps is not None:
        yield "--fault list goes without --steps"
    yield from _objections_to_phases(a)
    yield from _objections_to_sizes(a)


def phases(a: argparse.Namespace) -> Sequence[str]:
    """Return the phases to show; all of them unless some are named."""
    return PHASES if a.phase is None else [name.strip() for name in a.phase.split(",")]


def _objections_to_phases(a: argparse.Namespace) -> Iterator[str]:
    if unknown := [name for name in phases(a) if name not in PHASES]:
        yield f"--phase expects one of {', '.join(PHASES)}, or several with commas between, got {unknown[0]!r}"
    if a.phase is not None and (a.steps is not None or a.fault == "list"):
        yield "--phase shows a part of one pass: it goes without --steps and --fault list"
    if a.phase is not None and a.example == "X1" and set(phases(a)) != {"forward"}:
        yield "X1 is forward only: of its phases there is --phase forward alone"


def _objections_to_sizes(a: argparse.Namespace) -> Iterator[str]:
    """Yield what is wrong with the network's size for what is asked of it."""
    if a.network is None:
        if a.on_paper and a.data:
            yield f"{ON_PAPER} goes number by number, and a digit has too many"
        return
    if a.network == CONVOLUTIONAL:
        for option, given in (("--data", a.data), ("--steps", a.steps), (ON_PAPER, a.on_paper)):
            if given:
                yield f"{option} goes with a network of linear layers, such as --network 784-30-10, got conv"
        return
    shown = "-".join(map(str, a.network))
    if a.data and (a.network[0], a.network[-1]) != (784, 10):
        yield f"--data expects a --network from 784 inputs to 10 outputs, such as 784-30-10, got {shown}"
    weights = sum(n_in * n_out for n_in, n_out in pairwise(a.network))
    if weights > MOST_WEIGHTS:
        yield f"--network expects at most {MOST_WEIGHTS:,} weights, got {shown}, which has {weights:,}"
    if a.loss == "cross-entropy" and a.network[-1] == 1:
        yield f"--loss cross-entropy expects at least 2 outputs (a softmax of one is always 1), got {shown}"
    if a.on_paper:
        from torch_ref.lesson.walk.size import is_walkable

        if a.data or not is_walkable(a.network, bias=not a.no_bias):
            yield f"{ON_PAPER} expects at most 9 units in a layer and 200 numbers in all, got {shown}"
