"""Pictures of real digits, as people would make them, are read as the digits that they are; bad files are named.

Measured: 99 of 100 answers stay, in each of the ways. The bounds lie a few below, and above what is left without the
step that they guard: 72 of the enlarged digits without centring by mass, 87 of the thin ones if they are left thin.
"""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import assert_identical
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from manual_bp import GradientDescent, ReLU, SoftmaxCrossEntropy, mlp
from manual_bp.training.engine.step import ManualEngine
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import Images, mnist5k
from manual_bp.training.images.picture import read_picture

Pixels = NDArray[np.uint8]
Draw = Callable[[Pixels, np.random.Generator], Pixels]
Save = Callable[[Image.Image, Path], None]
TRAINING, TEST = mnist5k()
DIGITS = TEST.pixels[::40]  # two or three of each class


@pytest.fixture(scope="module")
def answers() -> Callable[[torch.Tensor], torch.Tensor]:
    """Train for a third of a second: 97 % of the test digits are answered right."""
    network = mlp(
        [784, 128, 10], activation=ReLU(), loss=SoftmaxCrossEntropy(), generator=torch.Generator().manual_seed(0)
    )
    batches = Batches(TRAINING, 50, standard=TRAINING, dtype=torch.float32, device="cpu")
    descent = GradientDescent(network, lr=0.05, momentum=0.9, nesterov=True, weight_decay=4e-3)
    engine = ManualEngine(network, descent)
    for epoch in range(6):
        descent.lr = 0.05 * (1 - epoch / 6)
        for x, t in batches.shuffled(0, epoch):
            engine.step(x, t)

    def answer(pixels: torch.Tensor) -> torch.Tensor:
        images = Images(pixels, torch.zeros(len(pixels)).long())
        ((x, _),) = Batches(images, len(images), standard=TRAINING, dtype=torch.float32, device="cpu").in_order()
        return network.forward(x).y.argmax(1)

    return answer


def enlarged(digit: torch.Tensor) -> Pixels:
    return np.asarray(Image.fromarray(digit.numpy()).resize((280, 280), Image.Resampling.BICUBIC))


def shifted(ink: Pixels, rng: np.random.Generator) -> Pixels:
    """Put a digit somewhere on a larger ground that is not square."""
    room = np.zeros((500, 430), dtype=np.uint8)
    top, left = rng.integers(0, 220), rng.integers(0, 150)
    room[top : top + 280, left : left + 280] = ink
    return room


def thinned(ink: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(ink).filter(ImageFilter.MinFilter(11)))


def cut(ink: Pixels) -> Pixels:
    """Leave no margin: the ink touches all four borders."""
    rows, columns = np.flatnonzero((ink > 60).any(1)), np.flatnonzero((ink > 60).any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def pencil(ink: Pixels, rng: np.random.Generator, depth: float = 90, grain: float = 8) -> Pixels:
    """Draw on grey paper that is 200 bright in one corner and 130 in the opposite one."""
    y, x = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]]
    paper = 200 - 70 * (0.6 * x / ink.shape[1] + 0.4 * y / ink.shape[0])
    return (paper - depth * (ink / 255) + rng.normal(0, grain, ink.shape)).clip(0, 255).astype(np.uint8)


