"""The command line, made from the table of settings. It is read before torch is imported, which takes a second."""

from __future__ import annotations

import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, BooleanOptionalAction
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from msgspec import inspect

from manual_bp.training.command import usage
from manual_bp.training.command.kept import complaint, read
from manual_bp.training.command.settings import KINDS, OPTIONS, default_of
from manual_bp.training.command.usage import USAGE, nearest_option, option, tell_torchrun, told_elsewhere

PREDICT = "predict"
"""The first word where pictures are to be read."""


def read_words(words: Sequence[str]) -> dict[str, Any]:
    """Return what the words of a command line give, without defaults; exit with 2 after a message where one is wrong.

    The words of ``predict`` give the arguments of ``predict.predict``; all others give settings.
    """
    is_predict = list(words[:1]) == [PREDICT]
    parser, rest = (_predict_parser(), words[1:]) if is_predict else (_parser(), words)
    given: dict[str, Any] = vars(parser.parse_args(rest))
    return given


class Parser(ArgumentParser):
    """A parser that answers an unknown option with the nearest one."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return what the words give, or exit with 2."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = re.findall(r"--[a-z-]+", self.format_help())
            hint = nearest_option(unknown[0], known) if unknown[0].startswith("-") else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found

    def error(self, message: str) -> NoReturn:
        """Exit with 2 after the message; of the processes that torchrun starts, only the first says it."""
        tell_torchrun(message)
        if told_elsewhere():
            self.exit(USAGE)
        super().error(message)


@lru_cache
def _parser() -> Parser:
    parser = Parser(
        prog=usage.program,
        usage="%(prog)s [options]\n       %(prog)s predict IMAGE ...",
        description="Train a small network on images: 5,000 real MNIST digits that come along, or a larger data set.",
        argument_default=SUPPRESS,
        allow_abbrev=False,
    )
    groups = {name: parser.add_argument_group(name) for name in dict.fromkeys(o.group for o in OPTIONS.values())}
    for name, said in OPTIONS.items():
        default = default_of(name)
        text = said.help + ("" if default is None or default is False else f" (default: {default})")
        groups[said.group].add_argument(option(name), help=text, **_form(name))
    return parser


def _form(name: str) -> dict[str, Any]:
    """Return how argparse reads an option."""
    metavar = {"metavar": OPTIONS[name].metavar}
    match kind := KINDS[name]:
        case inspect.BoolType():
            return {"action": BooleanOptionalAction}
        case inspect.LiteralType():
            return {"type": _reader(name, kind), "metavar": f"{{{','.join(map(str, kind.values))}}}"}
        case inspect.ListType():
            return {"type": _reader(name, kind), "nargs": "*", **metavar}
        case inspect.IntType() | inspect.FloatType():
            return {"type": _reader(name, kind), **metavar}
        case inspect.CustomType():
            return {"type": _path, **metavar}
        case _:
            return metavar


def _reader(name: str, kind: inspect.Type) -> Callable[[str], Any]:
    """Return what reads a word as the value of a setting, or as an entry of its list."""
    entry = kind.item_type if isinstance(kind, inspect.ListType) else kind
    plain: type[Any] = {inspect.IntType: int, inspect.FloatType: float}.get(type(entry), str)

    def value(text: str) -> Any:
        try:
            found = msgspec.convert(text, plain, strict=False)
            read(name, found if entry is kind else [found])
        except msgspec.ValidationError as error:
            raise ArgumentTypeError(complaint(entry, text)) from error
        return found

    return value


def _path(text: str) -> Path:
    """Read a path; an empty one, perhaps of a variable that is not set, would be the folder that one stands in."""
    if not text:
        raise ArgumentTypeError("expected a path, got ''")
    return Path(text)


@lru_cache
def _predict_parser() -> Parser:
    parser = Parser(prog=f"{usage.program} predict", description="Say what pictures show.", allow_abbrev=False)
    images = "PNG, JPEG, ..., of any size, dark on light or light on dark"
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help=images)
    path = (
        "a checkpoint, or a run's folder for its best one; of a run with --seeds, the mean of its networks' answers "
        "(default: the newest run in runs)"
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print a line of JSON for each picture")
    seen = "show the picture too as the network saw it, 28 x 28 for MNIST"
    parser.add_argument("--seen", action="store_true", help=seen)
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help=path)
    return parser
