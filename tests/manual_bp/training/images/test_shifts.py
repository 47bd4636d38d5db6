"""Shifts against moving every pixel by itself."""

import pytest
import torch
from cases import assert_identical
from torch import Tensor

from manual_bp.training.images.shifts import Shifts


def moved(image: Tensor, dy: int, dx: int) -> Tensor:
    """Move an image pixel by pixel, background filled in."""
    height, width = image.shape
    result = torch.zeros_like(image)
    for y in range(max(0, dy), min(height, height + dy)):
        for x in range(max(0, dx), min(width, width + dx)):
            result[y, x] = image[y - dy, x - dx]
    return result


@pytest.mark.parametrize(("height", "width", "reach"), [(5, 4, 1), (5, 4, 2), (3, 7, 2), (4, 4, 3)])
def test_each_shift_moves_an_image_and_fills_in_background(height: int, width: int, reach: int) -> None:
    """The first and the last image too, which have no neighbour on one side."""
    images = torch.randint(1, 256, (3, height, width), dtype=torch.uint8)
    shifts = Shifts(images, reach)
    rows, numbers = torch.arange(3).repeat_interleave(shifts.count), torch.arange(shifts.count).repeat(3)
    out = torch.empty(len(rows), height * width, dtype=torch.uint8)
    shifts.gather(rows, numbers, out=out, scratch=torch.empty_like(out))
    moves = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    expected = [moved(image, *move) for image in images for move in moves]
    assert shifts.count == len(moves)
    assert_identical(out.view(-1, height, width), torch.stack(expected))
