"""Images of another size."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from manual_bp.training.images.data import Images

BLOCK = 1024  # images resized in one go: 6 MB of float64 where they are 28 x 28


def resized(images: Images, side: int) -> Images:
    """Return the images side x side: each pixel is the mean over its area of the image, rounded.

    A pixel that the grid of the new ones cuts counts with the part that lies inside. The sums are whole numbers in
    float64, so they are exact; a mean half-way between two values goes to the even one.
    """
    if side < 1:
        raise ValueError(f"resized expects a side of at least 1 pixel, got {side}")
    pixels = resized_pixels(images.pixels, side)
    return images if pixels is images.pixels else replace(images, pixels=pixels)


def resized_pixels(pixels: Tensor, side: int) -> Tensor:
    """Return pixels (n, height, width) uint8 as (n, side, side); those of this size themselves."""
    n, height, width = pixels.shape
    if (height, width) == (side, side):
        return pixels
    rows, columns = _overlaps(height, side), _overlaps(width, side)
    scaled = pixels.new_empty(n, side, side)
    for old, new in zip(torch.split(pixels, BLOCK), torch.split(scaled, BLOCK), strict=True):
        new.copy_((rows @ old.double() @ columns.t()).div_(height * width).round_())
    return scaled


@lru_cache(maxsize=8)
def _overlaps(old: int, new: int) -> Tensor:
    """Return (new, old): how much of each old pixel lies in each new one; a whole old pixel counts ``new``.

    Each row adds up to ``old``.
    """
    starts, edges = torch.arange(old) * new, torch.arange(new)[:, None] * old
    overlap = torch.minimum(starts + new, edges + old) - torch.maximum(starts, edges)
    return overlap.clamp(min=0).double()
