"""``%%check`` and ``%check`` in a notebook: what a cell defines, checked as the command checks a file.

IPython is not imported: it calls ``register``, with its shell, for ``%load_ext torch_ref``.
"""

from __future__ import annotations

import argparse
import functools
import shlex
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NoReturn, Protocol

from torch_ref.files.arguments import add_arguments, explaining, offered_by, settings_of
from torch_ref.files.checking import NothingToCheckError, Source, check
from torch_ref.files.find import own_names
from torch_ref.files.outcome import Outcomes
from torch_ref.steps.guarded import as_it_was

MAIN = "__main__"
"""The module of what a notebook defines."""


class Shell(Protocol):
    """What is used of IPython's shell."""

    user_ns: dict[str, Any]

    def run_cell(self, raw_cell: str) -> Any:
        """Run a cell; the result's ``success`` tells whether it raised nothing."""

    def register_magic_function(self, func: Any, magic_kind: str = "line", magic_name: str | None = None) -> None:
        """Make a function a magic."""


class WrongArgumentsError(Exception):
    """What stands behind the magic cannot be read."""


class _Parser(argparse.ArgumentParser):
    """Raises where a parser of a command ends the program."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong."""
        raise WrongArgumentsError(message)


def register(shell: Shell) -> None:
    """Make ``%check`` and ``%%check`` magics of a shell."""
    shell.register_magic_function(functools.partial(check_names, shell), "line", "check")
    shell.register_magic_function(functools.partial(check_cell, shell), "cell", "check")


def check_names(shell: Shell, line: str) -> Outcomes | None:
    """Check what the notebook defines, or the names given: ``%check linear --shape x=4,5``."""
    return _checked(shell.user_ns, own_names(shell.user_ns, MAIN), line, "%check")


def check_cell(shell: Shell, line: str, cell: str) -> Outcomes | None:
    """Run a cell, then check what it defines; nothing where it raises."""
    before = dict(shell.user_ns)
    if not shell.run_cell(cell).success:
        print("%%check: the cell raises, nothing was checked", file=sys.stderr)
        return None
    names = shell.user_ns
    own = [name for name in own_names(names, MAIN) if name not in before or before[name] is not names[name]]
    return _checked(names, own, line, "%%check")


def _checked(names: Mapping[str, Any], own: Collection[str], line: str, magic: str) -> Outcomes | None:
    parser = _Parser(prog=magic, add_help=False)
    add_arguments(parser)
    if {"-h", "--help"} & {*line.split()}:
        parser.print_help()
        return None
    try:
        arguments = parser.parse_args(shlex.split(line))
        offered = offered_by(arguments, names)
        source = Source(names, own, {*_files_of(names)}, explaining("%check", offered))
        with as_it_was(arguments.seed):
            return check(source, arguments.names, offered, settings_of(arguments))
    except (WrongArgumentsError, NothingToCheckError, ValueError) as error:
        print(f"{magic}: {error}", file=sys.stderr)
    return None


def _files_of(names: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names under which the notebook's cells are compiled."""
    for value in names.values():
        if getattr(value, "__module__", None) == MAIN:
            for function in (value, *(vars(value).values() if isinstance(value, type) else ())):
                if code := getattr(getattr(function, "__func__", function), "__code__", None):
                    yield code.co_filename
