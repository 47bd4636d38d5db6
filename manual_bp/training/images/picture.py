"""A picture from anywhere as network input: light ink on a ground of 0, at the place and size of the data set's images.

A digit goes the way of MNIST's own: cut out, scaled into a box of 20 of 28 pixels, its centre of mass in the middle.
Before that the paper is taken away, however it is lit, and thin strokes are thickened: MNIST's are 2 to 3 pixels wide.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps
from PIL.Image import Resampling
from torch import Tensor

from manual_bp.training.images.decoding import decoded
from manual_bp.training.images.pieces import without_frame

Tones = NDArray[np.float32]  # (height, width)

WORKING_SIZE = 800  # pixels of the longer side: a digit of a thirtieth of it still has as many as it needs
PAPER_GRID = 100  # points of the longer side by which paper is known: light changes slowly
GRAIN = 1 / 500  # of the longer side: what is smaller than this is noise
STROKE = 2.0  # least width of a stroke, in pixels of a digit 20 high
FINE = 5  # a digit is thickened at this many times its final size


def read_picture(path: Path, side: int, *, like_mnist: bool) -> Tensor:
    """Return the picture in a file as (side, side) uint8, ink 255 on 0.

    A picture of just this size keeps its pixels, inverted if its ground is light. Of any other size, a digit is
    prepared ``like_mnist``; anything else is scaled into the square as it stands.

    Raises FileNotFoundError where there is no file, ValueError where it holds no picture or nothing is drawn on it.
    """
    picture = decoded(path)
    if picture.size == (side, side):
        picture = _light_on_dark(picture)
    elif like_mnist:
        picture = _digit(picture, side)
    else:
        picture = _whole(picture, side)
    low, high = picture.getextrema()
    if low == high:
        raise ValueError(f"read_picture expects something drawn in {path}: nothing stands out from its ground")
    return torch.from_numpy(np.array(picture))


# ------------------------------------------------------------------------------------------------- ground and ink


def _ground(tones: NDArray[np.uint8]) -> float:
    """Return the most frequent tone of the border, to a thirty-second of the scale."""
    border = np.concatenate([tones[0], tones[-1], tones[:, 0], tones[:, -1]])
    return float(border[border >> 3 == np.bincount(border >> 3).argmax()].mean())


def _light_on_dark(picture: Image.Image) -> Image.Image:
    """Invert a picture that strays from its ground to the dark side more than to the light one."""
    tones = np.asarray(picture)
    return ImageOps.invert(picture) if ((tones - _ground(tones)) ** 3).sum() < 0 else picture


def _whole(picture: Image.Image, side: int) -> Image.Image:
    """Scale the whole picture into the square, its ground at 0."""
    tones = np.asarray(_light_on_dark(picture))
    ground = _ground(tones)
    ink = ((tones - ground) / max(255 - ground, 1)).clip(0).astype(np.float32)
    small = _fitted(ink, side, Resampling.BICUBIC).clip(0, 1)
    height, width = small.shape
    return _placed(small, side, (side - height) // 2, (side - width) // 2)


def _fitted(tones: Tones, longest: int, how: Resampling) -> Tones:
    """Scale an array so that its longer side has ``longest`` pixels."""
    height, width = (max(1, round(longest * n / max(tones.shape))) for n in tones.shape)
    return np.asarray(Image.fromarray(tones).resize((width, height), how))


def _placed(ink: Tones, side: int, top: int, left: int) -> Image.Image:
    """Put ink, from 0 to 1, into a square picture of (side, side)."""
    square = np.zeros((side, side), dtype=np.uint8)
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = np.rint(255 * ink)
    return Image.fromarray(square)


# ------------------------------------------------------------------------------------------- a digit like MNIST's


def _digit(picture: Image.Image, side: int) -> Image.Image:
    """Cut the digit out of its paper, scale it into a box of 20/28 of the side, centre it by mass."""
    picture.thumbnail((WORKING_SIZE, WORKING_SIZE), Resampling.BOX)
    picture = picture.filter(ImageFilter.GaussianBlur(max(picture.size) * GRAIN))
    ink = without_frame(_without_paper(np.asarray(picture, dtype=np.float32)))
    if not ink.any():
        return Image.new("L", (side, side))
    box = max(1, round(side * 20 / 28))
    digit = _fitted(_thickened(_fitted(_cropped(ink), FINE * box, Resampling.BOX)), box, Resampling.BOX)
    return _centred(digit / digit.max(), side)


def _without_paper(tones: Tones) -> Tones:
    """Return ink from 0 to 1, all 0 if nothing stands out from the noise of the paper."""
    paper, noise = _paper(tones)
    ink = tones - paper
    if (ink.astype(np.float64) ** 3).sum() < 0:  # strays to the dark side more than to the light one
        ink = -ink
    floor = max(4 * noise, 4)  # by chance, one pixel in 30,000 is brighter
    ink = (ink - floor).clip(0)
    full = np.percentile(ink[ink > 0], 90) if ink.any() else 0
    return (ink / full).clip(0, 1) if full > floor / 2 else np.zeros_like(ink)  # chance stays below


def _paper(tones: Tones) -> tuple[Tones, float]:
    """Return the tones of the paper, a quadratic surface of the place, and the deviation of its noise.

    The surface is fitted to the border, then again and again to all that lies near it.
    """
    step = -(-max(tones.shape) // PAPER_GRID)
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in tones.shape)
    sample, terms = tones[::step, ::step], _quadratic(y[::step], x[::step])
    edge = max(1, round(0.02 * max(sample.shape)))
    near = np.ones(sample.shape, dtype=bool)
    near[edge:-edge, edge:-edge] = False
    tone = np.median(sample[near])
    far = 0.15 * np.ptp(sample)  # surely ink, which may touch the border
    near &= np.abs(sample - tone) <= far
    surface, noise = np.array([tone, 0, 0, 0, 0, 0], dtype=np.float32), 0.0
    for n in (1, 1, 3, 3, 6, 6, 6, 6):  # flat, then tilted, then bent: a bend is told by much paper only
        if near.sum() < n:  # of a picture of a few pixels
            break
        surface[:n], surface[n:] = np.linalg.lstsq(terms[near][:, :n], sample[near], rcond=None)[0], 0
        off = np.abs(sample - terms @ surface)
        noise = 1.4826 * float(np.median(off[near]))  # of normal noise, the deviation
        near = off <= min(max(3 * noise, 2), far)
    return _quadratic(y, x) @ surface, noise


def _quadratic(y: Tones, x: Tones) -> Tones:
    """Return the terms of a quadratic surface over a grid: (height, width, 6)."""
    y, x = np.meshgrid(y, x, indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def _cropped(ink: Tones) -> Tones:
    """Cut out the rows and columns from the first to the last that has a pixel of more than a third of full ink."""
    rows, columns = (np.flatnonzero((ink > 0.35).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _thickened(ink: Tones) -> Tones:
    """Widen strokes to ``STROKE``; their width is twice their area over what a rim of one pixel has of it."""
    solid = Image.fromarray(np.pad(ink > 0.5, 1).astype(np.uint8))
    area, core = (int(np.asarray(picture).sum()) for picture in (solid, solid.filter(ImageFilter.MinFilter(3))))
    width = 2 * area / max(area - core, 1)
    grow = max(0, round((FINE * STROKE - width) / 2))
    padded = Image.fromarray(np.pad(ink, grow))
    return np.asarray(padded.filter(ImageFilter.MaxFilter(2 * grow + 1)))


def _centred(ink: Tones, side: int) -> Image.Image:
    """Put the centre of mass on pixel (side/2, side/2), where MNIST has it, or as near as the frame allows."""
    top, left = (round(side / 2 - (ink.sum(1 - axis) @ np.arange(n)) / ink.sum()) for axis, n in enumerate(ink.shape))
    top, left = (min(max(0, at), side - n) for at, n in zip((top, left), ink.shape, strict=True))
    return _placed(ink, side, top, left)
