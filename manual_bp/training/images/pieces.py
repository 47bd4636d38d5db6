"""The pieces of ink in a picture: whether it shows several things, and a digit without the frame around it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ink = NDArray[np.float32]  # (height, width), from 0 to 1
Mask = NDArray[np.bool_]  # (height, width)

GRID = 140  # points of the longer side on which pieces are told apart
LARGE = 0.4  # share of the largest piece's height from which a piece counts as a thing of its own
CORNER = 0.12  # share of a frame's sides within which its corners are; a zero has no ink there


class Piece(NamedTuple):
    """Ink that hangs together: where it is, and its rows and columns from the first to behind the last."""

    mask: Mask
    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Count the rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Count the columns."""
        return self.right - self.left


def pieces(mask: Mask) -> list[Piece]:
    """Return the pieces of a mask, the largest box first; pixels that touch at a corner hang together."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:  # each pixel takes the largest number around it, until nothing changes
        grown = np.pad(labels, 1)
        grown = np.maximum(np.maximum(grown[:-2], grown[1:-1]), grown[2:])
        grown = np.maximum(np.maximum(grown[:, :-2], grown[:, 1:-1]), grown[:, 2:])
        grown = np.where(mask, grown, 0)
        if (grown == labels).all():
            break
        labels = grown
    found = [_piece(labels == number) for number in np.unique(labels) if number]
    return sorted(found, key=lambda piece: piece.height * piece.width, reverse=True)


def _piece(mask: Mask) -> Piece:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return Piece(mask, rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)


def shows_several(ink: Ink) -> bool:
    """Return whether the ink looks like several digits: large pieces apart from each other, or a row of them."""
    found = pieces(ink > 0.25)
    if not found:
        return False
    tallest = max(piece.height for piece in found)
    large = [piece for piece in found if piece.height >= LARGE * tallest]
    beside = any(a.right <= b.left for a in large for b in large)
    below = any(a.bottom <= b.top for a in large for b in large)
    whole = _piece(ink > 0.25)
    return beside or below or whole.width > 2 * whole.height


def without_frame(ink: Ink) -> Ink:
    """Return the ink inside a frame of four sides, where there is one around everything else; all of it elsewhere."""
    step = -(-max(ink.shape) // GRID)
    coarse = np.pad(ink, [(0, -n % step) for n in ink.shape])
    coarse = coarse.reshape(coarse.shape[0] // step, step, -1, step).max((1, 3))
    found = pieces(coarse > 0.35)
    if not found or not _is_frame(found[0]):
        return ink
    frame, *others = found
    inside = [piece for piece in others if piece.height >= frame.height / 5 and _is_inside(piece, frame)]
    if not inside:
        return ink
    kept = np.zeros_like(coarse, dtype=bool)
    kept[frame.top : frame.bottom, frame.left : frame.right] = True
    kept &= ~_grown(frame.mask)
    height, width = ink.shape
    inner: Ink = np.where(kept.repeat(step, 0).repeat(step, 1)[:height, :width], ink, np.float32(0))
    return inner


def _is_frame(piece: Piece) -> bool:
    """Return whether a piece is an empty box: ink near its corners, and little of it elsewhere."""
    box = piece.mask[piece.top : piece.bottom, piece.left : piece.right]
    high, wide = (max(1, round(CORNER * n)) for n in box.shape)
    corners = [box[rows, columns].any() for rows in (slice(high), slice(-high, None))
               for columns in (slice(wide), slice(-wide, None))]  # fmt: skip
    middle = box[2 * high : -2 * high, 2 * wide : -2 * wide]
    return bool(sum(corners) >= 3 and not middle.any())


def _is_inside(piece: Piece, frame: Piece) -> bool:
    vertically = frame.top < piece.top and piece.bottom < frame.bottom
    return bool(vertically and frame.left < piece.left and piece.right < frame.right)


def _grown(mask: Mask) -> Mask:
    """Return a mask with its neighbours: the soft rim of a line is not ink of the digit."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
