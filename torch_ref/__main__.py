"""The commands of the reference: python -m torch_ref grade student.py."""

from __future__ import annotations

import argparse
import sys

from torch_ref.grade import command as grade


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m torch_ref", description="Check formulas of backpropagation.")
    grade.add_parser(parser.add_subparsers(required=True, metavar="COMMAND"))
    arguments = parser.parse_args(argv)
    code: int = arguments.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
