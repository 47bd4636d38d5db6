"""What the causes for images share: the windows of a kernel, as they should lie and as they may lie by mistake.

The window p, q holds at the kernel's place i, j the pixel u = p stride + start + i, and v alike; outside of the image
stands 0. Another stride or another start is another ``View``: what a formula makes of it is what that mistake gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from torch_ref.known.general import other_samples
from torch_ref.known.scene import Candidate, Scene

OVERWRITTEN = "windows that overlap overwrite each other (= where += is meant)"


@dataclass(frozen=True)
class View:
    """Which pixels of images (N, c, h, w) stand under each place of the kernel: those of h′ × w′ windows."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    start: tuple[int, int]
    """The row and column of the first window's first pixel: 0, less the padding."""
    size: tuple[int, int]
    """h and w."""
    windows: tuple[int, int]
    """h′ and w′."""

    @classmethod
    def of(cls, s: Scene) -> View:
        """Return the windows of a layer as its settings say."""
        given = s.owner.windows  # type: ignore[attr-defined]  # of Conv2d and the poolings
        start = -given.padding[0], -given.padding[1]
        (*_, h, w), (*_, rows, columns) = s.x.shape, s.y.shape
        return cls(given.kernel, given.stride, start, (h, w), (rows, columns))

    @property
    def pixels(self) -> int:
        """Return the number of pixels in a window."""
        return self.kernel[0] * self.kernel[1]

    def read(self, x: Tensor) -> Tensor:
        """Return the pixels of all windows, (N, c, k_h, k_w, h′, w′)."""
        places, inside = self._places(x.device)
        return x.flatten(2)[:, :, places] * inside

    def added(self, columns: Tensor) -> Tensor:
        """Return images in which every pixel is the sum of what stands for it in the windows that hold it."""
        places, inside = self._places(columns.device)
        made = columns.new_zeros(*columns.shape[:2], self.size[0] * self.size[1])
        return self._images(made.index_add_(2, places.flatten(), (columns * inside).flatten(2)))

    def overwritten(self, columns: Tensor, written: Tensor | None = None) -> Iterator[Tensor]:
        """Yield what is left of that sum where each window, or each place of the kernel, overwrites those before.

        ``written`` tells, of the shape of ``columns``, what is written at all: everything if it is not given.
        """
        places, inside = self._places(columns.device)
        written = inside.bool().expand(columns.shape) if written is None else (written * inside).bool()
        for order in ((2, 3, 0, 1), (0, 1, 2, 3)):  # window by window, and place by place
            behind = (0, 1, *(dim + 2 for dim in order))
            sent, here = (part.permute(behind).flatten(2) for part in (columns, written))
            number = here * torch.arange(1, here.shape[2] + 1, device=columns.device)
            at = places.permute(order).flatten().expand(here.shape)
            last = number.new_zeros(*here.shape[:2], self.size[0] * self.size[1]).scatter_reduce(2, at, number, "amax")
            yield self._images(torch.cat([torch.zeros_like(sent[:, :, :1]), sent], 2).gather(2, last))

    def holding(self, like: Tensor) -> Tensor:
        """Return how many windows hold each pixel, (h, w); 1 where none does."""
        ones = like.new_ones(1, 1, *self.kernel, *self.windows)
        return self.added(ones)[0, 0].clamp_min(1)

    def others(self) -> Iterator[tuple[str, str, View]]:
        """Yield the views that a mistake gives, each with a code and in words."""
        if self.stride != (1, 1):
            yield "stride-ignored", "the stride is ignored: the windows lie side by side", replace(self, stride=(1, 1))
        if self.start != (0, 0):
            text = "the padding is ignored: the first window begins at the first pixel"
            yield "wrong-padding", text, replace(self, start=(0, 0))
        for (down, right), where in BESIDE.items():
            moved = replace(self, start=(self.start[0] + down, self.start[1] + right))
            yield "window-beside", f"the windows lie one pixel too far {where}", moved

    def _places(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return which pixel, counted row by row, stands where, (k_h, k_w, h′, w′); and 1 if it is in the image."""
        rows, columns = (
            torch.arange(k, device=device)[:, None] + step * torch.arange(windows, device=device) + start
            for k, step, windows, start in zip(self.kernel, self.stride, self.windows, self.start, strict=True)
        )
        u, v = rows[:, None, :, None], columns[None, :, None, :]
        h, w = self.size
        inside = (u >= 0) & (u < h) & (v >= 0) & (v < w)
        return (u * w + v) * inside, inside.double()

    def _images(self, rows: Tensor) -> Tensor:
        return rows.view(*rows.shape[:2], *self.size)


BESIDE = {(1, 0): "down", (-1, 0): "up", (0, 1): "to the right", (0, -1): "to the left"}


def of_some_windows(e: Tensor) -> Iterator[tuple[str, str, Tensor]]:
    """Yield the errors of y (N, c, h′, w′) with those of some windows set to 0, each with a code and in words."""
    for name, place in (("first", 0), ("last", -1)):
        only = torch.zeros_like(e)
        only[:, :, place, place] = e[:, :, place, place]
        yield "one-window", f"one window only (the {name})", only
    for line, dim in (("row", 2), ("column", 3)):
        for name, place in (("last", -1), ("first", 0)):
            without = e.clone()
            without.select(dim, place).zero_()
            yield "window-missing", f"the {name} {line} of windows is missing", without


def of_images(s: Scene) -> Iterator[Candidate]:
    """Yield the right images in the wrong places: of other samples, or with rows and columns exchanged."""
    for name, images in other_samples(s.right):
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", images)
    yield Candidate("transposed", "rows and columns of the image are exchanged", s.right.transpose(2, 3))
