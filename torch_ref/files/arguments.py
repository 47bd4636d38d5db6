"""The arguments that the command and the notebook's magics share: names, inputs, and how everything is checked."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch_ref.files.shapes import named_indices, named_shape, named_value, seed, shape

if TYPE_CHECKING:
    from torch_ref.files.found import Found, Settings
    from torch_ref.files.inputs import MissingInputsError, Offered

DTYPES = ("float64", "float32", "bfloat16", "float16")

INPUTS = """The inputs come from the options below, from make_inputs_NAME() or make_inputs() (a list in order, or a dict
by name), or from variables that are called as the arguments are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add names, inputs and settings."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="check these alone (default: all that is found)")
    _add_inputs(parser.add_argument_group("inputs", INPUTS))
    parser.add_argument("--strict", action="store_true", help="what agrees to several digits only is wrong")
    parser.add_argument("--second-order", action="store_true", help="compare second derivatives too")
    parser.add_argument("--no-power", action="store_true", help="leave out which mistakes would have been seen")


def _add_inputs(group: argparse._ArgumentGroup) -> None:
    named = functools.partial(group.add_argument, action="append", default=[])
    named("--shape", metavar="NAME=SIZES", type=named_shape, help="x=4,5: random numbers")
    named("--indices", metavar="NAME=SIZES:CLASSES", type=named_indices, help="t=4:10: four whole numbers from 0 to 9")
    named("--value", metavar="NAME=VALUE", type=named_value, help="eps=1e-5: the value itself")
    add = group.add_argument
    add("--shapes", metavar="SIZES", nargs="+", default=[], type=shape, help="4,5 3,5 3: in order, without names")
    add("--dtype", choices=DTYPES, help="of the random numbers (default: that of torch, float64 for numpy)")
    add("--seed", type=seed, default=0, help="of everything random, in the file too (default: 0)")
    kind = group.add_mutually_exclusive_group()
    kind.add_argument("--numpy", dest="arrays", action="store_true", default=None, help="inputs are numpy arrays")
    kind.add_argument(
        "--torch",
        dest="arrays",
        action="store_false",
        default=None,
        help="inputs are tensors (default: arrays where numpy is imported and torch is not)",
    )


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return how everything is checked."""
    from torch_ref.files.found import Settings

    return Settings(arguments.strict, not arguments.no_power, arguments.second_order)


def offered_by(arguments: argparse.Namespace, namespace: Mapping[str, Any]) -> Offered:
    """Return where inputs come from."""
    import torch

    from torch_ref.files.inputs import Offered

    return Offered(
        namespace,
        dict([*arguments.shape, *arguments.indices]),
        tuple(arguments.shapes),
        dict(arguments.value),
        getattr(torch, arguments.dtype) if arguments.dtype else None,
        arguments.seed,
        arguments.arrays,
    )


def explaining(start: str, offered: Offered) -> Callable[[Found, MissingInputsError], str]:
    """Return what says which command, that begins with ``start``, gives missing inputs."""
    from torch_ref.files.guess import guessed

    def explain(one: Found, missing: MissingInputsError) -> str:
        return _continued(f"    {start} {one.name}", guessed(one, missing, offered))

    return explain


def _continued(start: str, options: Sequence[str]) -> str:
    """Return a command in lines of 80 columns, which a shell and a notebook join."""
    lines = [start]
    for option in options:
        if len(lines[-1]) + len(option) > 77:
            lines.append("       ")
        lines[-1] += f" {option}"
    return " \\\n".join(lines)
