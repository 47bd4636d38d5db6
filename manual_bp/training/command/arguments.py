"""The command line's words: numbers in a range, names from a list, and an answer to what is not among them."""

from __future__ import annotations

import argparse
import difflib
import math
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Show defaults, where there are any."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """A parser that answers an unknown option with the nearest one."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the settings, or exit with 2."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = re.findall(r"--[a-z-]+", self.format_help())
            self.error(f"unrecognized arguments: {' '.join(unknown)}{nearest(unknown[0].split('=')[0], known)}")
        return found

    def defaults(self) -> dict[str, Any]:
        """Return every setting as it is where nothing is given."""
        return vars(super().parse_args([]))

    def given(self, words: list[str]) -> dict[str, Any]:
        """Return only what the command line says, without defaults."""
        unset = argparse.Namespace(**dict.fromkeys(self.defaults(), argparse.SUPPRESS))
        return {
            name: value for name, value in vars(self.parse_args(words, unset)).items() if value != argparse.SUPPRESS
        }


def nearest(text: str, known: list[str]) -> str:
    """Return '; did you mean ...?' where something known looks like it."""
    close = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def choice(*names: str) -> dict[str, Any]:
    """Return the arguments of an option that takes one of some names."""

    def one_of(text: str) -> str:
        if text not in names:
            hint = nearest(text, list(names))
            raise ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(names)}){hint}")
        return text

    return {"type": one_of, "metavar": f"{{{','.join(names)}}}"}


def whole(least: int, most: int = 2**63 - 1) -> Callable[[str], int]:
    """Return what reads a whole number in a range."""
    limits = f"of at least {least}" if most == 2**63 - 1 else f"from {least} to {most}"

    def read(text: str) -> int:
        value = int(text) if text.isdecimal() and len(text) < 20 else -1
        if not least <= value <= most:
            raise ArgumentTypeError(f"expected a whole number {limits}, got {text!r}")
        return value

    return read


def number(least: float, below: float = math.inf) -> Callable[[str], float]:
    """Return what reads a finite number in a range."""
    limits = f"of at least {least}" + (f" and below {below}" if below < math.inf else "")

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value < below:
            raise ArgumentTypeError(f"expected a finite number {limits}, got {text!r}")
        return value

    return read
