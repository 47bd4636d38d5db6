"""What a formula was given and what it made of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from torch_ref.compare import Tensors, relative_difference

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

    def fits(self, candidate: Tensor) -> bool:
        """Tell whether a candidate gives the numbers seen, and not the right ones."""
        if candidate.shape != self.by_hand.shape:
            return False
        return self._is(candidate, self.by_hand) and not self._is(candidate, self.right)

    def _is(self, a: Tensor, b: Tensor) -> bool:
        return relative_difference(a, b) <= self.tolerance