def save_sideways(picture: Image.Image, path: Path) -> None:
    """Store the picture lying on its side, with the EXIF note (6) to turn it clockwise to show it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(path, "PNG", exif=exif)


def save_deep(picture: Image.Image, path: Path, white: int = 65535) -> None:
    Image.fromarray((np.asarray(picture) / 255 * white).round().astype(np.uint16)).save(path, "PNG")


def save_transparent(picture: Image.Image, path: Path, ink: int) -> None:
    """Save ink of one tone with the picture as its opacity; the colour behind what is transparent is the same."""
    layer = Image.new("RGBA", picture.size, (ink, ink, ink, 0))
    layer.putalpha(picture)
    layer.save(path, "PNG")


def save_paper_on_nothing(picture: Image.Image, path: Path) -> None:
    """Save a screenshot: white paper inside a transparent frame, whose hidden colour is black."""
    layer = Image.new("RGBA", (picture.width + 40, picture.height + 40))
    layer.paste(Image.fromarray(255 - np.asarray(picture)).convert("RGBA"), (20, 20))
    layer.save(path, "PNG")


def save_two_frames(picture: Image.Image, path: Path) -> None:
    picture.save(path, "GIF", save_all=True, append_images=[Image.new("L", picture.size, 255)])


@pytest.mark.long(but=("[cut", "[jpeg", "[pencil"))
@pytest.mark.parametrize(
    ("draw", "save", "same"),
    [
        (lambda ink, rng: ink, "PNG", 24),
        (lambda ink, rng: 255 - shifted(ink, rng), "PNG", 24),
        (lambda ink, rng: 255 - shifted(ink, rng), "JPEG", 24),
        (lambda ink, rng: 255 - cut(ink), "PNG", 24),
        (lambda ink, rng: 255 - shifted(thinned(ink), rng), "PNG", 24),
        (lambda ink, rng: pencil(shifted(ink, rng), rng), "JPEG", 24),
        (lambda ink, rng: 255 - pencil(shifted(ink, rng), rng), "PNG", 24),
        (lambda ink, rng: pencil(shifted(thinned(ink), rng), rng, depth=70, grain=12), "PNG", 23),
    ],
    ids=["enlarged", "shifted", "jpeg", "cut", "thin", "pencil", "chalk", "thin pencil"],
)
@pytest.mark.long(but=("[cut",))
def test_a_picture_is_answered_as_its_digit(
    tmp_path: Path, answers: Callable[[torch.Tensor], torch.Tensor], draw: Draw, save: str, same: int
) -> None:
    rng, path, read = np.random.default_rng(0), tmp_path / "picture", []
    for digit in DIGITS:
        Image.fromarray(draw(enlarged(digit), rng)).save(path, save, compress_level=1, quality=60)
        read.append(read_picture(path, 28, like_mnist=True))
        assert read[-1].max() == 255  # thin or pale ink is full ink
    assert int((answers(torch.stack(read)) == answers(DIGITS)).sum()) >= same


@pytest.mark.long(but=("False", "[P-True", "[16 bits"))
@pytest.mark.parametrize("like_mnist", [True, False])
@pytest.mark.parametrize(
    ("save", "off"),
    [
        (lambda picture, path: ImageOps.invert(picture).save(path, "PNG"), 25),
        (lambda picture, path: picture.convert("RGB").save(path, "TIFF"), 0),
        (lambda picture, path: ImageOps.invert(picture).convert("CMYK").save(path, "TIFF"), 25),
        (lambda picture, path: picture.convert("LA").save(path, "PNG"), 0),
        (lambda picture, path: picture.convert("F").save(path, "TIFF"), 0),
        (lambda picture, path: picture.convert("P").save(path, "PNG"), 0),
        (lambda picture, path: picture.convert("1", dither=0).save(path, "BMP"), 255),
        (save_two_frames, 0),
        (save_sideways, 0),
        (save_deep, 0),
        (partial(save_deep, white=4095), 0),
        (partial(save_transparent, ink=0), 25),
        (partial(save_transparent, ink=255), 0),
        (save_paper_on_nothing, None),
    ],
    ids=[
        *("dark on light", "RGB", "CMYK", "LA", "F", "P", "1", "GIF", "sideways", "16 bits", "12 bits"),
        *("dark ink on nothing", "light ink on nothing", "paper on nothing"),
    ],
)
@pytest.mark.long(but=4)
def test_the_way_a_picture_is_stored_does_not_matter(
    tmp_path: Path, save: Save, off: int | None, like_mnist: bool
) -> None:
    """``off`` is the largest difference of a pixel; None where a frame around it moves the whole picture.

    It is 25 where tones are inverted: they round to the other side, and the box of the digit may be a pixel larger.
    """
    if off is None and not like_mnist:
        off = 255
    for digit in DIGITS[::10]:
        picture = Image.fromarray(shifted(enlarged(digit), np.random.default_rng(0)))
        picture.save(tmp_path / "plain.png")
        save(picture, tmp_path / "picture")
        plain, read = (read_picture(tmp_path / name, 28, like_mnist=like_mnist) for name in ("plain.png", "picture"))
        assert (plain.int() - read.int()).abs().max() <= (off or 2)
        assert (plain.int() - read.int()).abs().float().mean() < 12


@pytest.mark.parametrize("like_mnist", [True, False])
@pytest.mark.parametrize("deep", [False, True])
def test_an_image_of_the_data_set_comes_back_as_it_is(tmp_path: Path, like_mnist: bool, deep: bool) -> None:
    paler = TEST.pixels[TEST.pixels.flatten(1).max(1).values < 255]  # some do not reach 255
    for digit in torch.cat([DIGITS[::3], paler[:5]]):
        for stored in (digit.numpy(), 255 - digit.numpy()):
            (save_deep if deep else Image.Image.save)(Image.fromarray(stored), tmp_path / "digit.png")
            assert_identical(read_picture(tmp_path / "digit.png", 28, like_mnist=like_mnist), digit)


def test_a_thing_that_fills_its_picture_to_the_border_is_not_inverted(tmp_path: Path) -> None:
    """As clothes do: a part of the border is ground, but no other tone of it comes as often."""
    tones = torch.full((28, 28), 20, dtype=torch.uint8)
    tones[0], tones[-1], tones[1:-1, 0], tones[1:-1, -1] = 0, (150 + 3 * torch.arange(28)).byte(), 190, 240
    Image.fromarray(tones.numpy()).save(tmp_path / "shirt.png")
    assert_identical(read_picture(tmp_path / "shirt.png", 28, like_mnist=False), tones)


def test_ink_that_covers_most_of_a_transparent_picture_is_still_ink(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (30, 90), (0, 0, 0, 0))
    picture.paste((60, 60, 60, 255), (3, 0, 27, 90))
    picture.save(tmp_path / "one.png")
    assert read_picture(tmp_path / "one.png", 28, like_mnist=True).max() == 255


def test_a_lopsided_figure_stays_within_the_frame(tmp_path: Path) -> None:
    """Nearly all of its mass is in one corner of its box of 20 × 20, 8 pixels from the centre of the box."""
    picture = Image.new("L", (300, 300))
    for box in ((50, 50, 110, 110), (50, 50, 250, 54), (50, 50, 54, 250)):
        picture.paste(255, box)
    picture.save(tmp_path / "corner.png")
    read = read_picture(tmp_path / "corner.png", 28, like_mnist=True)
    assert Image.fromarray(read.numpy()).getbbox() == (8, 8, 28, 28)


def test_a_flaw_in_the_metadata_is_read_past(tmp_path: Path) -> None:
    Image.fromarray(shifted(enlarged(DIGITS[0]), np.random.default_rng(0))).save(
        tmp_path / "digit.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01"
    )
    with pytest.warns(UserWarning, match="Corrupt EXIF"), Image.open(tmp_path / "digit.jpg"):
        pass
    assert read_picture(tmp_path / "digit.jpg", 28, like_mnist=True).max() == 255


def test_the_ground_of_a_whole_picture_becomes_0(tmp_path: Path) -> None:
    picture = Image.new("L", (56, 56), 200)
    picture.paste(0, (14, 14, 42, 42))
    picture.save(tmp_path / "picture.png")
    read = read_picture(tmp_path / "picture.png", 28, like_mnist=False)
    assert (read[:5].max(), read[14, 14]) == (0, 255)


@pytest.mark.parametrize(("size", "box"), [((56, 14), (0, 10, 28, 17)), ((14, 56), (10, 0, 17, 28)), ((900, 3), None)])
def test_a_whole_picture_keeps_its_shape(tmp_path: Path, size: tuple[int, int], box: tuple[int, ...] | None) -> None:
    """Its ground, 40, becomes 0; its brightest tone keeps its share of what is left."""
    picture = Image.new("L", size, 40)
    picture.paste(255, (1, 1, size[0] - 1, size[1] - 1))
    picture.save(tmp_path / "picture.png")
    read = read_picture(tmp_path / "picture.png", 28, like_mnist=False)
    assert read.shape == (28, 28)
    if box is not None:
        assert Image.fromarray((read.numpy() > 20).astype(np.uint8)).getbbox() == box
        assert read.max() >= 250


@pytest.mark.parametrize("size", [(1, 2), (2, 2), (3, 3), (1, 300), (300, 1), (27, 28), (2000, 2000)])
def test_pictures_of_any_size_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    picture = Image.new("L", size, 255)
    picture.paste(0, (0, size[1] // 3, max(1, size[0] // 4), max(size[1] // 3 + 1, size[1] // 2)))
    picture.save(tmp_path / "picture.png")
    for like_mnist in (True, False):
        assert read_picture(tmp_path / "picture.png", 28, like_mnist=like_mnist).max() > 0


def whole_png() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot identify image file"),
        (b"no picture", "cannot identify image file"),
        (whole_png()[:700], "can be read in .*truncated"),
        (whole_png()[:60] + b"\xff" * 50 + whole_png()[110:], "can be read in"),
        (b"P5\n0 5\n255\n", "can be read in"),
        (b"P5\n20000 20000\n255\n", "400000000 pixels"),
        (b"P5\n10000 10000\n255\n", "100000000 pixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "EPS is a program"),
        (b"Pf\n2 1\n-1.0\n\0\0\xc0\x7f\0\0\x80\x3f", "not all finite"),
    ],
    ids=["empty", "text", "truncated", "damaged", "no pixels", "bomb", "large", "EPS", "NaN"],
)
def test_a_file_without_a_good_picture_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(ValueError, match=message) as raised:
        read_picture(tmp_path / "x.png", 28, like_mnist=True)
    assert f"read_picture expects a picture that can be read in {tmp_path / 'x.png'}: " in str(raised.value)


@pytest.mark.parametrize(("name", "found"), [("nowhere.png", "missing"), (".", "a folder")])
def test_what_is_no_file_is_named(tmp_path: Path, name: str, found: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"expects the file .*: it is {found}$"):
        read_picture(tmp_path / name, 28, like_mnist=True)


@pytest.mark.parametrize("like_mnist", [True, False])
@pytest.mark.parametrize("size", [28, 90])
@pytest.mark.parametrize("colour", [0, 128, 255, (0, 0, 0, 0)], ids=str)
def test_a_blank_picture_is_named(tmp_path: Path, like_mnist: bool, size: int, colour: int | tuple[int, ...]) -> None:
    Image.new("L" if isinstance(colour, int) else "RGBA", (size, size), colour).save(tmp_path / "blank.png")
    with pytest.raises(ValueError, match=r"something drawn in .*blank\.png: nothing stands out from its ground"):
        read_picture(tmp_path / "blank.png", 28, like_mnist=like_mnist)


@pytest.mark.parametrize("deviation", [2, 8, 20])
def test_empty_paper_holds_no_digit(tmp_path: Path, deviation: int) -> None:
    room = np.zeros((500, 430), dtype=np.uint8)
    noise = np.random.default_rng(0).normal(0, deviation, room.shape)
    Image.fromarray((170 + noise).clip(0, 255).astype(np.uint8)).save(tmp_path / "paper.png")
    with pytest.raises(ValueError, match="nothing stands out from its ground"):
        read_picture(tmp_path / "paper.png", 28, like_mnist=True)
