"""Why a formula is wrong, in a form that both people and programs can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Cause:
    """The likely cause of a wrong formula."""

    code: str
    """One of ``codes.CODES``: programs read it, and it never changes."""
    text: str
    """The sentence for a reader."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """What the sentence says in numbers, by name: the factor, the share, the rows, the line."""
    searched: bool = field(default=False, compare=False)
    """Whether it was found by trying mistakes in the reference, and is not one that is known of the formula."""


class Code(NamedTuple):
    """What the documentation says of one code."""

    meaning: str
    example: str
    """The smallest example, as code; # marks what is wrong."""
    mend: str
