"""Print what this checker and well-known criteria say of each exhibit of the museum.

python tests/museum/table.py              for a terminal, with the likely causes
python tests/museum/table.py --markdown   the table of docs/checking.md
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from museum.criteria import CRITERIA, accepts
from museum.exhibit import Shown, exhibits

BARE = frozenset({"no-pattern", "differs", "only-some", "one-entry"})
"""Codes that name no cause, or no more than a place."""

HEADS = ("found", "placed", *CRITERIA)
SHORT = ("F", "P", "ac", "gc", "CS", "DL", "Ca", "FA", "JX")
TELLS, MISSES, BLAMES_RIGHT, NOT_APPLIED = "✓", "-", "✗", " "


@dataclass(frozen=True)
class Line:
    """What all of them say of one exhibit."""

    shown: Shown
    marks: tuple[str, ...]
    codes: tuple[str, ...]

    @property
    def cause(self) -> str:
        """Tell whether the causes that are named are right, missing or misleading."""
        if not self.codes:
            return "-"
        if all(code in self.shown.card.causes for code in self.codes):
            return "right"
        return "missing" if all(code in self.shown.card.causes | BARE for code in self.codes) else "misleading"


def mark(wrong: bool | None, right: bool | None) -> str:
    """Say what a criterion made of a pair, which was accepted or not; None where it does not apply."""
    if wrong is None or right is None:
        return NOT_APPLIED
    return MISSES if wrong else TELLS if right else BLAMES_RIGHT


def line_of(shown: Shown) -> Line:
    """Ask everybody about one exhibit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right, wrong = shown.report("right"), shown.report("wrong")
        others = [mark(*(accepts(ask, shown, which) for which in ("wrong", "right"))) for ask in CRITERIA.values()]
    placed = not wrong.ok and {row.quantity for row in wrong.guilty} == set(shown.card.guilty)
    found = mark(wrong.ok, right.ok)
    codes = tuple(dict.fromkeys(row.code for row in wrong.guilty))
    return Line(shown, (found, TELLS if placed and right.ok else MISSES, *others), codes)


def markdown(lines: Sequence[Line]) -> Iterator[str]:
    """Make the table of the document, and the links that it refers to."""
    yield "| mistake | " + " | ".join(SHORT) + " |"
    yield "|---" * (len(SHORT) + 1) + "|"
    for number, line in enumerate(lines, 1):
        yield f"| [{line.shown.card.title}][{number}] | " + " | ".join(line.marks) + " |"
    counts = [sum(line.marks[i] == TELLS for line in lines) for i in range(len(HEADS))]
    yield f"| **of {len(lines)}** | " + " | ".join(map(str, counts)) + " |"
    yield ""
    for number, line in enumerate(lines, 1):
        yield f"[{number}]: {line.shown.card.source}"


def plain(lines: Sequence[Line]) -> Iterator[str]:
    """Make the table for a terminal."""
    yield f"{'exhibit':42}" + " ".join(f"{head:>2}" for head in SHORT) + "  cause"
    for line in lines:
        marks = " ".join(f"{sign:>2}" for sign in line.marks)
        yield f"{line.shown.name:42}{marks}  {line.cause:10} {', '.join(line.codes)}"
    counts = [sum(line.marks[i] == TELLS for line in lines) for i in range(len(HEADS))]
    yield f"{f'{len(lines)} exhibits':42}" + " ".join(f"{count:>2}" for count in counts)
    yield ""
    yield f"{TELLS} tells them apart   {MISSES} accepts the wrong one   {BLAMES_RIGHT} calls the right one wrong too"
    yield ", ".join(f"{short} {head}" for short, head in zip(SHORT, HEADS, strict=True))
    for outcome in ("right", "missing", "misleading"):
        yield f"{sum(line.cause == outcome for line in lines)} causes {outcome}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="the table of docs/checking.md")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lines = [line_of(shown) for shown in exhibits()]
    print("\n".join(markdown(lines) if asked.markdown else plain(lines)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
