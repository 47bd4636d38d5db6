"""The windows that a kernel sees as it slides over images: which pixels stand under each of its places.

An image of height h and width w, with ``padding`` rows and columns of zeros around it, has h′ × w′ windows:

    h′ = ⌊(h + 2 padding − k_h) / stride⌋ + 1        and w′ alike

The window p, q holds at the kernel's place i, j the pixel  u = p stride + i − padding,  v = q stride + j − padding.
So one place of the kernel sees a shifted copy of the image, whichever window it is in: a convolution and a pooling are
sums, or maxima, over k_h k_w such copies. Forward reads each copy, and backward adds to the very same pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import index
from typing import Any, NamedTuple

from torch import Tensor

from manual_bp.layer import check_kind

Pair = tuple[int, int]
"""Two whole numbers: of rows and of columns."""


class Place(NamedTuple):
    """A place i, j of the kernel, the windows in which it lies on a pixel, and that pixel in each of them."""

    i: int
    j: int
    windows: tuple[slice, slice]
    """Of h′ and w′: where padding lies under the place, the window is left out."""
    pixels: tuple[slice, slice]
    """Of h and w, in the same order."""


@dataclass(frozen=True)
class Windows:
    """The windows of a kernel: its size, how far it moves, and how many zeros stand around the image."""

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    def counted(self, height: int, width: int) -> Pair:
        """Return h′ and w′: how many windows lie below and beside each other. Less than 1: none fits."""
        h, w = (
            (size + 2 * around - k) // step + 1
            for size, k, step, around in zip((height, width), self.kernel, self.stride, self.padding, strict=True)
        )
        return h, w

    def places(self, height: int, width: int) -> Iterator[Place]:
        """Yield the places of the kernel, row by row, but those which lie on zeros in every window."""
        h, w = self.counted(height, width)
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                rows, above = _under(i, h, height, self.stride[0], self.padding[0])
                columns, left = _under(j, w, width, self.stride[1], self.padding[1])
                if rows.start < rows.stop and columns.start < columns.stop:
                    yield Place(i, j, (rows, columns), (above, left))


def _under(place: int, windows: int, pixels: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Return in which windows a place of the kernel lies on a pixel, along one side of the image, and on which."""
    first = max(0, -(-(padding - place) // stride))  # p stride + i − padding >= 0
    end = min(windows, (pixels - 1 + padding - place) // stride + 1)  # ... <= pixels − 1
    start = first * stride + place - padding
    return slice(first, end), slice(start, (end - 1) * stride + place - padding + 1, stride)


def pair(owner: str, name: str, value: Any, least: int) -> Pair:
    """Return a number for both sides, or one for each, as a pair. Raise ValueError for anything else."""
    given = tuple(value) if isinstance(value, tuple | list) else (value, value)
    try:
        found = tuple(index(n) for n in given if not isinstance(n, bool))
    except TypeError:
        found = ()
    if len(found) != 2 or len(given) != 2 or min(found) < least:
        raise ValueError(f"{owner} expects {name} as a whole number from {least}, or a pair of them, got {value!r}")
    return found[0], found[1]


def check_images(owner: str, x: Any, windows: Windows, channels: int | None = None, like: Tensor | None = None) -> None:
    """Raise unless x is a tensor (N, c, h, w) with N >= 1 that has at least one window."""
    shape = f"(N, {'c' if channels is None else channels}, h, w)"
    if not isinstance(x, Tensor):
        raise TypeError(f"{owner} expects x as a torch.Tensor, got {type(x).__name__}")
    if x.ndim != 4 or (channels is not None and x.shape[1] != channels):
        raise ValueError(f"{owner} expects x of shape {shape}, got {tuple(x.shape)}{_how_to_make_images(x)}")
    if x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(f"{owner} expects x with at least one image and channel, got {tuple(x.shape)}")
    if not x.is_floating_point():
        raise TypeError(f"{owner} expects x of a floating-point dtype, got {x.dtype}")
    if min(windows.counted(*x.shape[2:])) < 1:
        raise ValueError(
            f"{owner} expects images at least as large as its kernel {windows.kernel}, got {tuple(x.shape[2:])}"
            + (f" and padding {windows.padding}" if any(windows.padding) else "")
        )
    if like is not None:
        check_kind(owner, "x", x, like)


def _how_to_make_images(x: Tensor) -> str:
    return ": Unflatten((c, h, w)) turns rows into images" if x.ndim == 2 else ""
