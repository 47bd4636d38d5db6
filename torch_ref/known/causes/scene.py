"""What a formula was given and what it made of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from torch_ref.numbers.agreement import relative_difference
from torch_ref.numbers.witness import Tensors

UNEXPLAINED = 0.05
"""Of the difference from the right numbers: what a cause may leave over."""

Candidate = tuple[str, Tensor]
"""A cause in words, and what would come out if it were so."""


@dataclass(frozen=True)
class Scene:
    """What a formula was given and what it made of it, all in float64; what a step lacks is empty."""

    owner: object
    makes: str
    """forward, error, output, or the name of a parameter (an input) for its gradient."""
    by_hand: Tensor
    right: Tensor
    x: Tensor
    y: Tensor
    """The output: L for a loss."""
    error: Tensor
    """The error of y."""
    others: Tensors
    """Parameters, and for a loss t and the network's answer y."""
    tolerance: float
    """Of the norm: how near a candidate has to come."""

    @property
    def n(self) -> int:
        """Return the number of rows, N."""
        return self.x.shape[0] if self.x.ndim else 1

    @property
    def over(self) -> int:
        """Return what a loss divides its sum over the samples by: N for the mean."""
        return self.n if getattr(self.owner, "reduction", "") == "mean" else 1

    @cached_property
    def allowed(self) -> float:
        """Return how far a candidate may be off, of the norm of what was seen: it explains the whole difference."""
        return min(self.tolerance, UNEXPLAINED * relative_difference(self.right, self.by_hand))

    def fits(self, candidate: Tensor) -> bool:
        """Tell whether a candidate gives the numbers seen: far nearer than the right ones do."""
        same_shape = candidate.shape == self.by_hand.shape
        return same_shape and relative_difference(candidate, self.by_hand) <= self.allowed
