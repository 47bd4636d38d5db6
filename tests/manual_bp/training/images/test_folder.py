"""Pictures in folders: which are read, how they are divided, what they look like, and what is refused by its name."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import assert_identical
from PIL import Image

from manual_bp.training.images.data import Images
from manual_bp.training.images.datasets import load, read_plain
from manual_bp.training.images.datasets.resizing import resized

TONES = np.random.default_rng(0).integers(0, 256, (40, 6, 6), dtype=np.uint8)


def saved(path: Path, tones: np.ndarray | Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (tones if isinstance(tones, Image.Image) else Image.fromarray(tones)).save(path)
    return path


def filled(root: Path, *classes: str, count: int = 3) -> Path:
    """Write some pictures of each class into a folder, and return it."""
    for c, name in enumerate(classes):
        for i in range(count):
            saved(root / name / f"{i}.png", TONES[c * count + i])
    return root


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    """A folder with two classes in both halves."""
    filled(tmp_path / "both" / "train", "cat", "dog")
    return filled(tmp_path / "both" / "test", "cat", "dog", count=2).parent


def test_the_halves_are_read_in_the_order_of_names(halves: Path) -> None:
    training, test = load("folder", halves)
    assert training.names == test.names == ("cat", "dog")
    assert_identical(training.pixels, torch.from_numpy(TONES[:6]))
    assert_identical(test.pixels, torch.from_numpy(TONES[:4]))
    assert (training.labels.tolist(), test.labels.tolist()) == ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1])
    assert training.source == f"pictures in {halves}"


@pytest.mark.parametrize(("count", "tests"), [(2, 1), (4, 1), (9, 1), (10, 2), (20, 4)])
def test_without_halves_one_fifth_of_each_class_is_for_testing(tmp_path: Path, count: int, tests: int) -> None:
    filled(tmp_path, "a", "b", count=count)
    training, test = load("folder", tmp_path)
    assert test.labels.tolist() == [0] * tests + [1] * tests
    parts = [{image.numpy().tobytes() for image in images.pixels} for images in (training, test)]
    assert len(parts[0]) == 2 * (count - tests)
    assert parts[0] | parts[1] == {tones.tobytes() for tones in TONES[: 2 * count]}
    assert test.source.endswith(": one fifth of each class is for testing")
    again = load("folder", tmp_path)
    assert torch.equal(again[0].pixels, training.pixels)
    assert torch.equal(again[1].pixels, test.pixels)


def test_the_fifth_is_drawn(tmp_path: Path) -> None:
    """Numbered pictures may be in the order of a film or of a writer: the first fifth would not be like the rest."""
    filled(tmp_path, "a", "b", count=20)
    test = load("folder", tmp_path)[1].pixels[:4]
    assert not torch.equal(test, torch.from_numpy(TONES[:4]))
    assert not torch.equal(test, torch.from_numpy(TONES[16:20]))


def test_what_systems_leave_behind_is_passed_over(halves: Path) -> None:
    expected = load("folder", halves)
    for place in (halves, halves / "train", halves / "train" / "cat"):
        for name in (".DS_Store", "._0.png", "Thumbs.db", "desktop.ini"):
            (place / name).write_bytes(b"\0")
        (place / ".hidden").mkdir()
    saved(halves / "__MACOSX" / "train" / "._x.png", TONES[0])
    saved(halves / "val" / "cat" / "0.png", TONES[9])
    (halves / "train" / "labels.csv").write_text("0.png,cat\n")
    for one, other in zip(expected, load("folder", halves), strict=True):
        assert_identical(one.pixels, other.pixels)


def test_names_of_classes_are_any_letters(tmp_path: Path) -> None:
    filled(tmp_path / "train", "日本", "ärger", "$x$ y")
    filled(tmp_path / "test", "日本", "ärger", "$x$ y")
    assert load("folder", tmp_path)[0].names == ("$x$ y", "ärger", "日本")


def test_an_umlaut_is_the_same_in_both_spellings(tmp_path: Path) -> None:
    """One letter, or a letter and two dots: a system may write the one and a user's archive the other."""
    filled(tmp_path / "train", "a\u0308", "b")
    filled(tmp_path / "test", "\u00e4", "b")
    training, test = load("folder", tmp_path)
    assert training.names == ("b", "\u00e4")
    assert_identical(training.pixels, test.pixels)
    assert_identical(test.pixels[:3], torch.from_numpy(TONES[3:6]))


def test_links_to_pictures_and_classes_are_followed(halves: Path, tmp_path: Path) -> None:
    other = saved(tmp_path / "elsewhere" / "x.png", TONES[20])
    (halves / "train" / "cat" / "9.png").symlink_to(other)
    (halves / "train" / "eel").symlink_to(other.parent, target_is_directory=True)
    (halves / "test" / "eel").symlink_to(other.parent, target_is_directory=True)
    training, _ = load("folder", halves)
    assert training.names == ("cat", "dog", "eel")
    assert_identical(training.pixels[3], torch.from_numpy(TONES[20]))


# ----------------------------------------------------------------------------------------------------- what they become


def test_colours_become_their_brightness_and_nothing_is_inverted(tmp_path: Path) -> None:
    colours = Image.fromarray(np.stack([TONES[0], TONES[1], TONES[2]], axis=-1))
    expected = 0.299 * TONES[0] + 0.587 * TONES[1] + 0.114 * TONES[2]
    assert np.abs(read_plain(saved(tmp_path / "colour.png", colours)).numpy() - expected).max() <= 1
    dark = np.full((8, 8), 250, dtype=np.uint8)
    dark[3:5, 2:6] = 10
    assert_identical(read_plain(saved(tmp_path / "dark.png", dark)), torch.from_numpy(dark))


