"""From a file to shades of grey: a picture of any format that Pillow reads, or one error where it is none.

Colours become their brightness, 0.299 red + 0.587 green + 0.114 blue.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from manual_bp.training.images.paths import found_at, is_file, shown


def decoded(path: Path, reader: str = "read_picture") -> Image.Image:
    """Return the first picture of a file, upright, in 8-bit grey, laid on a ground where it is transparent.

    Raises FileNotFoundError where there is no file, ValueError where it holds no picture; ``reader`` is who says so.
    """
    if not is_file(path):
        raise FileNotFoundError(f"{reader} expects the file {shown(path)}: it is {found_at(path)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow can read past, such as flaws in the metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if picture.format == "EPS":
                    raise ValueError("EPS is a program, which would be run; save it as PNG")
                return _grey(ImageOps.exif_transpose(picture))
    except Exception as error:  # a damaged file makes decoders raise whatever comes: SyntaxError, struct.error, ...
        raise ValueError(f"{reader} expects a picture that can be read in {shown(path)}: {error}") from error


def _grey(picture: Image.Image) -> Image.Image:
    if picture.mode[0] in "IF":
        return _eight_bits(np.asarray(picture, dtype=np.float64), 65535 if picture.mode.startswith("I;16") else None)
    if not picture.has_transparency_data:
        return picture.convert("L")
    grey, alpha = picture.convert("RGBA").convert("LA").split()
    laid = Image.new("L", grey.size, _ground_below(np.asarray(grey), np.asarray(alpha)))
    laid.paste(grey, mask=alpha)
    return laid


def _eight_bits(tones: NDArray[np.float64], white: int | None) -> Image.Image:
    """Scale from 0 to ``white`` where that is agreed on and made use of, else from the least tone to the greatest."""
    low, high = (0, white) if white and tones.max() > white / 2 else (tones.min(), tones.max())
    if not np.isfinite(high - low):
        raise ValueError("its tones are not all finite numbers")
    return Image.fromarray(np.rint(255 * (tones - low) / (high - low or 1)).astype(np.uint8))


def _ground_below(grey: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> int:
    """Return the tone to lay a transparent picture on: its paper's own, or black under light ink, white under dark.

    It has paper if most of it is opaque, in more than one tone.
    """
    visible = grey[2 * alpha.astype(np.int16) > alpha.max()]
    if visible.size > grey.size / 2 and np.ptp(visible) > 64:
        return int(np.median(visible))
    return 255 if visible.size and visible.mean() < 128 else 0
