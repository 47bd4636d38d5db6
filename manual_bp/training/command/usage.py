"""What the command line is told where it cannot be carried out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from manual_bp.extras import exit_without
from manual_bp.letters import spell_output

program = "train.py"
"""The program as messages name it; whoever starts it under another name says so here first."""


class UsageError(Exception):
    """Options that do not fit each other, or this machine."""


def nearest(text: str, known: Iterable[str]) -> str:
    """Return '; did you mean ...?' where something known looks like it."""
    close = difflib.get_close_matches(text, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def option(name: str) -> str:
    """Return a setting's name as an option: '--batch-size'."""
    return f"--{name.replace('_', '-')}"


def begin() -> None:
    """Spell letters that the output cannot write; end the program where the extra 'train' is not installed.

    One line, and exit code 2. Called before what needs the extra is imported, and before ``--help``, which has a σ.
    """
    spell_output()
    exit_without("train", program)