def test_pictures_of_mixed_sizes_are_scaled(tmp_path: Path) -> None:
    """Each as the images of a data set are, whatever its shape; one that is too large for that in two steps."""
    generator = np.random.default_rng(1)
    shapes = [(6, 6), (30, 20), (9, 31), (4, 4)]
    tones = [generator.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    for i, each in enumerate(tones):
        saved(tmp_path / "train" / "ab"[i % 2] / f"{i}.png", each)
        saved(tmp_path / "test" / "ab"[i % 2] / f"{i}.png", each)
    training, _ = load("folder", tmp_path, side=6)
    for i, row in zip((0, 2, 1, 3), training.pixels, strict=True):
        one = Images(torch.from_numpy(tones[i])[None], torch.zeros(1).long())
        assert_identical(row, resized(one, 6).pixels[0])
    large = Image.new("L", (4500, 3000), 20)
    large.paste(220, (0, 0, 2250, 3000))
    assert read_plain(saved(tmp_path / "large.png", large), 2).tolist() == [[220, 20], [220, 20]]


# ------------------------------------------------------------------------------------------------------ what is refused


def put(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda root: (root / name).write_bytes(content) and None


def whole_png(root: Path) -> bytes:
    return (root / "train" / "cat" / "0.png").read_bytes()


def cut_off(root: Path) -> None:
    (root / "train" / "cat" / "1.png").write_bytes(whole_png(root)[:50])


def fifo(root: Path) -> None:
    os.mkfifo(root / "train" / "cat" / "8.png")


def linked(name: str, target: str) -> Callable[[Path], None]:
    return lambda root: (root / name).symlink_to(target)


def made(*folders: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for each in folders:
            (root / each).mkdir()

    return make


def picture(name: str, width: int, height: int) -> Callable[[Path], None]:
    return lambda root: saved(root / name, Image.new("L", (width, height))) and None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut_off, "load expects a picture that can be read in {}/train/cat/1.png: "),
        (put("test/dog/0.png", b""), "load expects a picture that can be read in {}/test/dog/0.png: "),
        (put("test/dog/0.png", b"P5\n20000 20000\n255\n"), "in {}/test/dog/0.png: Image size (400000000 pixels)"),
        (put("test/dog/x\ny.png", b""), r"can be read in '{}/test/dog/x\ny.png': "),
        (put("train/cat/notes.txt", b"x"), "in {}/train/cat, got notes.txt, a file"),
        (put("train/cat/0.png.part", b"x"), "in {}/train/cat, got 0.png.part, a file"),
        (made("train/cat/more"), "in {}/train/cat, got more, a folder"),
        (fifo, "in {}/train/cat, got 8.png, a pipe"),
        (linked("train/cat/7.png", "gone.png"), "in {}/train/cat, got 7.png, a link to gone.png, which is missing"),
        (linked("train/cat/7.png", "/dev/zero"), "in {}/train/cat, got 7.png, a device"),
        (linked("train/cat/7.png", "7.png"), "in {}/train/cat, got 7.png, "),
        (linked("train/eel", "gone"), "folders of classes in {}/train, got eel, a link to gone, which is missing"),
        (picture("train/9.png", 6, 6), "load expects folders of classes in {}/train, got 9.png, a file"),
        (made("train/eel", "test/eel"), "load expects pictures in {}/train/eel, got none: "),
        (picture("train/eel/0.png", 6, 6), "classes in train and test of {}: eel is in train alone"),
        (picture("test/eel/0.png", 6, 6), "classes in train and test of {}: eel is in test alone"),
        (picture("test/dog/1.png", 6, 7), "got {0}/train/cat/0.png of 6 x 6 and {0}/test/dog/1.png of 6 x 7; --image-"),
        (picture("train/cat/0.png", 7, 5), "got {}/train/cat/0.png of 7 x 5; --image-size N scales all"),
        (picture("train/cat/0.png", 1025, 1025), "squares of at most 1024 x 1024 pixels, got {}/train/cat/0.png of"),
        (picture("train/e\nl/0.png", 6, 6), r"names of classes that can be printed, got '{}/train/e\nl'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(halves: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(halves)
    with pytest.raises((ValueError, FileNotFoundError)) as raised:
        load("folder", halves)
    text = str(raised.value)
    assert message.format(halves) in text
    assert "\n" not in text


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    for path, found in ((tmp_path / "gone", "missing"), (saved(tmp_path / "x.png", TONES[0]), "a file")):
        with pytest.raises(
            FileNotFoundError, match=rf"a folder of pictures at .*{path.name}: it is {found}; --data-root"
        ):
            load("folder", path)


def test_one_half_one_class_or_one_picture_is_too_few(tmp_path: Path) -> None:
    filled(tmp_path / "half" / "train", "a", "b")
    with pytest.raises(ValueError, match=r"load expects both train and test in .*half, or neither: got train alone"):
        load("folder", tmp_path / "half")
    with pytest.raises(ValueError, match=r"load expects folders of 2 to 1,000 classes in .*class, got 1$"):
        load("folder", filled(tmp_path / "class", "a"))
    filled(tmp_path / "single", "a")
    with pytest.raises(ValueError, match=r"at least two pictures in .*single/b, .*: got one"):
        load("folder", filled(tmp_path / "single", "b", count=1))


def test_two_folders_of_one_class_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"one folder for each class in .*, got \u00e4 twice"):
        load("folder", filled(tmp_path, "a\u0308", "\u00e4"))
