"""Pooling: one number for each window of an image, its largest or its mean. No parameters.

With the window p, q at the pixel u, v = p s + i, q s + j for each place i, j of the kernel (stride s):

    MaxPool2d   P1   y_cpq = max_ij x_cuv
                P2   error of x_cuv = Σ_pq e_cpq          over those windows whose largest pixel it is
    AvgPool2d   P3   y_cpq = Σ_ij x_cuv / (k_h k_w)
                P4   error of x_cuv = Σ_pq e_cpq / (k_h k_w)      over all windows that hold it

Where several pixels of a window are the largest, the first one in reading order takes the whole error. Windows that
overlap add their errors in the order in which they lie (autograd's), which is the kernel's order backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from manual_bp.layer import NEW, ByName, check_like, constant
from manual_bp.windows import Pair, Windows, check_images, pair


@dataclass(frozen=True)
class Pooling:
    """What the two poolings share: a kernel, and how far it moves; by its own size if nothing is said."""

    kernel: int | Pair
    stride: int | Pair | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        owner = type(self).__name__
        object.__setattr__(self, "kernel", pair(owner, "kernel", self.kernel, least=1))
        stride = self.kernel if self.stride is None else self.stride
        object.__setattr__(self, "stride", pair(owner, "stride", stride, least=1))

    @property
    def windows(self) -> Windows:
        """Return which pixels the kernel sees: what is left over at the right and below belongs to no window."""
        return Windows(self.kernel, self.stride)  # type: ignore[arg-type]  # pairs since __post_init__


class SavedWinners(NamedTuple):
    """What MaxPool2d's backward reads, and beside it scratch, which nothing reads from one call to the next."""

    winner: Tensor  # which place of the kernel has the largest pixel, counted row by row, (N, c, h′, w′)
    size: Pair  # h and w of x
    chosen: Tensor  # scratch, (N, c, h′, w′)
    sent: Tensor  # scratch, (N, c, h′, w′)


class MaxPool2d(Pooling):
    """Turn images x (N, c, h, w) into the largest pixel of each window, (N, c, h′, w′)."""

    def forward(self, x: Tensor, out: tuple[Tensor, SavedWinners] | None = None) -> tuple[Tensor, SavedWinners]:
        """Return y, the largest pixel of each window (P1); saves where it lies."""
        if out is None:
            check_images("MaxPool2d", x, self.windows)
        y, saved = out or self._new(x)
        for n, (_, _, _, (u, v)) in enumerate(self.windows.places(*x.shape[2:])):
            if n == 0:
                y.copy_(x[:, :, u, v])
                saved.winner.zero_()
                continue
            torch.gt(x[:, :, u, v], y, out=saved.chosen)
            saved.winner.masked_fill_(saved.chosen, n)
            torch.maximum(y, x[:, :, u, v], out=y)
        return y, saved

    def backward(
        self, error: Tensor, saved: SavedWinners, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return the error of x: that of y at the largest pixel of each window (P2)."""
        (winner, size, chosen, sent), (error_of_x, _) = saved, out or NEW
        if error_of_x is None:
            check_like("MaxPool2d", "the error of y", error, sent)
            error_of_x = error.new_empty(*error.shape[:2], *size)
        error_of_x.zero_()
        for n, (_, _, _, (u, v)) in reversed(list(enumerate(self.windows.places(*size)))):
            torch.eq(winner, n, out=chosen)
            error_of_x[:, :, u, v].add_(torch.mul(error, chosen, out=sent))
        return error_of_x, {}

    def _new(self, x: Tensor) -> tuple[Tensor, SavedWinners]:
        shape = (*x.shape[:2], *self.windows.counted(*x.shape[2:]))
        winner, chosen = (x.new_empty(shape, dtype=dtype) for dtype in (torch.int32, torch.bool))
        return x.new_empty(shape), SavedWinners(winner, (x.shape[2], x.shape[3]), chosen, x.new_empty(shape))


class SavedShare(NamedTuple):
    """What AvgPool2d's backward reads, and beside it scratch."""

    size: Pair  # h and w of x
    share: Tensor  # scratch, (N, c, h′, w′)


class AvgPool2d(Pooling):
    """Turn images x (N, c, h, w) into the mean of each window, (N, c, h′, w′)."""

    def forward(self, x: Tensor, out: tuple[Tensor, SavedShare] | None = None) -> tuple[Tensor, SavedShare]:
        """Return y, the sum over each window over the number of its pixels (P3); saves the size of x."""
        if out is None:
            check_images("AvgPool2d", x, self.windows)
        y, saved = out or self._new(x)
        y.zero_()
        for _, _, _, (u, v) in self.windows.places(*x.shape[2:]):
            y.add_(x[:, :, u, v])
        return y.div_(self._pixels(y)), saved

    def backward(
        self, error: Tensor, saved: SavedShare, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return the error of x: an equal share of that of y for every pixel of the window (P4)."""
        (size, share), (error_of_x, _) = saved, out or NEW
        if error_of_x is None:
            check_like("AvgPool2d", "the error of y", error, share)
            error_of_x = error.new_empty(*error.shape[:2], *size)
        torch.div(error, self._pixels(error), out=share)
        error_of_x.zero_()
        for _, _, _, (u, v) in reversed(list(self.windows.places(*size))):
            error_of_x[:, :, u, v].add_(share)
        return error_of_x, {}

    def _new(self, x: Tensor) -> tuple[Tensor, SavedShare]:
        shape = (*x.shape[:2], *self.windows.counted(*x.shape[2:]))
        return x.new_empty(shape), SavedShare((x.shape[2], x.shape[3]), x.new_empty(shape))

    def _pixels(self, like: Tensor) -> Tensor:
        """Return k_h k_w, the number of pixels in a window."""
        height, width = self.windows.kernel
        return constant(float(height * width), like.dtype)
