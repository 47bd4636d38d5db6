"""What a part of the benchmark other than the step times returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass
class Part:
    """A small table with its method, and the figures in it by name."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    method: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


class Measure(Protocol):
    """What a part's module offers."""

    def __call__(self, *, quick: bool = False) -> Part:
        """Measure; when quick, with less data or fewer rounds."""
