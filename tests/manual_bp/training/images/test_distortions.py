"""Distortions against placing and interpolating every pixel by itself, and what is drawn for them."""

import math
from dataclasses import replace

import pytest
import torch
from cases import assert_identical
from test_shifts import moved
from torch import Tensor

from manual_bp.training.images import distortions as distortions_py
from manual_bp.training.images.distortions import AFFINE, ELASTIC, Distortions, Drawn, Ranges

STILL = Ranges(rotation=0, scale=0, shear=0, shift=0, alpha=0)
SIZES = [(28, 28), (16, 16), (8, 8), (5, 4), (9, 7), (2, 2), (3, 31)]


def making(height: int, width: int, ranges: Ranges, dtype: torch.dtype = torch.float64) -> Distortions:
    return Distortions(height, width, ranges, torch.empty((), dtype=dtype))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def distorted(distortions: Distortions, images: Tensor, drawn: Drawn, rows: Tensor | None = None) -> Tensor:
    """Distort images (n, height, width), each as drawn for its own number unless rows are given."""
    x = images.flatten(1).clone()
    distortions.distort(x, torch.arange(len(x)) if rows is None else rows, drawn)
    return x.view_as(images)


def interpolated(image: Tensor, x: float, y: float) -> float:
    """Read an image at a place in pixels, from its four pixels around; what lies outside is 0."""
    height, width = image.shape
    left, top, value = math.floor(x), math.floor(y), 0.0
    for i in (top, top + 1):
        for j in (left, left + 1):
            if 0 <= i < height and 0 <= j < width:
                value += (1 - abs(x - j)) * (1 - abs(y - i)) * image[i, j].item()
    return value


def pixel_by_pixel(image: Tensor, drawn: Drawn, number: int) -> Tensor:
    height, width = image.shape
    middle, result, matrix = ((width - 1) / 2, (height - 1) / 2), torch.empty_like(image), drawn.maps[number]
    for i in range(height):
        for j in range(width):
            place = matrix @ torch.tensor([j - middle[0], i - middle[1], 1.0], dtype=image.dtype)
            if drawn.begins is not None:
                place = place + drawn.fields[drawn.begins[number], i * width + j]
            x, y = (place[0] * width / 2 + middle[0]).item(), (place[1] * height / 2 + middle[1]).item()
            result[i, j] = interpolated(image, x, y)
    return result


@pytest.mark.long(but=7)
@pytest.mark.parametrize("ranges", [AFFINE, ELASTIC, Ranges(rotation=170, scale=0.9, shear=2, shift=9, alpha=300)])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_each_pixel_shows_the_place_that_is_drawn_for_it(height: int, width: int, ranges: Ranges) -> None:
    images = torch.rand(3, height, width, dtype=torch.float64)
    distortions = making(height, width, ranges)
    drawn = distortions.draw(3, generator())
    got = distorted(distortions, images, drawn)
    assert (got - images).abs().max() > 0.01
    for number, (image, old) in enumerate(zip(got, images, strict=True)):
        assert (image - pixel_by_pixel(old, drawn, number)).abs().max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_without_distortion_an_image_stays(height: int, width: int, dtype: torch.dtype) -> None:
    images = torch.randint(0, 256, (3, height, width)).to(dtype)
    distortions = making(height, width, STILL, dtype)
    got = distorted(distortions, images, distortions.draw(3, generator()))
    assert (got - images).abs().max() < 255 * 64 * torch.finfo(dtype).eps


@pytest.mark.parametrize(("right", "down"), [(1, 0), (0, 2), (-3, 1), (9, 9)])
def test_a_move_by_whole_pixels_is_that_shift_with_background_filled_in(right: int, down: int) -> None:
    image = torch.rand(1, 6, 8, dtype=torch.float64) + 1
    distortions = making(6, 8, STILL)
    drawn = distortions.draw(1, generator())
    place = [-right * 2 / 8, -down * 2 / 6]  # that is shown: left and above
    drawn.maps[0, :, 2] = torch.tensor(place, dtype=torch.float64)
    assert (distorted(distortions, image, drawn)[0] - moved(image[0], down, right)).abs().max() < 1e-12


def quarter(angle: float, monkeypatch: pytest.MonkeyPatch, ranges: Ranges) -> Tensor:
    """Distort an image with the largest number of each range."""
    monkeypatch.setattr(torch, "rand", lambda *size, generator, dtype: torch.ones(*size, dtype=dtype))
    distortions = making(5, 5, replace(ranges, rotation=angle))
    return distorted(distortions, torch.arange(25.0).double().view(1, 5, 5), distortions.draw(1, generator()))[0]


def test_the_largest_numbers_turn_scale_shear_and_move_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    image = torch.arange(25.0).double().view(5, 5)
    assert (quarter(90, monkeypatch, STILL) - torch.rot90(image)).abs().max() < 1e-12
    assert (quarter(0, monkeypatch, replace(STILL, shift=28 / 5)) - moved(image, -1, -1)).abs().max() < 1e-12
    wide = quarter(0, monkeypatch, replace(STILL, scale=0.5))  # the middle shows all, 1.5 times as far from it
    assert abs(wide[1, 1] - (12 - 1.5 * 5 - 1.5)) < 1e-12
    sheared = quarter(0, monkeypatch, replace(STILL, shear=1))
    assert (sheared[3] - moved(image, 0, -1)[3]).abs().max() < 1e-12
    assert (sheared[1] - moved(image, 0, 1)[1]).abs().max() < 1e-12


