"""What a check could have seen: the smallest mistakes that it would have rejected at these very numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Power:
    """The smallest changes that would have been rejected, each as a share of what is changed; None: none would."""

    factor: float | None
    """Everything times 1 + factor."""
    row: float | None
    """The same in one row of a gradient."""
    sample: float | None
    """The same in one sample's part of what is summed over the samples."""
    entry: float | None
    """The same in one entry."""
    dropped_sample: bool | None
    """Whether one sample that is left out of a sum would have been rejected; None where nothing is summed."""
    weakness: str = ""
    """Why the check could not have failed, in words; '' where it could."""
