"""One thing that a file has to check, whatever its kind, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch_ref.files.inputs import Wanted
from torch_ref.verdict.report import Report


class NotCheckedError(Exception):
    """Something was found that cannot be checked as it stands, with the reason and the way out."""


@dataclass(frozen=True)
class Settings:
    """How everything is checked."""

    strict: bool = False
    power: bool = True
    second_order: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Return what every check takes."""
        return {"strict": self.strict, "power": self.power}


@dataclass(frozen=True)
class Checked:
    """A report, and what the thing was compared with."""

    report: Report
    reference: str

    def having(self, *remarks: str) -> Checked:
        """Return the same with more remarks."""
        return replace(self, report=replace(self.report, remarks=(*self.report.remarks, *remarks)))


class Found(Protocol):
    """A pair of functions, an autograd Function, a layer or an object."""

    @property
    def name(self) -> str:
        """Return what it is called on the command line and in a report."""

    @property
    def title(self) -> str:
        """Say in some words what it is."""

    @property
    def members(self) -> tuple[str, ...]:
        """Return the names in the file that it consists of."""

    @property
    def place(self) -> str:
        """Return file and line of its backward."""

    @property
    def wanted(self) -> Wanted:
        """Return the arguments that need inputs; raise NotCheckedError where it is known that it cannot be checked."""

    @property
    def made_from(self) -> tuple[str, ...]:
        """Return those of them that a class is made from, which may be whole numbers."""

    def run_forward(self, inputs: Mapping[str, Any]) -> Any:
        """Return what its forward gives."""

    def check(self, inputs: Mapping[str, Any], settings: Settings) -> Checked:
        """Check it; raise NotCheckedError where that cannot be done."""
