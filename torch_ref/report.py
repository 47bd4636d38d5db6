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
    remark: str = ""
    """What is wrong, in words."""


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
        verdict = f"Wrong: {first.quantity} ({first.formula}), {first.remark}."
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
    """Return the row of one quantity; another shape or dtype, or a number that is not finite, is wrong."""
    shape = tuple(by_hand.shape)
    if by_hand.shape != by_autograd.shape:
        remark = f"of shape {shape}, expected {tuple(by_autograd.shape)}"
        return Row(quantity, formula, shape, math.inf, None, math.inf, "wrong", remark)
    if by_hand.dtype != by_autograd.dtype:
        remark = f"of dtype {by_hand.dtype}, expected {by_autograd.dtype}"
        return Row(quantity, formula, shape, math.inf, None, math.inf, "wrong", remark)
    if not (torch.isfinite(by_hand).all() and torch.isfinite(by_autograd).all()):
        return Row(quantity, formula, shape, math.nan, None, math.nan, "wrong", "a number is not finite")
    max_abs = (by_hand.double() - by_autograd.double()).abs().max().item()
    max_ulp = int(ulp_distance(by_hand, by_autograd).max().item())
    relative = relative_difference(by_hand, by_autograd)
    if torch.equal(by_hand, by_autograd):
        return Row(quantity, formula, shape, max_abs, max_ulp, relative, "identical")
    if relative <= TOLERANCE[by_hand.dtype]:
        return Row(quantity, formula, shape, max_abs, max_ulp, relative, "rounding")
    return Row(quantity, formula, shape, max_abs, max_ulp, relative, "wrong", f"off by {relative:.1e} of its norm")


def relative_difference(by_hand: Tensor, by_autograd: Tensor) -> float:
    """Return the norm of the difference over the norm of the reference, which may be of any size: 1e-300, 1e300."""
    largest = by_autograd.abs().max().double()
    if largest == 0:
        return math.inf if by_hand.any() else 0.0
    ours, reference = by_hand.double() / largest, by_autograd.double() / largest
    return float((ours - reference).norm() / reference.norm())


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
