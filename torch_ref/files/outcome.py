"""What came of everything that was found: verdicts, and what was not checked, each with the reason."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from manual_bp.letters import spelt
from torch_ref.files.found import Checked
from torch_ref.verdict.report import Report
from torch_ref.verdict.table import WIDTH


@dataclass(frozen=True)
class Outcome:
    """A verdict, or the reason why there is none."""

    name: str
    title: str
    place: str
    inputs: Mapping[str, str]
    """The shape or the value of each, in words."""
    checked: Checked | None
    reason: str = ""
    way_out: str = ""
    """What to type, in lines that stand as they are."""

    @property
    def report(self) -> Report | None:
        """Return the report; None for what was not checked."""
        return self.checked.report if self.checked else None

    @property
    def ok(self) -> bool:
        """Tell whether it was checked, and is right."""
        return self.report is not None and self.report.ok

    @property
    def outcome(self) -> str:
        """Say in a word or two what was found."""
        return self.report.outcome if self.report else "not checked"

    @property
    def head(self) -> list[str]:
        """Return what was checked, where it stands, at what, and against what."""
        at = ", ".join(f"{name} {shown}" for name, shown in self.inputs.items())
        where = f" ({self.place})" if self.place else ""
        said = [f"{self.title}{where}{f', at {at}' if at else ''}."]
        return [*said, f"Compared with {self.checked.reference}."] if self.checked else said

    def text(self, *, table: bool = False) -> str:
        """Return name, verdict and, with ``table``, the table, 80 columns wide."""
        name = spelt(self.name, sys.stdout)
        lines = [name, "-" * len(name), *map(_filled, self.head), ""]
        if self.report is None:
            lines += [*map(_filled, self._why_not), spelt(self.way_out, sys.stdout)]
        elif table:
            lines.append(str(self.report))
        else:
            lines += map(_filled, self.report.verdict.splitlines())
        return "\n".join(lines).rstrip()

    def html(self) -> str:
        """Return the same for a notebook."""
        head = f"<h4>{escape(self.name)}</h4><p>{escape(' '.join(self.head))}</p>"
        if self.report is not None:
            return head + self.report._repr_html_()
        way_out = f"<pre>{escape(self.way_out)}</pre>" if self.way_out else ""
        return f"{head}<p>{escape(' '.join(self._why_not))}</p>{way_out}"

    @property
    def _why_not(self) -> list[str]:
        return [
            f"Not checked: {self.reason}.",
            *(["Give shapes as below, or write make_inputs():"] if self.way_out else []),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome in terms that JSON knows."""
        head = {"name": self.name, "what": self.title, "source": self.place, "inputs": dict(self.inputs)}
        reference = self.checked.reference if self.checked else None
        return head | {
            "ok": self.ok,
            "outcome": self.outcome,
            "reason": self.reason,
            "reference": reference,
            "report": self.report.to_dict() if self.report else None,
        }


@dataclass(frozen=True, repr=False)
class Outcomes:
    """Those of a whole file or cell."""

    of: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        """Tell whether everything that was found was checked and is right, and there is something."""
        return bool(self.of) and all(one.ok for one in self.of)

    @property
    def summary(self) -> str:
        """Return one line: how many are right, and the names of the others."""
        wrong = [one.name for one in self.of if one.outcome == "wrong"]
        left = [one.name for one in self.of if not one.ok and one.outcome != "wrong"]
        said = [f"{sum(one.ok for one in self.of)} of {len(self.of)} right"]
        said += [f"wrong: {', '.join(wrong)}"] * bool(wrong) + [f"not checked: {', '.join(left)}"] * bool(left)
        return f"{'; '.join(said)}."

    def text(self, *, table: bool = False) -> str:
        """Return all of them, and the summary."""
        parts = [*(one.text(table=table) for one in self.of), _filled(self.summary)]
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the outcomes in terms that JSON knows."""
        return {"ok": self.ok, "summary": self.summary, "checked": [one.to_dict() for one in self.of]}

    def __str__(self) -> str:
        """Return the text."""
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        return "".join(one.html() for one in self.of) + f"<p>{escape(self.summary)}</p>"


def _filled(line: str) -> str:
    return textwrap.fill(spelt(line, sys.stdout), WIDTH, break_long_words=False, break_on_hyphens=False)
