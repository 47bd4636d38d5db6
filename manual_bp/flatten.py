"""Images as rows, and rows as images: the same numbers in another shape. No parameters, and no arithmetic.

forward    y = x, in another shape
backward   error of x = error of y, in the shape of x
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from operator import index

import torch
from torch import Tensor

from manual_bp.layer import ByName, check_rows


@dataclass(frozen=True)
class Flatten:
    """Turn x (N, ...) into rows (N, n), n numbers a sample: an image channel by channel, row by row.

    What comes out is a view of what goes in, where x lies in memory in that order.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, torch.Size]:
        """Return x as rows; saves its shape."""
        if not isinstance(x, Tensor) or x.ndim < 2 or 0 in x.shape:
            got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(f"Flatten expects x of shape (N, ...) with at least one number, got {got}")
        return x.flatten(1), x.shape

    def backward(self, error: Tensor, saved: torch.Size) -> tuple[Tensor, ByName]:
        """Return the error in the shape of x."""
        return _reshaped("Flatten", error, (saved[0], saved[1:].numel()), saved)


@dataclass(frozen=True)
class Unflatten:
    """Turn rows x (N, n) into (N, *shape): images, for a shape (c, h, w) with n = c h w."""

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check the shape."""
        try:
            shape = tuple(index(size) for size in self.shape)
        except TypeError:
            shape = ()
        if not shape or min(shape) < 1:
            raise ValueError(f"Unflatten expects a shape of whole numbers from 1, as (1, 28, 28), got {self.shape!r}")
        object.__setattr__(self, "shape", shape)

    def forward(self, x: Tensor) -> tuple[Tensor, torch.Size]:
        """Return rows in the shape; saves their own."""
        if not isinstance(x, Tensor):
            raise TypeError(f"Unflatten expects x as a torch.Tensor, got {type(x).__name__}")
        check_rows("Unflatten", "x", x, prod(self.shape), like=x)
        return x.reshape(len(x), *self.shape), x.shape

    def backward(self, error: Tensor, saved: torch.Size) -> tuple[Tensor, ByName]:
        """Return the error as rows."""
        return _reshaped("Unflatten", error, (saved[0], *self.shape), saved)


def _reshaped(owner: str, error: Tensor, expected: tuple[int, ...], shape: torch.Size) -> tuple[Tensor, ByName]:
    if tuple(error.shape) != expected:
        raise ValueError(f"{owner} expects the error of y of shape {expected}, got {tuple(error.shape)}")
    return error.reshape(shape), {}
