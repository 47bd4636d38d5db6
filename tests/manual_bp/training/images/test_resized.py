"""Images of another size: each pixel is the mean over its area, to the last bit of exact arithmetic."""

from fractions import Fraction

import pytest
import torch
from cases import assert_identical

from manual_bp.training.images.data import Images
from manual_bp.training.images.datasets import resized, resizing


def images(*shape: int) -> Images:
    return Images(torch.randint(256, shape, dtype=torch.uint8), torch.arange(shape[0]) % 3, ("a", "b", "c"), "here")


def by_area(image: torch.Tensor, side: int) -> torch.Tensor:
    """Return the mean over each new pixel's area, pixel by pixel, in fractions."""
    height, width = image.shape
    result = torch.empty(side, side, dtype=torch.uint8)
    for row in range(side):
        for column in range(side):
            total = sum(
                int(image[y, x])
                * overlap(Fraction(row * height, side), Fraction((row + 1) * height, side), y)
                * overlap(Fraction(column * width, side), Fraction((column + 1) * width, side), x)
                for y in range(height)
                for x in range(width)
            )
            result[row, column] = round(total / (Fraction(height, side) * Fraction(width, side)))
    return result


def overlap(start: Fraction, end: Fraction, pixel: int) -> Fraction:
    return max(Fraction(0), min(end, Fraction(pixel + 1)) - max(start, Fraction(pixel)))


@pytest.mark.long(but=4)
@pytest.mark.parametrize(
    ("height", "width", "side"),
    [(8, 8, 4), (8, 8, 2), (7, 7, 1), (7, 7, 4), (7, 7, 5), (3, 3, 6), (3, 3, 5), (4, 6, 3), (5, 3, 4), (1, 1, 3)],
)
def test_every_pixel_is_the_mean_over_its_area(height: int, width: int, side: int) -> None:
    given = images(4, height, width)
    before = given.pixels.clone()
    new = resized(given, side)
    assert_identical(new.pixels, torch.stack([by_area(image, side) for image in given.pixels]))
    assert_identical(given.pixels, before)


def test_a_mean_half_way_goes_to_the_even_value() -> None:
    given = Images(torch.tensor([[[0, 1], [0, 1]], [[1, 2], [1, 2]]], dtype=torch.uint8), torch.zeros(2).long())
    assert resized(given, 1).pixels.flatten().tolist() == [0, 2]


def test_white_stays_white_at_any_size() -> None:
    white = Images(torch.full((2, 28, 28), 255, dtype=torch.uint8), torch.zeros(2).long())
    assert all(resized(white, side).pixels.eq(255).all() for side in (1, 3, 16, 27, 29, 64))


def test_labels_names_and_source_stay() -> None:
    given = images(5, 28, 28)
    new = resized(given, 16)
    assert new.pixels.shape == (5, 16, 16)
    assert (new.names, new.source) == (given.names, given.source)
    assert_identical(new.labels, given.labels)


def test_images_of_that_size_are_returned_as_they_are() -> None:
    square, wide = images(2, 5, 5), images(2, 5, 7)
    assert resized(square, 5) is square
    assert [resized(wide, side).pixels.shape for side in (5, 7)] == [(2, 5, 5), (2, 7, 7)]


@pytest.mark.parametrize("n", [0, 3, 4, 9])
def test_the_block_in_which_images_are_resized_changes_nothing(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Images(torch.randint(256, (n, 7, 7), dtype=torch.uint8), torch.zeros(n).long())
    whole = resized(given, 4).pixels
    monkeypatch.setattr(resizing, "BLOCK", 4)
    assert_identical(resized(given, 4).pixels, whole)


@pytest.mark.parametrize("side", [0, -28])
def test_a_side_below_1_is_named(side: int) -> None:
    with pytest.raises(ValueError, match=f"resized expects a side of at least 1 pixel, got {side}"):
        resized(images(2, 5, 5), side)


def test_a_class_without_images_counts() -> None:
    assert images(2, 5, 5).classes == 3
    assert Images(torch.zeros(1, 2, 2).byte(), torch.zeros(1).long()).classes == 10
    with pytest.raises(ValueError, match="labels from 0 to 1, got 0 to 2"):
        Images(torch.zeros(3, 2, 2).byte(), torch.arange(3), ("a", "b"))
