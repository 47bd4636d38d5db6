"""Dropout: in training each number is left out with probability p, and the others are scaled to make up for it.

    forward    D1    m_j = 1 / (1 − p) with probability 1 − p, else 0      the mask, a number for each number of x
               D2    y_j = m_j x_j
    backward   D3    error of x_j = m_j e_j

The mean of m_j is 1, so the next layer is given as much as without a mask. In tests nothing is left out: p is 0 there.

The mask is drawn from a generator that begins with the layer's seed, so a layer is a function as any other: the same x
gives the same y, by hand and by autograd, until whoever trains gives the layer another seed (``masks.draw_masks``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor
from torch.overrides import wrap_torch_function

from manual_bp.layer import NEW, ByName, check_like, constant

LARGEST = 2**63 - 1


@dataclass(frozen=True, eq=False, repr=False)
class Dropout:
    """Turn x (N, ...) into y = m x of the same shape, m a random mask.

    ``seed``, from 0, says which mask it is: give two layers of a network two seeds. ``first`` is the number of x's
    first row in the batch, where several processes share one. Both are kept in tensors of the layer's own, so that a
    step which is recorded and repeated draws anew.
    """

    p: float = 0.5
    seed: int | Tensor = 0
    first: int | Tensor = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not isinstance(self.p, float | int) or isinstance(self.p, bool) or not 0 <= self.p < 1:
            raise ValueError(f"Dropout expects a probability p from 0 to below 1, got {self.p!r}")
        for name in ("seed", "first"):
            number = _checked(name, getattr(self, name))
            object.__setattr__(self, name, torch.tensor(number, dtype=torch.int64, device="cpu"))

    def __repr__(self) -> str:
        """Return the probability: Dropout(0.5)."""
        return f"{type(self).__name__}({self.p:g})"

    def draw(self, seed: int, first: int = 0) -> None:
        """Let the mask be that of a seed, and x that part of a batch which begins at a row, from now on."""
        cast("Tensor", self.seed).fill_(_checked("seed", seed))
        cast("Tensor", self.first).fill_(_checked("first", first))

    def in_tests(self) -> Dropout:
        """Return the layer that stands here when the network is tested: nothing is left out."""
        return replace(self, p=0.0)

    def forward(self, x: Tensor, out: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return y = m x (D2); saves m."""
        if out is None:
            _check_numbers(x)
        y, mask = out or (torch.empty_like(x), torch.empty_like(x))
        filled(mask, 1 - self.p, cast("Tensor", self.seed), cast("Tensor", self.first))
        mask.div_(constant(1 - self.p, mask.dtype))  # D1
        return torch.mul(x, mask, out=y), mask

    def backward(
        self, error: Tensor, saved: Tensor, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return the error of x, m e (D3)."""
        mask, (error_of_x, _) = saved, out or NEW
        if error_of_x is None:
            check_like("Dropout", "the error of y", error, mask)
        return torch.mul(error, mask, out=error_of_x), {}


@wrap_torch_function(lambda mask, *_: (mask,))  # to a recorder it is one operation, which reads the seed anew
def filled(mask: Tensor, kept: float, seed: Tensor, first: Tensor) -> Tensor:
    """Write 1 with probability ``kept``, else 0, into each place of a mask: always the same for the same numbers."""
    if not mask.is_meta:
        batch = mask.new_empty(int(first) + len(mask), *mask.shape[1:]) if first else mask
        batch.bernoulli_(kept, generator=_generator(mask.device).manual_seed(int(seed)))
        if first:
            mask.copy_(batch[int(first) :])
    return mask


@lru_cache
def _generator(device: torch.device) -> torch.Generator:
    return torch.Generator(device)


def _checked(name: str, given: object) -> int:
    """Return a whole number from 0, or raise ValueError."""
    number = given.item() if isinstance(given, Tensor) and given.numel() == 1 else given
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= LARGEST:
        raise ValueError(f"Dropout expects {name} as a whole number from 0 to 2^63 - 1, got {given!r}")
    return number


def _check_numbers(x: Tensor) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"Dropout expects x as a torch.Tensor, got {type(x).__name__}")
    if not x.is_floating_point():
        raise TypeError(f"Dropout expects x of floating-point numbers, got {x.dtype}")
    if x.ndim < 2 or 0 in x.shape:
        raise ValueError(f"Dropout expects x of shape (N, ...) with at least one number, got {tuple(x.shape)}")
