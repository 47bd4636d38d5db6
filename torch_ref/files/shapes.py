"""Shapes and values as they are typed on a command line; torch is not needed to read them."""

from __future__ import annotations

import argparse
import ast
from dataclasses import dataclass
from typing import Any

LARGEST = 10**9
"""Of a size: more is a slip of the finger."""


@dataclass(frozen=True)
class Shape:
    """A shape to fill with random numbers: whole ones below ``limit`` where there is one."""

    sizes: tuple[int, ...]
    limit: int | None = None

    def option(self, name: str) -> str:
        """Return what is typed for an input of this shape."""
        sizes = ",".join(map(str, self.sizes))
        return f"--shape {name}={sizes}" if self.limit is None else f"--indices {name}={sizes}:{self.limit}"


def named_shape(text: str) -> tuple[str, Shape]:
    """Read x=4,5."""
    name, sizes = _split(text, "NAME=SIZES, as in x=4,5")
    return name, shape(sizes)


def shape(text: str) -> Shape:
    """Read 4,5; nothing for one number."""
    sizes = text.split(",") if text else []
    if not all(size.isascii() and size.isdigit() and 0 < int(size) <= LARGEST for size in sizes):
        raise argparse.ArgumentTypeError(f"expected whole numbers from 1, with commas, as in 4,5, got {text!r}")
    return Shape(tuple(map(int, sizes)))


def named_indices(text: str) -> tuple[str, Shape]:
    """Read t=4:10, four whole numbers from 0 to 9."""
    name, rest = _split(text, "NAME=SIZES:CLASSES, as in t=4:10")
    sizes, colon, limit = rest.partition(":")
    if not colon or not (limit.isascii() and limit.isdigit()) or not 0 < int(limit) <= LARGEST:
        raise argparse.ArgumentTypeError(f"expected NAME=SIZES:CLASSES, as in t=4:10, got {text!r}")
    return name, Shape(shape(sizes).sizes, int(limit))


def named_value(text: str) -> tuple[str, Any]:
    """Read eps=1e-5, dim=-1 or mode='mean'; what is no Python value is a word."""
    name, value = _split(text, "NAME=VALUE, as in eps=1e-5")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def seed(text: str) -> int:
    """Read a seed that numpy, too, takes."""
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 4294967295, got {text!r}")
    return int(text)


def _split(text: str, expected: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return name, rest
