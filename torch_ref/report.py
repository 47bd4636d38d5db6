"""The outcome of a cross-check: one row for each quantity, a table of them, and a verdict."""

from __future__ import annotations

import io
import math
import textwrap
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

Status = Literal["identical", "rounding", "wrong"]

TOLERANCE = {torch.float64: 1e-14, torch.float32: 1e-6}
"""How far, relative to the norm of the reference, a tensor may be off and still count as rounding.

About 50 (float64) and 10 (float32) units in the last place. The order of operations leaves no rounding at all on
the CPU; this is the bound for the shapes and devices on which torch sums the same products in another order.
"""


@dataclass(frozen=True)
class Row:
    """One quantity by both engines."""

    quantity: str
    formula: str
    shape: tuple[int, ...]
    max_abs: float
    """The largest absolute difference."""
    max_ulp: int | None
    """The largest difference in units in the last place; None where a number is not finite."""
    relative: float
    """The norm of the difference over the norm of the reference."""
    status: Status


@dataclass(frozen=True)
class Report:
    """All rows, in order of the data flow; ``str(report)`` is the verdict and the table."""

    rows: tuple[Row, ...]
    batch: int
    dtype: torch.dtype
    device: torch.device

    @property
    def ok(self) -> bool:
        """Tell whether no row is wrong."""
        return all(row.status != "wrong" for row in self.rows)

    @property
    def identical(self) -> bool:
        """Tell whether both engines agree to the last bit."""
        return all(row.status == "identical" for row in self.rows)

    @property
    def verdict(self) -> str:
        """Say in a sentence or two what the rows show."""
        if self.identical:
            return f"All {len(self.rows)} quantities are identical to the last bit."
        differing = [row for row in self.rows if row.status != "identical"]
        if self.ok:
            worst = max(differing, key=lambda row: row.relative)
            return (
                f"All {len(self.rows)} quantities agree. {len(differing)} differ by rounding, "
                f"{worst.quantity} most: {worst.relative:.1e} of its norm."
            )
        wrong = [row for row in self.rows if row.status == "wrong"]
        first, rest = wrong[0], [row.quantity for row in wrong[1:]]
        how_far = "a number is not finite" if first.max_ulp is None else f"off by {first.relative:.1e} of its norm"
        verdict = f"Wrong: {first.quantity} ({first.formula}), {how_far}."
        return f"{verdict} Further down the data flow: {', '.join(rest)}." if rest else verdict

    def to_dict(self) -> dict[str, Any]:
        """Return the report in terms that JSON knows; numbers that are not finite become None."""
        rows = [{key: _jsonable(value) for key, value in asdict(row).items()} for row in self.rows]
        head = {"ok": self.ok, "verdict": self.verdict, "batch": self.batch}
        return head | {"dtype": str(self.dtype), "device": str(self.device), "rows": rows}

    def __str__(self) -> str:
        """Return the verdict and a table of all rows, 80 columns wide."""
        table = Table("quantity", "by", "shape", box=None, pad_edge=False)
        for column in ("max |difference|", "ulp", "of norm"):
            table.add_column(column, justify="right")
        table.add_column("by hand = autograd")
        for row in self.rows:
            ulp = "-" if row.max_ulp is None else str(row.max_ulp) if row.max_ulp < 10**6 else f"{row.max_ulp:.0e}"
            shape = " x ".join(map(str, row.shape)) or "number"
            numbers = f"{row.max_abs:.1e}", ulp, f"{row.relative:.1e}"
            table.add_row(row.quantity, row.formula, shape, *numbers, row.status)
        text = io.StringIO()
        Console(file=text, width=80, color_system=None, highlight=False).print(table)
        return (
            textwrap.fill(self.verdict, 80) + "\n\n" + "\n".join(line.rstrip() for line in text.getvalue().splitlines())
        )


def compare(quantity: str, formula: str, by_hand: Tensor, by_autograd: Tensor) -> Row:
    """Return the row of one quantity; a shape or dtype of its own, or a number that is not finite, is wrong."""
    shape = tuple(by_hand.shape)
    if by_hand.shape != by_autograd.shape or by_hand.dtype != by_autograd.dtype:
        return Row(quantity, formula, shape, math.inf, None, math.inf, "wrong")
    if not (torch.isfinite(by_hand).all() and torch.isfinite(by_autograd).all()):
        return Row(quantity, formula, shape, math.nan, None, math.nan, "wrong")
    difference = (by_hand.double() - by_autograd.double()).abs()
    norm = by_autograd.double().norm().item()
    off = difference.norm().item()
    relative = off / norm if norm else math.inf if off else 0.0
    status: Status = "wrong"
    if torch.equal(by_hand, by_autograd):
        status = "identical"
    elif relative <= TOLERANCE.get(by_hand.dtype, 0.0):
        status = "rounding"
    max_ulp = int(ulp_distance(by_hand, by_autograd).max().item())
    return Row(quantity, formula, shape, difference.max().item(), max_ulp, relative, status)


def ulp_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return how many floating-point numbers lie between a and b, entry by entry, as float64.

    Exact below 2^53. The two zeros count as one number.
    """
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    magnitude_a, magnitude_b = (value.abs().view(integer).to(torch.int64) for value in (a.contiguous(), b.contiguous()))
    same_sign = (a < 0) == (b < 0)
    apart = (magnitude_a - magnitude_b).abs().double()
    return torch.where(same_sign, apart, magnitude_a.double() + magnitude_b.double())


def _jsonable(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
