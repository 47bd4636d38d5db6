"""The commands of the reference: ``python -m torch_ref compare | lesson | faults | grade``."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence

from torch_ref.grade import command as grade_command
from torch_ref.lesson.page import command as lesson_command
from torch_ref.lesson.terminal import command as compare_command
from torch_ref.trial import command as trial_command

CLOSED_PIPE = 141  # what a shell reports of a program that SIGPIPE ended
INTERRUPTED = 130

COMMANDS = (compare_command, lesson_command, trial_command, grade_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m torch_ref", description="Show gradients by hand, and check them.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
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
        print(f"python -m torch_ref: cannot write the output: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return exit_code


def _drop_output() -> None:
    """Let what is still to be printed go nowhere: the interpreter flushes once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
