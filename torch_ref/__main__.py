"""The commands of the reference: ``python -m torch_ref faults | grade``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from torch_ref import grade_command, trial_command

COMMANDS = (trial_command, grade_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m torch_ref", description="Check handwritten gradients.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
    exit_code: int = arguments.run(arguments)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
