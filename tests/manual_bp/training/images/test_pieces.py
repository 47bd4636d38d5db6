"""Pieces of ink: several digits in a picture, and a digit inside a frame."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from PIL.Image import Resampling

from manual_bp.training.images.data import mnist5k
from manual_bp.training.images.picture import read_picture
from manual_bp.training.images.pieces import pieces, shows_several, without_frame


def test_pieces_are_what_hangs_together_the_largest_first() -> None:
    drawn = ["##..#", "#..#.", ".....", "...##"]
    mask = np.array([[sign == "#" for sign in row] for row in drawn])
    found = pieces(mask)
    boxes = [(piece.top, piece.bottom, piece.left, piece.right) for piece in found]
    assert sorted(boxes) == [(0, 2, 0, 2), (0, 2, 3, 5), (3, 4, 3, 5)]
    assert [piece.height * piece.width for piece in found] == [4, 4, 2]
    assert (sum(piece.mask.astype(int) for piece in found) == mask).all()


def test_a_snake_is_one_piece() -> None:
    mask = np.zeros((9, 9), dtype=bool)
    mask[::2] = True
    assert len(pieces(mask)) == 5
    mask[1::4, 8] = mask[3::4, 0] = True
    assert len(pieces(mask)) == 1


def test_hardly_any_single_digit_counts_as_several() -> None:
    _, test = mnist5k()
    assert sum(shows_several(pixels.numpy() / np.float32(255)) for pixels in test.pixels[::5]) <= 1
    assert not shows_several(np.zeros((28, 28), dtype=np.float32))


def framed(i: int, frame: str, tilt: float, path: Path) -> np.ndarray:
    """Return test image i as it is read from a photo, with or without a frame around it."""
    digit = Image.fromarray(mnist5k()[1].pixels[i].numpy()).resize((168, 168), Resampling.BICUBIC)
    paper = Image.new("L", (320, 320))
    paper.paste(digit, (76, 76))
    if frame:
        ImageDraw.Draw(paper).rectangle((40, 40, 280, 280), outline=255, width=int(frame))
    dark = (235 - 0.8 * np.asarray(paper.rotate(tilt, Resampling.BICUBIC))).astype(np.uint8)
    Image.fromarray(dark).save(path)
    return read_picture(path, 28, like_mnist=True).numpy().astype(float)


@pytest.mark.long(but=("0-3",))
@pytest.mark.parametrize("width", ["3", "8"])
@pytest.mark.parametrize("tilt", [0, 4])
def test_a_digit_inside_a_frame_is_read_as_without_it(tmp_path: Path, width: str, tilt: float) -> None:
    for i in range(0, 1000, 100):
        with_frame, alone = (framed(i, frame, tilt, tmp_path / "x.png") for frame in (width, ""))
        off, shifted = (np.abs(each - alone).mean() for each in (with_frame, np.roll(alone, 1, axis=1)))
        assert off < shifted, f"digit {i // 100} is further off than by a shift of one pixel"


def test_a_zero_with_something_in_it_is_no_frame() -> None:
    picture = Image.new("L", (100, 100))
    ImageDraw.Draw(picture).ellipse((10, 10, 90, 90), outline=255, width=8)
    ImageDraw.Draw(picture).line((45, 60, 55, 40), fill=255, width=6)
    ink = np.asarray(picture, dtype=np.float32) / 255
    assert (without_frame(ink) == ink).all()


def test_an_empty_frame_stays() -> None:
    picture = Image.new("L", (100, 100))
    ImageDraw.Draw(picture).rectangle((10, 10, 90, 90), outline=255, width=4)
    ink = np.asarray(picture, dtype=np.float32) / 255
    assert (without_frame(ink) == ink).all()
