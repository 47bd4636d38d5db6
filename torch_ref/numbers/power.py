"""What a check could have seen: the smallest mistakes that it would have rejected at these very numbers.

A mistake that changes a result r into r + s·c is seen where the norm of a slice, |error + s·c|, passes a limit. That is
a quadratic equation in the share s, one for each slice; the smallest of its solutions is what the check can see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torch_ref.numbers.witness import Level, doubled_tensor, sums_of

At = tuple[slice, ...]
"""Where a tensor is changed, one slice for each dimension."""


TINY = 1e-140
"""The square of a change, in units of the largest number: squares of a share of less are no numbers in float64."""


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


class Room:
    """How far a result with an error may still be moved before each of several limits is passed."""

    def __init__(self, error: Tensor, limits: Sequence[Sequence[Level]], unit: float = 1.0, every: int = 1) -> None:
        """Take the error of a result and limits at every level, all in a unit; a mistake has to pass one of each.

        Where they are of one row in ``every`` so many, the whole has as many times their squares.
        """
        self.error, self.limits, self.unit, self.every = error, limits, unit, every
        self._taken = [level.norms for level in sums_of(error.abs() ** 2)]

    @property
    def _over_rows(self) -> list[str]:
        """Return the levels at which the rows are added."""
        return ["tensor", *(f"slice {dim}" for dim in range(1, self.error.ndim))]

    def smallest(self, change: Tensor, at: At | None = None) -> float | None:
        """Return the smallest share of a change, of what is ``at`` a place only, that is seen; None: not all of it."""
        is_local, at = at is not None, (slice(None),) * self.error.ndim if at is None else at
        changed, error = doubled_tensor(change[at]) / self.unit, self.error[at]
        across = [level.norms for level in sums_of((error.conj() * changed).real)]
        squares = list(sums_of(changed.abs() ** 2))
        found = 0.0
        for limits in self.limits:
            least = float("inf")
            for i, (name, c, _) in enumerate(squares):
                b, a, limit = across[i], _part(self._taken[i], name, at), _part(limits[i].norms, name, at) ** 2
                if is_local and name in self._over_rows:
                    a, limit = a * self.every, limit * self.every
                share = ((b**2 + c * (limit - a)).clamp(min=0).sqrt() - b) / c
                share = torch.where(c > TINY, torch.where(a > limit, 0.0, share), torch.inf)
                least = min(least, float(share.min()))
            found = max(found, least)
        return found if found <= 1 else None


def _part(norms: Tensor, name: str, at: At) -> Tensor:
    """Return the part of the norms of a level that the change at a place touches."""
    if name == "tensor":
        return norms
    if name.startswith("slice"):
        return norms[at[int(name.split()[1])]]
    return norms[at[:-1]] if name == "row" else norms[at]
