"""Images rotated, scaled, sheared, moved and bent at random, a block of them at a time.

A distortion says for each pixel of the new image which place of the old one it shows. Places between pixels are
interpolated, and what lies outside is background, 0. An affine distortion is one linear map and one translation for the
whole image; an elastic one adds a displacement to each pixel (P. Simard, D. Steinkraus and J. Platt, Best practices for
convolutional neural networks applied to visual document analysis, 2003).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from manual_bp.training.images.fields import strip

STRIP = 8192  # displacement fields of an epoch, for each direction; more images share them, in other pairs
CHUNK = 64  # images distorted in one go: what they need then stays in the cache
BILINEAR, ZEROS = 0, 0  # how grid_sampler_2d interpolates, and what lies outside


@dataclass(frozen=True)
class Ranges:
    """How far images are distorted: each number is drawn from -range to range, as likely as any other between.

    Lengths are pixels of images whose shorter side is 28, and go with that side: 14 pixels have half of them.
    """

    rotation: float = 12.0  # degrees
    scale: float = 0.12  # horizontally and vertically, each by itself: from 0.88 to 1.12
    shear: float = 0.15
    shift: float = 1.5  # pixels, in each direction
    sigma: float = 5.5  # pixels: how wide noise from -1 to 1 is smoothed for a displacement field,
    alpha: float = 37.0  # and its factor then; 0 is affine

    def __post_init__(self) -> None:
        """Raise ValueError for a number out of its range."""
        least = min(self.rotation, self.scale, self.shear, self.shift, self.alpha)
        if not (least >= 0 and self.scale < 1 and self.sigma > 0):
            raise ValueError(f"Ranges expects numbers of at least 0, a scale below 1 and a sigma above 0, got {self}")


AFFINE = Ranges(alpha=0.0)
ELASTIC = Ranges()


class Drawn(NamedTuple):
    """The distortions of n images.

    Pixel (x, y) of image i, in pixels from the centre, shows the place ``maps[i] @ (x, y, 1)`` plus the displacement
    that the two windows of ``fields`` beginning at ``begins[i]`` have for it. Places, displacements too, are in the
    units of ``grid_sampler_2d``: -1 and 1 are the edges of the image.
    """

    maps: Tensor  # (n, 2, 3): of x, of y
    begins: Tensor | None = None  # (n, 2): of x, of y
    fields: Tensor | None = None  # (places to begin, height * width)


class Distortions:
    """Random distortions of images of height × width pixels, in numbers of ``dtype`` on a device."""

    def __init__(self, height: int, width: int, ranges: Ranges, like: Tensor) -> None:
        """Make room for a chunk, of the dtype and on the device of ``like``."""
        if min(height, width) < 2:
            raise ValueError(f"Distortions expects images of at least 2 x 2 pixels, got {height} x {width}")
        self.height, self.width, self.ranges = height, width, ranges
        self._unit = min(height, width) / 28  # pixels here for one of the ranges
        self._x, self._y = (torch.arange(side).to(like) - (side - 1) / 2 for side in (width, height))
        self._places = like.new_empty(2 * CHUNK, height * width)  # for each image those of x, then those of y

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """Return random distortions of n images: the same numbers on every device, with any number of threads."""
        maps = self._maps(n, generator).to(self._places)
        if not self.ranges.alpha:
            return Drawn(maps)
        count = min(n, STRIP)
        fields = [self._strip(side, count, generator).flatten() for side in (self.width, self.height)]
        begins = torch.randint(count, (n, 2), generator=generator) * self.width
        begins[:, 1] += len(fields[0])
        windows = torch.cat(fields).to(self._places).unfold(0, self.height * self.width, 1)
        return Drawn(maps, begins.to(windows.device), windows)

    def _maps(self, n: int, generator: torch.Generator) -> Tensor:
        """Return maps (n, 2, 3) in float64: scaled, then sheared, then rotated, then moved.

        Sine and cosine are numpy's: torch shares the numbers out among threads, and the last bit may depend on how.
        """
        ranges = self.ranges
        drawn = torch.rand(n, 6, generator=generator, dtype=torch.float64) * 2 - 1
        angle = drawn[:, 0].numpy() * math.radians(ranges.rotation)
        sine, cosine = torch.from_numpy(np.sin(angle)), torch.from_numpy(np.cos(angle))
        wide, high = 1 + ranges.scale * drawn[:, 1], 1 + ranges.scale * drawn[:, 2]
        shear, (right, down) = ranges.shear * drawn[:, 3], self._unit * ranges.shift * drawn[:, 4:].T
        x = torch.stack([cosine * wide, (cosine * shear - sine) * high, right], 1)
        y = torch.stack([sine * wide, (sine * shear + cosine) * high, down], 1)
        return torch.stack([x * (2 / self.width), y * (2 / self.height)], 1)

    def _strip(self, side: int, count: int, generator: torch.Generator) -> Tensor:
        """Return displacements along a side: ``count`` fields that begin a row apart.

        Smoothed over twice the length, noise is half as large: with the side, the square of it goes into the factor.
        """
        rows = count + self.height - 1
        smooth = strip(rows, self.width, self.ranges.sigma * self._unit, generator)
        return smooth * (self.ranges.alpha * self._unit**2 * 2 / side)

    def distort(self, x: Tensor, rows: Tensor, drawn: Drawn) -> None:
        """Distort images x (N, height * width) in place, x[i] as drawn for image rows[i]."""
        for images, numbers in zip(torch.split(x, CHUNK), torch.split(rows, CHUNK), strict=True):
            n, maps = len(images), drawn.maps[numbers]
            across, down = maps[:, :, 0:1] * self._x + maps[:, :, 2:3], maps[:, :, 1:2] * self._y
            windows = self._places[: 2 * n]
            places = windows.view(n, 2, self.height, self.width)
            if drawn.begins is None or drawn.fields is None:
                torch.add(across[:, :, None, :], down[:, :, :, None], out=places)
            else:
                torch.index_select(drawn.fields, 0, drawn.begins[numbers].flatten(), out=windows)
                places.add_(across[:, :, None, :]).add_(down[:, :, :, None])
            old = images.view(n, 1, self.height, self.width)
            new = torch.grid_sampler_2d(old, places.permute(0, 2, 3, 1), BILINEAR, ZEROS, align_corners=False)
            images.copy_(new.view_as(images))
