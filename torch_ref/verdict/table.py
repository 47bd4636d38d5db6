"""The table of a report: its columns and cells, the same on a terminal and in a notebook, and what the columns mean."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from torch_ref.numbers.agreement import Comparison
from torch_ref.verdict.row import Row

WIDTH = 80

AGREE = 1e-4
"""The table says that finite differences agree where they are nearer than this share of the norm; they are no surer."""


@dataclass(frozen=True)
class Table:
    """The rows of a report, as text."""

    rows: tuple[Row, ...]
    alone: str = ""
    """What each formula was given when it was looked at alone."""

    @property
    def has_whole_pass(self) -> bool:
        """Tell whether there is a column of the whole pass."""
        return any(row.end_to_end is not None for row in self.rows)

    @property
    def columns(self) -> list[str]:
        """Return the heads of the columns; the last, of the marks, has none."""
        whole, differences = ["whole pass"] * self.has_whole_pass, ["differences"] * self.has_differences
        return ["quantity", "by", "shape", *whole, "formula alone", *differences, ""]

    @property
    def has_differences(self) -> bool:
        """Tell whether there is a column of finite differences."""
        return any(row.differences is not None for row in self.rows)

    def cells(self, row: Row) -> list[str]:
        """Return one text for each column."""
        shape = " x ".join(map(str, row.shape)) or "number"
        whole = ["-" if row.end_to_end is None else _size(row.end_to_end)] if self.has_whole_pass else []
        differences = [_slopes(row)] * self.has_differences
        return [row.quantity, row.formula, shape, *whole, _size(row.isolated), *differences, mark(row)]

    @property
    def meaning(self) -> str:
        """Say in a line or two what the columns hold."""
        whole = "whole pass: everything by hand; " if self.has_whole_pass else ""
        differences = "; differences: finite differences, in one random direction" * self.has_differences
        return f"{whole}formula alone: {self.alone}{differences}. A number is the distance as a share of the norm."

    def __str__(self) -> str:
        """Return the table in plain text, at most 80 columns wide."""
        grid = Grid(*self.columns[:3], box=None, pad_edge=False)
        for column in self.columns[3:]:
            grid.add_column(column, justify="right" if column else "left")
        for row in self.rows:
            grid.add_row(*map(Text, self.cells(row)))  # a name in brackets is no markup
        text = io.StringIO()
        Console(file=text, width=WIDTH, color_system=None, highlight=False, force_jupyter=False).print(grid)
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def mark(row: Row) -> str:
    """Return GUILTY for a wrong formula, 'wrong' for what follows from one, else ''."""
    return "GUILTY" if row.blame else "wrong" if row.status == "wrong" else ""


def _size(comparison: Comparison) -> str:
    if comparison.status == "identical":
        return "identical"
    return f"{comparison.relative:.1e}" if math.isfinite(comparison.relative) else "not comparable"


def _slopes(row: Row) -> str:
    """Say whether finite differences agree; a wrong gradient gets no number, as one direction measures no distance."""
    if row.differences is None:
        return "-"
    if row.differences <= AGREE:
        return "agree"
    return "differ" if row.status == "wrong" else f"{row.differences:.0e}"
