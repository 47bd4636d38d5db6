"""The options of a random network, and the types of what they take; ``compare`` and ``lesson`` have them."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable

CONVOLUTIONAL = "conv"
"""The name of the random network of images."""


def add_network_options(group: argparse._ArgumentGroup, *, loss: str, seed: str, lr: str, images: bool = False) -> None:
    """Add the options of a random network, with ``images`` also of one with a convolution; three helps are given."""
    kind, more = (_sizes_or_conv, ", or conv: one of images") if images else (_sizes, "")
    group.add_argument("--network", type=kind, metavar="SIZES", help=f"a random network, 3-4-2 for example{more}")
    group.add_argument("--activation", choices=("sigmoid", "tanh", "relu"), help="of the random network (sigmoid)")
    group.add_argument("--loss", choices=("squared-error", "cross-entropy"), help=loss)
    group.add_argument("--no-bias", action="store_true", help="make the random network without biases")
    group.add_argument("--seed", type=whole_number(0, 2**63 - 1), metavar="N", help=seed)
    group.add_argument("--lr", type=_rate, metavar="ETA", help=lr)


def _sizes(text: str) -> list[int]:
    if not re.fullmatch(r"[1-9][0-9]{0,6}(-[1-9][0-9]{0,6}){1,50}", text):
        raise argparse.ArgumentTypeError(f"expected numbers of units, 3-4-2 for example, each from 1, got {text!r}")
    return [int(n) for n in text.split("-")]


def _sizes_or_conv(text: str) -> list[int] | str:
    if text == CONVOLUTIONAL:
        return text
    try:
        return _sizes(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"expected conv, or n{str(error).removeprefix('expected n')}") from None


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return a type for an option that takes a whole number."""

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
