"""All images of a data set to train with, and the test images of another one to test with."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fakes import fake_data_set, scratch  # noqa: F401  # fixtures
from PIL import Image

from manual_bp.training.images.data import Images
from manual_bp.training.images.datasets import load_tests, with_other_tests
from manual_bp.training.images.datasets.folder import load_folder, load_test_folder


def images(first: int, n: int, side: int = 2, source: str = "") -> Images:
    """Return n images, each with its own number in its pixels and in its label."""
    numbers = torch.arange(first, first + n)
    return Images(numbers.byte()[:, None, None].repeat(1, side, side), numbers % 10, source=source)


def test_all_images_are_trained_with_and_the_others_alone_test() -> None:
    others = images(100, 7)
    training, test = with_other_tests(images(0, 30), images(30, 12), others)
    assert test is others
    assert training.pixels[:, 0, 0].tolist() == list(range(42))
    assert training.labels.tolist() == [n % 10 for n in range(42)]


def test_a_single_image_that_is_trained_with_is_refused() -> None:
    message = "expected test images that are not trained with, got 1 of 5 that are (some files); take another --test"
    with pytest.raises(ValueError, match=re.escape(message)):
        with_other_tests(images(0, 30), images(30, 12), images(41, 5, source="some files"))
    with pytest.raises(ValueError, match="got 5 of 5 that are"):
        with_other_tests(images(0, 30), images(30, 12), images(3, 5))


def test_an_image_that_differs_in_a_pixel_is_another() -> None:
    others = images(3, 1)
    others.pixels[0, 1, 1] += 1
    assert with_other_tests(images(0, 30), images(30, 12), others)[1] is others


def test_the_size_has_to_be_that_of_the_training_images() -> None:
    message = "expected test images of 2 x 2 pixels, as the training images, got 3 x 3 (some files); --image-size N"
    with pytest.raises(ValueError, match=re.escape(message)):
        with_other_tests(images(0, 30), images(30, 12), images(100, 5, side=3, source="some files"))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a", "b"), "2 classes, a, b (some files)"),
        (tuple("0123456798"), "10 classes, 0, 1, 2, 3, 4, 5, 6, 7, 9, 8 (some files)"),
        (tuple("0123456789A"), "11 classes, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... (some files)"),
    ],
    ids=["fewer", "other order", "more"],
)
def test_the_classes_have_to_be_those_of_the_training_images(names: tuple[str, ...], said: str) -> None:
    others = replace(images(100, 5, source="some files"), labels=torch.zeros(5, dtype=torch.int64), names=names)
    with pytest.raises(ValueError, match=re.escape(f"as the training images, got {said}")):
        with_other_tests(images(0, 30), images(30, 12), others)


@pytest.mark.usefixtures("scratch")
def test_of_a_published_data_set_the_test_half_counts(fake, tmp_path: Path) -> None:
    made = fake("kmnist")
    made.write(tmp_path)
    test = load_tests("kmnist", tmp_path)
    assert torch.equal(test.pixels, made.test[0])
    assert torch.equal(test.labels, made.test[1])
    assert load_tests("kmnist", tmp_path, side=7).pixels.shape == (47, 7, 7)


def test_the_errors_name_the_options_of_the_test_images(tmp_path: Path) -> None:
    words = f"`--test-dataset kmnist --test-root {tmp_path} --download` downloads them"
    with pytest.raises(FileNotFoundError, match=re.escape(words)):
        load_tests("kmnist", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="expects a folder as --test-root, got the file"):
        load_tests("kmnist", tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="; --test-root DIR says where the folders of pictures are"):
        load_tests("folder", tmp_path / "none")


@pytest.mark.usefixtures("scratch")
def test_a_damaged_file_is_one_of_the_test_images(fake, tmp_path: Path) -> None:
    made = fake("kmnist")
    made.write(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"remove it or take another --test-root, then `--test-dataset kmnist "):
        load_tests("kmnist", tmp_path)


def drawn(folder: Path, tones: range) -> None:
    """Write a picture of each tone, in two classes by turns."""
    for tone in tones:
        path = folder / "ab"[tone % 2] / f"{tone}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), tone).save(path)


def test_all_pictures_of_a_folder_without_halves_are_for_testing(tmp_path: Path) -> None:
    drawn(tmp_path, range(12))
    test = load_test_folder(tmp_path)
    assert sorted(test.pixels[:, 0, 0].tolist()) == list(range(12))
    assert (test.names, test.pixels.shape[1:]) == (("a", "b"), (4, 4))
    assert load_test_folder(tmp_path, 3).pixels.shape == (12, 3, 3)
    assert len(load_folder(tmp_path)[1]) == 2, "one fifth of each class where it is trained with too"


def test_of_a_folder_with_halves_the_test_half_counts(tmp_path: Path) -> None:
    drawn(tmp_path / "train", range(12))
    drawn(tmp_path / "test", range(20, 24))
    assert sorted(load_test_folder(tmp_path).pixels[:, 0, 0].tolist()) == list(range(20, 24))
