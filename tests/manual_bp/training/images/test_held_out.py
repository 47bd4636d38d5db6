"""Images that are held out of the training images."""

import pytest
import torch

from manual_bp.training.images.data import Images
from manual_bp.training.images.held_out import held_out


def images(n: int) -> Images:
    """Return n images, each with its own number in its pixels."""
    return Images(torch.arange(n, dtype=torch.uint8)[:, None, None].expand(n, 2, 2), torch.arange(n) % 10)


@pytest.mark.parametrize("count", [0, 1, 30, 99])
def test_each_image_is_in_one_half_with_its_label_the_same_way_each_time(count: int) -> None:
    rest, held = held_out(images(100), count)
    numbers = [half.pixels[:, 0, 0].tolist() for half in (rest, held)]
    assert (len(rest), len(held)) == (100 - count, count)
    assert sorted(numbers[0] + numbers[1]) == list(range(100))
    assert all(half.labels.tolist() == [n % 10 for n in own] for half, own in zip((rest, held), numbers, strict=True))
    torch.rand(3)
    assert held_out(images(100), count)[1].pixels[:, 0, 0].tolist() == numbers[1]


def test_they_are_drawn_not_cut_off_at_an_end() -> None:
    """The images of a file may be sorted by class."""
    numbers = held_out(images(100), 50)[1].pixels[:, 0, 0].tolist()
    assert 10 < sum(number < 50 for number in numbers) < 40


@pytest.mark.parametrize("count", [-1, 100])
def test_some_must_be_left(count: int) -> None:
    with pytest.raises(ValueError, match=f"expects a count from 0 to below the 100 images, got {count}"):
        held_out(images(100), count)
