"""What a formula was given and what it made of it, and what would come out if it had a certain mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from torch import Tensor
from torch.linalg import vector_norm

from torch_ref.numbers.agreement import relative_difference
from torch_ref.numbers.witness import Tensors

UNEXPLAINED = 0.05
"""Of the difference from the right numbers: how much of it a cause may leave unexplained."""


class Candidate(NamedTuple):
    """A mistake, and the numbers that it would give."""

    code: str
    text: str
    tensor: Tensor
    numbers: Mapping[str, Any] = {}  # of a NamedTuple: nobody writes into it


class Addition(NamedTuple):
    """A mistake that adds some multiple of a tensor to the right numbers."""

    code: str
    text: str
    """Says {share} where the multiple belongs."""
    tensor: Tensor


@dataclass(frozen=True)
class Scene:
    """What a formula was given and what it made of it, all in float64; what a step does not have is empty."""

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
    sign: int
    """−1 where the formula gives the error of its input, −∂L/∂input; +1 where it gives the gradient."""
    others: Tensors
    """Parameters, and for a loss t and the network's answer y."""
    tolerance: float
    """Of the norm: how near a candidate has to come."""
    is_batch: bool = False
    """The rows of x are samples, as those of a layer or a loss are; of anybody's function nobody knows."""
    outputs: int = 1
    """How many outputs there are; y is the first."""

    @property
    def n(self) -> int:
        """Return the number of rows, N."""
        return self.x.shape[0] if self.x.ndim else 1

    @property
    def may_be_batch(self) -> bool:
        """Tell whether the rows of x can be samples: the output has as many rows, or is one number."""
        return self.is_batch or self.y.ndim == 0 or self.y.shape[0] == self.n

    @property
    def over(self) -> int:
        """Return what a loss divides its sum over the samples by: N for the mean."""
        return self.n if getattr(self.owner, "reduction", "") == "mean" else 1

    @property
    def upstream(self) -> Tensor:
        """Return what flows back into the formula, with the sign of what it gives: the error of y, or ∂L/∂y."""
        return -self.sign * self.error

    @cached_property
    def allowed(self) -> float:
        """Return how far a candidate may be off, of the norm of what was seen: it explains the whole difference."""
        return min(self.tolerance, UNEXPLAINED * relative_difference(self.right, self.by_hand))

    def fits(self, candidate: Tensor) -> bool:
        """Tell whether a candidate gives the numbers seen: far nearer than the right ones do."""
        if candidate.shape != self.by_hand.shape or self._is_far(candidate):
            return False
        return relative_difference(candidate, self.by_hand) <= self.allowed

    def _is_far(self, candidate: Tensor) -> bool:
        """Tell at once, by plain arithmetic, that a candidate does not give the numbers seen; most do not."""
        return float(vector_norm(candidate - self.by_hand)) > 2 * self.allowed * self._size > 0

    @cached_property
    def _size(self) -> float:
        return float(vector_norm(self.by_hand))


Candidates = Callable[[Scene], Iterator[Candidate | Addition]]
"""What may be wrong with a formula."""
