"""The outcome of a check: one row for each quantity, a table of them, and a verdict that names the guilty formulas."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from manual_bp.letters import spelt
from torch_ref.numbers.power import Power
from torch_ref.verdict import sentences
from torch_ref.verdict.html import as_html
from torch_ref.verdict.row import Row, jsonable
from torch_ref.verdict.table import AGREE, WIDTH, Table

Outcome = Literal["right", "right, with remarks", "wrong", "not compared"]


@dataclass(frozen=True)
class Report:
    """All rows, in order of the data flow; ``str(report)`` is the verdict and the table."""

    rows: tuple[Row, ...]
    batch: int
    """How many samples there are; 0 where that is not known."""
    dtype: torch.dtype
    device: torch.device
    note: str = ""
    """What else is wrong: the whole pass broke off or changed the parameters, or gradcheck of torch found something."""
    remarks: tuple[str, ...] = ()
    """What a reader should know of code that is right, in sentences without a full stop."""
    not_compared: tuple[tuple[str, str], ...] = ()
    """What was not looked at, by name, each with the reason."""
    alone: str = "given the reference's numbers"
    """What each formula was given when it was looked at alone, for the legend of the table."""
    power: Power | None = None
    """The smallest mistakes that this check would have rejected here; None where nobody asked."""

    @property
    def ok(self) -> bool:
        """Tell whether no row is wrong, and there is one."""
        return bool(self.rows) and not self.note and all(row.status != "wrong" for row in self.rows)

    @property
    def identical(self) -> bool:
        """Tell whether both engines agree to the last bit."""
        return self.ok and all(row.status == "identical" for row in self.rows)

    @property
    def outcome(self) -> Outcome:
        """Say in a word or two what was found: the verdict begins with it."""
        if self.ok:
            return "right, with remarks" if self._weakness or self._remarks else "right"
        unexplained = not self.guilty and not self.note
        nothing = not self.rows or sentences.is_not_finite(self.consequences[0]) if unexplained else False
        return "not compared" if nothing else "wrong"

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
        """Say what was found, in the first line; then each guilty formula, or the remarks and what was tested."""
        found = self._that_it_is_right() if self.ok else self._what_is_wrong()
        power = [sentences.seen_by(self.power)] if self.ok and self.power and not self.power.weakness else []
        return "\n".join([*found, *self._remarks, *power])

    def _that_it_is_right(self) -> list[str]:
        """Return the first line; where the check could not have failed, that comes before what it found."""
        said = f"{sentences.agreement(self.rows, AGREE)}."
        if self._weakness:
            beginning = f"{self.outcome.capitalize()}: this check could not have failed: {self._weakness}."
            return [beginning, said[0].upper() + said[1:]]
        return [f"{self.outcome.capitalize()}: {said}"]

    def _what_is_wrong(self) -> list[str]:
        said = sentences.accusations(self.guilty)
        if not self.guilty and self.consequences:
            said.append(sentences.unexplained(self.consequences[0]))
        if self.note:
            said.append(f"{self.note}." if said else f"Wrong: {self.note}.")
        if self.guilty:
            apart = [row for row in self.consequences if not row.shares]
            by_itself, for_the_wrong = (
                ", ".join(row.quantity for row in apart if row.isolated.ok is ok) for ok in (True, False)
            )
            sharing = ", ".join(row.quantity for row in self.consequences if row.shares)
            said += [f"Wrong because of the same lines: {sharing}."] * bool(sharing)
            said += [f"Consequences, each right by itself: {by_itself}."] * bool(by_itself)
            said += [f"Right for the forward formula that is wrong: {for_the_wrong}."] * bool(for_the_wrong)
        return said or ["Not compared: there was no quantity to compare."]

    @property
    def _weakness(self) -> str:
        return self.power.weakness if self.power else ""

    @property
    def _remarks(self) -> list[str]:
        """Return what a reader should know besides, one line each."""
        one_row = self.ok and self.batch == 1 and any(row.end_to_end is not None for row in self.rows)
        of_rows = [f"{remark}." for row in self.rows if (remark := sentences.remark_of(row))]
        lines = ["With one sample, no sum over the samples was tested."] if one_row else []
        lines += [*of_rows, *(f"{remark}." for remark in self.remarks), sentences.left_out(self.not_compared)]
        return [line for line in lines if line]

    def to_dict(self) -> dict[str, Any]:
        """Return the report in terms that JSON knows; numbers that are not finite become None."""
        head: dict[str, Any] = {
            "ok": self.ok,
            "identical": self.identical,
            "outcome": self.outcome,
            "verdict": self.verdict,
        }
        head |= {"note": self.note, "remarks": list(self.remarks)}
        head |= {"not_compared": [{"name": name, "reason": reason} for name, reason in self.not_compared]}
        kind = {"batch": self.batch, "dtype": str(self.dtype), "device": str(self.device)}
        power = {"power": jsonable(asdict(self.power)) if self.power else None}
        return head | kind | power | {"rows": [row.to_dict() for row in self.rows]}

    def __str__(self) -> str:
        """Return the verdict, a table of all rows and what its columns mean, 80 columns wide.

        Letters that standard output cannot write are spelt, δ as delta: ``print(report)`` never fails.
        """
        table, verdict = Table(self.rows, self.alone), spelt(self.verdict, sys.stdout)
        paragraphs = [textwrap.fill(part, WIDTH) for part in verdict.splitlines()]
        if not self.rows:
            return "\n".join(paragraphs)
        text = "\n".join([*paragraphs, "", str(table), "", textwrap.fill(table.meaning, WIDTH)])
        return spelt(text, sys.stdout)

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        return as_html(self.verdict, Table(self.rows, self.alone))
