"""The command: python -m torch_ref check mine.py."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from manual_bp.letters import codes_in_json
from torch_ref.files.arguments import add_arguments, explaining, offered_by, settings_of

if TYPE_CHECKING:
    from torch_ref.files.outcome import Outcomes

DESCRIPTION = """Check the handwritten backward passes in a Python file: functions NAME_forward and NAME_backward (also
forward and backward, forward_NAME and backward_NAME, NAME and NAME_backward, d_NAME, dNAME, NAME_grad or NAME_prime),
subclasses of torch.autograd.Function, and classes and objects with forward and backward. Each is compared with
NAME_reference where the file has it, a Function also with torch's function of the same name, and otherwise with
autograd through its own forward. What was found and not checked is named, with the reason."""

EPILOG = """Exit code 0 where everything that was found was checked and is right, 1 where something is wrong or was not
checked, 2 where there is nothing to check. The file is run, as python would run it, but for what stands under
if __name__ == "__main__"; what it prints goes to standard error. Do not check a file that you would not run
yourself."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``python -m torch_ref``."""
    parser = subparsers.add_parser(
        "check", help="check the backward passes in a file", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the file; - for standard input")
    add_arguments(parser)
    parser.add_argument("--table", action="store_true", help="print the table of every report")
    parser.add_argument("--json", metavar="FILE", help="write the outcome as JSON; - for standard output, alone")
    parser.set_defaults(run=run, program=parser.prog)


def run(arguments: argparse.Namespace) -> int:
    """Check a file, print what came of it, and return the exit code."""
    from torch_ref.files.checking import NothingToCheckError
    from torch_ref.files.program import UnusableFileError, started
    from torch_ref.steps.guarded import as_it_was

    try:
        with as_it_was(arguments.seed), started(arguments.file) as module:
            outcomes = _outcomes(module, arguments)
    except UnusableFileError as error:
        print(f"{arguments.program}: {error}", file=sys.stderr)
        return 2
    except NothingToCheckError as error:
        print(f"{arguments.program}: {arguments.file}: {error}", file=sys.stderr)
        return 2
    return _written(outcomes, arguments) or (0 if outcomes.ok else 1)


def _outcomes(module: ModuleType, arguments: argparse.Namespace) -> Outcomes:
    from torch_ref.files.checking import Source, check
    from torch_ref.files.find import own_names

    names = vars(module)
    offered = offered_by(arguments, names)
    explain = explaining(f"{arguments.program} {shlex.quote(str(arguments.file))}", offered)
    source = Source(names, own_names(names, module.__name__), [str(module.__file__)], explain)
    return check(source, arguments.names, offered, settings_of(arguments))


def _written(outcomes: Outcomes, arguments: argparse.Namespace) -> int:
    """Print the outcome and write it as JSON; return 2 where that cannot be written, else 0."""
    json_file = arguments.json
    code_letters = json_file == "-" and codes_in_json(sys.stdout)  # in a file it is always UTF-8
    written = json.dumps(outcomes.to_dict(), ensure_ascii=code_letters, indent=2)
    print(written if json_file == "-" else outcomes.text(table=arguments.table))
    if json_file in (None, "-"):
        return 0
    try:
        Path(json_file).write_text(f"{written}\n", encoding="utf-8")
    except OSError as error:
        print(f"{arguments.program}: {json_file}: {error.strerror}", file=sys.stderr)
        return 2
    return 0
