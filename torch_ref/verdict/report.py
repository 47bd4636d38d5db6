"""The outcome of a check: one row for each quantity, a table of them, and a verdict that names the guilty formulas."""

from __future__ import annotations

import io
import math
import textwrap
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from torch_ref.numbers.agreement import Comparison
from torch_ref.numbers.power import Power
from torch_ref.verdict.row import Row

WIDTH = 80

AGREE = 1e-4
"""The table says that finite differences agree where they are nearer than this share of the norm; they are no surer."""


@dataclass(frozen=True)
class Report:
    """All rows, in order of the data flow; ``str(report)`` is the verdict and the table."""

    rows: tuple[Row, ...]
    batch: int
    dtype: torch.dtype
    device: torch.device
    note: str = ""
    """What else is wrong: the whole pass broke off or changed the parameters, or gradcheck of torch found something."""
    remarks: tuple[str, ...] = ()
    """What a reader should know of code that is right, in sentences without a full stop."""
    not_compared: tuple[tuple[str, str], ...] = ()
    """What was not looked at, by name, each with the reason."""
    power: Power | None = None
    """The smallest mistakes that this check would have rejected here; None where nobody asked."""

    @property
    def ok(self) -> bool:
        """Tell whether no row is wrong."""
        return not self.note and all(row.status != "wrong" for row in self.rows)

    @property
    def identical(self) -> bool:
        """Tell whether both engines agree to the last bit."""
        return self.ok and all(row.status == "identical" for row in self.rows)

    @property
    def guilty(self) -> tuple[Row, ...]:
        """Return the rows whose own formula is wrong."""
        return tuple(row for row in self.rows if row.blame)

    @property
    def consequences(self) -> tuple[Row, ...]:
        """Return the rows that are wrong only because of what they were given."""
        return tuple(row for row in self.rows if row.status == "wrong" and not row.blame)

    @property
    def verdict(self) -> str:
        """Say what the rows show: the guilty formulas, each with its likely cause, then the consequences."""
        if self.ok:
            one_row = self.batch == 1 and any(row.end_to_end is not None for row in self.rows)
            untested = " With one sample, no sum over the samples was tested." if one_row else ""
            return f"{self._agreement()}{self._confirmed()}.{untested}"
        parts = [*map(_accusation, self.guilty)]
        if not self.guilty and self.consequences:
            parts.append(_unexplained(self.consequences[0]))
        parts += [f"{self.note}."] if self.note else []
        if self.guilty and self.consequences:
            names = ", ".join(row.quantity for row in self.consequences)
            parts.append(f"Consequences, each right by itself: {names}.")
        return "\n".join(parts)

    def _agreement(self) -> str:
        differing = [row for row in self.rows if row.status != "identical"]
        if not differing:
            return f"All {len(self.rows)} quantities are identical to the last bit"
        worst = max(differing, key=lambda row: row.relative)
        return (
            f"All {len(self.rows)} quantities agree; {len(differing)} differ{'s' * (len(differing) == 1)} by rounding, "
            f"{worst.quantity} most: {worst.relative:.1e} of its norm"
        )

    def _confirmed(self) -> str:
        sure = sum(row.differences is not None and row.differences <= AGREE for row in self.rows)
        return f", and finite differences confirm {sure} gradient{'s' * (sure > 1)}" if sure else ""

    def to_dict(self) -> dict[str, Any]:
        """Return the report in terms that JSON knows; numbers that are not finite become None."""
        head = {"ok": self.ok, "identical": self.identical, "verdict": self.verdict, "note": self.note}
        kind = {"batch": self.batch, "dtype": str(self.dtype), "device": str(self.device)}
        return head | kind | {"rows": [row.to_dict() for row in self.rows]}

    def __str__(self) -> str:
        """Return the verdict and a table of all rows, 80 columns wide."""
        paragraphs = [textwrap.fill(part, WIDTH) for part in self.verdict.splitlines()]
        table = Table("quantity", "by", "shape", box=None, pad_edge=False)
        whole_pass = any(row.end_to_end is not None for row in self.rows)
        for column in (*(["whole pass"] if whole_pass else []), "formula alone", "differences"):
            table.add_column(column, justify="right")
        table.add_column("")
        for row in self.rows:
            shape = " x ".join(map(str, row.shape)) or "number"
            whole = ["-" if row.end_to_end is None else _size(row.end_to_end)] if whole_pass else []
            mark = "GUILTY" if row.blame else "wrong" if row.status == "wrong" else ""
            table.add_row(row.quantity, row.formula, shape, *whole, _size(row.isolated), _slopes(row), mark)
        text = io.StringIO()
        Console(file=text, width=WIDTH, color_system=None, highlight=False, force_jupyter=False).print(table)
        return "\n".join([*paragraphs, "", *(line.rstrip() for line in text.getvalue().splitlines())])


def _slopes(row: Row) -> str:
    if row.differences is None:
        return "-"
    return "agree" if row.differences <= AGREE else f"{row.differences:.0e}"


def _size(comparison: Comparison) -> str:
    if comparison.status == "identical":
        return "identical"
    return f"{comparison.relative:.1e}" if math.isfinite(comparison.relative) else "not comparable"


def _accusation(row: Row) -> str:
    """Name one guilty formula: text, number, layer, method, source; cause; and the two values at the worst place."""
    of, seen = row.of, row.isolated
    number = f" ({of.formula})" if of.formula != "-" else ""
    layer = f", layer {of.layer}" if of.layer is not None else ""
    where = ".".join(filter(None, (of.owner, row.method)))
    source = f" at {row.source}" if row.source else ""
    who = {"by hand": "Wrong", "reference": "The reference is wrong", "both": "Both are wrong", "": "Wrong"}[row.blame]
    lines = [f"{who}: {of.text}{number}{layer}, {where}{source}."]
    lines.append(f"Likely cause: {row.cause}.")
    if seen.worst is not None:
        place = f" at {list(seen.worst)}" if seen.worst else ""
        values = f"by hand {seen.by_hand:.6g}, reference {seen.reference:.6g}"
        lines.append(f"{of.name}{place}: {values}; {seen.remark}.")
    return "\n".join(lines)


def _unexplained(first: Row) -> str:
    """Say what may be wrong where a quantity of the whole pass is, and no formula is to blame."""
    seen = first.seen
    if math.isnan(seen.relative) and seen.worst is not None:
        place = f" at {list(seen.worst)}" if seen.worst else ""
        return (
            f"Not finite: {first.quantity}{place} is {seen.by_hand} by hand and {seen.reference} by the reference. It "
            "is the first such number of the pass; look at what is given there."
        )
    if first.end_to_end is None:
        return f"Wrong: {first.quantity} ({seen.remark}), and there is nothing to compare it with."
    return (
        f"Wrong: {first.quantity} of the whole pass ({seen.remark}), although every formula is right by itself. Likely "
        "cause: the order of the layers, a tensor that is overwritten before it is read, or a formula that gives other "
        "numbers at another call."
    )