def test_every_image_gets_numbers_of_its_own_from_the_whole_range() -> None:
    """Rotation, two scales, shear and two moves, read from the maps: spread evenly, and none tells of another."""
    maps = making(14, 28, AFFINE).draw(4000, generator()).maps
    a, b, right = (maps[:, 0] * 14).T
    c, d, down = (maps[:, 1] * 7).T
    angle = torch.atan2(c, a)
    wide = torch.hypot(a, c)
    sheared, high = b * angle.cos() + d * angle.sin(), d * angle.cos() - b * angle.sin()
    reach = math.radians(AFFINE.rotation), AFFINE.scale, AFFINE.scale, AFFINE.shear, 0.75, 0.75
    shares = torch.stack([angle, wide - 1, high - 1, sheared / high, right, down]) / torch.tensor(reach)[:, None]
    assert shares.abs().max() < 1 + 1e-9
    tenths = ((shares + 1) * 5).long().clamp(0, 9)
    for row in tenths:
        assert all(abs(count - 400) < 5 * 400**0.5 for count in torch.bincount(row, minlength=10).tolist())
    assert (torch.corrcoef(shares) - torch.eye(6)).abs().max() < 5 / 4000**0.5


def test_the_two_displacements_of_an_image_are_fields_of_their_own() -> None:
    """For x from the first strip, for y from the second, any begin as likely as another; 16 pixels go half as far."""
    for height, width, unit in ((28, 28, 1), (14, 28, 0.5), (16, 16, 16 / 28)):
        drawn = making(height, width, ELASTIC).draw(5000, generator())
        half = len(drawn.fields) + height * width - 1
        x, y = (drawn.begins - torch.tensor([0, half // 2])).T
        for begins in (x, y):
            assert (begins % width == 0).all()
            assert (begins.min() < 50 * width, begins.max() // width > 4950, begins.max() // width < 5000) == (
                True,
            ) * 3
        assert abs(torch.corrcoef(torch.stack([x, y]))[0, 1]) < 5 / 5000**0.5
        pixels = drawn.fields[::width, 0].double()
        right, down = pixels[:4900] * width / 2, pixels[-4900:] * height / 2
        for displacement in (right, down):
            assert 0.8 * unit < displacement.std() < 1.4 * unit
        assert abs(torch.corrcoef(torch.stack([right, down]))[0, 1]) < 0.2


@pytest.mark.parametrize("ranges", [AFFINE, ELASTIC])
def test_what_is_drawn_belongs_to_the_generator_and_the_image(ranges: Ranges) -> None:
    """Whatever else is drawn, and whatever the number of threads; in float32 it is the same, rounded."""
    images, distortions = torch.rand(70, 9, 9, dtype=torch.float64), making(9, 9, ranges)
    first = distorted(distortions, images, distortions.draw(70, generator(1)))
    torch.manual_seed(5)
    torch.set_num_threads(2)
    drawn = distortions.draw(70, generator(1))
    assert_identical(distorted(distortions, images, drawn), first)
    torch.set_num_threads(1)
    assert not torch.equal(distorted(distortions, images, distortions.draw(70, generator(2))), first)
    rows = torch.randperm(70)
    assert_identical(distorted(distortions, images[rows], drawn, rows), first[rows])
    single = making(9, 9, ranges, torch.float32)
    rounded = distorted(single, images.float(), single.draw(70, generator(1)))
    assert (rounded - first).abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("side", [8, 28])
def test_a_chunk_changes_nothing(side: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(70, side, side, dtype=dtype)
    results = []
    for chunk in (1, 3, 64, 100):
        monkeypatch.setattr(distortions_py, "CHUNK", chunk)
        distortions = making(side, side, ELASTIC, dtype)
        results.append(distorted(distortions, images, distortions.draw(70, generator())))
    for result in results[1:]:
        assert_identical(result, results[0])


def test_more_images_than_fields_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distortions_py, "STRIP", 5)
    drawn = making(4, 4, ELASTIC).draw(300, generator())
    assert len(drawn.begins.unique(dim=0)) == 25
    assert len(drawn.fields) == 2 * 4 * (5 + 3) - 15


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 28), (28, 1)])
def test_an_image_of_one_row_or_column_is_named(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"images of at least 2 x 2 pixels, got {height} x {width}"):
        making(height, width, AFFINE)


@pytest.mark.parametrize(
    "wrong", [{"rotation": -1}, {"scale": 1}, {"shear": -0.1}, {"shift": -1}, {"sigma": 0}, {"alpha": -1}], ids=str
)
def test_a_range_that_cannot_be_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a scale below 1 and a sigma above 0, got Ranges"):
        Ranges(**wrong)
