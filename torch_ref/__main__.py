"""The commands: ``manual-bp check | compare | lesson | faults | grade | train``, or ``python -m torch_ref ...``."""

from __future__ import annotations

import argparse
import errno
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from manual_bp.letters import spell_output
from manual_bp.training.command import usage
from torch_ref.files import command as check_command
from torch_ref.grade import command as grade_command
from torch_ref.lesson.page import command as lesson_command
from torch_ref.lesson.terminal import command as compare_command
from torch_ref.trial import command as trial_command

CLOSED_PIPE = 141  # what a shell reports of a program that SIGPIPE ended
INTERRUPTED = 130

COMMANDS = (check_command, compare_command, lesson_command, trial_command, grade_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["train"]:
        return _train(words[1:])
    spell_output()
    arguments = _parser().parse_args(words)
    try:
        exit_code: int = arguments.run(arguments)
        print(end="", flush=True)  # also where standard output is closed, and sys.stdout None
    except BrokenPipeError:  # the reader of a pipe, `| head`, has seen enough
        _drop_output()
        return CLOSED_PIPE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        print(f"{_started_as()}: cannot write the output: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_started_as(), description="Show gradients by hand, check them, and train with them."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version, that of torch too, and exit")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add_parser(commands)
    commands.add_parser("train", help="train a network on images: train.py with its options", add_help=False)
    return parser


def _started_as() -> str:
    """Return how messages name this program."""
    return "manual-bp" if Path(sys.argv[0]).stem == "manual-bp" else "python -m torch_ref"


class _Version(argparse.Action):
    """Prints the versions; torch is imported only here."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print and exit."""
        import torch

        import manual_bp

        print(f"manual-bp {manual_bp.__version__}, torch {torch.__version__}")
        parser.exit()


def _train(words: list[str]) -> int:
    """Run train.py as Python would, with these words: it is a program, and nothing imports it."""
    found = find_spec("manual_bp")  # which imports nothing
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    script = package / "train.py"  # where the wheel has it
    if not script.is_file():
        script = package.parent / "train.py"  # in a checkout
    usage.program = f"{_started_as()} train"
    sys.argv = [str(script), *words]
    runpy.run_path(str(script), run_name="__main__")
    return 0


def _drop_output() -> None:
    """Let what is still to be printed go nowhere: the interpreter flushes once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
