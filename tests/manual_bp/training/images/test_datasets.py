"""Every published data set from files in its format, wherever they lie, and what vouches for them."""

import gzip
import hashlib
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import assert_identical
from fakes import Fake, fake_data_set, scratch  # noqa: F401  # fixtures

from manual_bp.training.images.data import Images
from manual_bp.training.images.datasets import NAMES, checksum, load
from manual_bp.training.images.datasets.published import PUBLISHED, identities
from manual_bp.training.images.datasets.vision import torchvision_datasets

pytestmark = pytest.mark.usefixtures("scratch")

FASHION_MNIST = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
has_fashion_mnist = pytest.mark.skipif(
    not FASHION_MNIST.is_dir(), reason=f"no Fashion-MNIST in {FASHION_MNIST} (set $FASHION_MNIST)"
)


def assert_came_out(made: Fake, halves: tuple[Images, Images]) -> None:
    for images, (pixels, labels) in zip(halves, (made.training, made.test), strict=True):
        assert_identical(images.pixels, pixels.contiguous())
        assert_identical(images.labels, labels)
        assert images.pixels.is_contiguous()
        assert images.labels.is_contiguous()


# ---------------------------------------------------------------------------------------------------------- contents


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_data_set_is_read_from_its_files(fake, name: str, packed: bool, tmp_path: Path) -> None:
    made = fake(name)
    made.write(tmp_path, packed=packed)
    assert_came_out(made, load(name, tmp_path))


@pytest.mark.parametrize(
    ("name", "counts", "side"),
    [
        ("mnist", (60_000, 10_000), 28),
        ("fashion-mnist", (60_000, 10_000), 28),
        ("kmnist", (60_000, 10_000), 28),
        ("emnist-balanced", (112_800, 18_800), 28),
        ("qmnist", (60_000, 60_000), 28),
        ("usps", (7_291, 2_007), 16),
    ],
)
def test_counts_and_names_are_the_published_ones(name: str, counts: tuple[int, int], side: int) -> None:
    data_set = PUBLISHED[name]
    files = data_set.training[0], data_set.test[0]
    shapes = [(file.n, *[math.isqrt(file.pixels)] * 2) if name == "usps" else file.shape for file in files]
    assert shapes == [(n, side, side) for n in counts]
    reader = getattr(torchvision_datasets(), data_set.reader)
    if name in ("fashion-mnist", "kmnist"):
        assert list(data_set.names) == reader.classes
    elif name == "emnist-balanced":
        assert list(data_set.names) == reader.classes_split_dict["balanced"]
    else:
        assert list(data_set.names) == list("0123456789")


def test_the_names_are_those_that_train_offers() -> None:
    assert NAMES == ("mnist5k", "mnist", "fashion-mnist", "kmnist", "emnist-balanced", "qmnist", "usps", "folder")


@has_fashion_mnist
@pytest.mark.parametrize("root", [FASHION_MNIST, FASHION_MNIST.parent], ids=["its folder", "the folder above"])
def test_the_real_fashion_mnist(root: Path) -> None:
    if root != FASHION_MNIST and FASHION_MNIST.name != "fashion-mnist":
        pytest.skip(f"{FASHION_MNIST} is not called fashion-mnist")
    training, test = load("fashion-mnist", root, download=True)
    assert torch.bincount(training.labels).tolist() == [6_000] * 10
    assert torch.bincount(test.labels).tolist() == [1_000] * 10
    assert training.labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert training.source == test.source == f"fashion-mnist from {FASHION_MNIST}: the published files (MD5)"


@has_fashion_mnist
def test_a_data_set_is_not_taken_for_another_whose_files_have_the_same_names() -> None:
    message = "to be train-images-idx3-ubyte of kmnist, got train-images-idx3-ubyte of fashion-mnist; remove it or take"
    with pytest.raises(ValueError, match=message):
        load("kmnist", FASHION_MNIST)


def test_the_digits_that_ship_need_neither_a_root_nor_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    training, test = load("mnist5k", Path("nowhere"), download=True)
    assert (len(training), len(test)) == (4_000, 1_000)
    assert "SHA-256" in training.source


def test_an_unknown_name_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a data set of mnist5k, mnist, fashion-mnist, .*, usps, folder, got 'minst'"):
        load("minst", tmp_path)


# ------------------------------------------------------------------------------------------------------------ places


@pytest.mark.parametrize("folder", ["KMNIST/raw", "kmnist", "."])
def test_files_are_found_in_three_places(fake, folder: str, tmp_path: Path) -> None:
    made = fake("kmnist")
    made.write(tmp_path / folder)
    assert_came_out(made, load("kmnist", tmp_path))


def test_a_folder_with_all_files_is_taken_before_one_with_some(fake, tmp_path: Path) -> None:
    other, made = fake("kmnist"), fake("kmnist")
    other.write(tmp_path / "KMNIST/raw")
    (tmp_path / "KMNIST/raw/train-labels-idx1-ubyte.gz").unlink()
    made.write(tmp_path / "kmnist")
    other.write(tmp_path)
    assert_came_out(made, load("kmnist", tmp_path))


def test_of_two_whole_folders_the_more_special_one_is_taken(fake, tmp_path: Path) -> None:
    for folder in (".", "kmnist", "KMNIST/raw"):
        made = fake("kmnist")
        made.write(tmp_path / folder)
        assert_came_out(made, load("kmnist", tmp_path))


def test_a_packed_file_is_taken_before_an_unpacked_one(fake, tmp_path: Path) -> None:
    """A sum is known of the packed one only."""
    other, made = fake("qmnist"), fake("qmnist")
    other.write(tmp_path, packed=False)
    made.write(tmp_path)
    assert_came_out(made, load("qmnist", tmp_path))


def test_the_home_folder_is_found(fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = fake("usps")
    made.write(tmp_path / "data")
    assert_came_out(made, load("usps", Path("~/data")))


# -------------------------------------------------------------------------------------------------------------- sums


def test_files_that_torchvision_knows_are_the_published_ones(
    fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = (made := fake("kmnist")).files()
    sums = [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]
    monkeypatch.setattr(torchvision_datasets().KMNIST, "resources", sums)
    folder = made.write(tmp_path)
    assert load("kmnist", tmp_path)[1].source == f"kmnist from {folder}: the published files (MD5)"
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(
        gzip.compress(made.contents["t10k-images-idx3-ubyte"], 9, mtime=1)
    )
    source = load("kmnist", tmp_path)[0].source
    assert source == f"kmnist from {folder}: no published MD5 vouches for t10k-images-idx3-ubyte.gz"


def test_files_are_known_in_each_class_of_torchvision() -> None:
    known = identities(torchvision_datasets())
    assert known["f68b3c2dcbeaaa9fbdd348bbdeb94873"] == ("mnist", "train-images-idx3-ubyte")
    assert known["8d4fb7e6c68d591d4c3dfef9ec88bf0d"] == ("fashion-mnist", "train-images-idx3-ubyte")
    assert known["7320c461ea6c1c855c0b718fb2a4b134"] == ("kmnist", "t10k-labels-idx1-ubyte")
    assert known["5b5b05890a5e13444e108efe57b788aa"] == ("qmnist", "qmnist-test-labels-idx2-int")
    assert known["ec16c51db3855ca6c91edd34d0e9b197"] == ("usps", "usps.bz2")
    assert known["2646ac647ad5339dbf082846283269ea"] == ("mnist", "t10k-images-idx3-ubyte")
    assert "emnist-balanced" not in {identity.data_set for identity in known.values()}


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
def test_where_the_sum_of_the_contents_is_known_it_decides(fake, packed: bool, tmp_path: Path, monkeypatch) -> None:
    made = fake("mnist")
    small = PUBLISHED["mnist"]
    sums = {name: hashlib.md5(content).hexdigest() for name, content in made.contents.items()}
    halves = {
        half: tuple(replace(file, md5=sums[file.name]) for file in getattr(small, half))
        for half in ("training", "test")
    }
    monkeypatch.setitem(PUBLISHED, "mnist", replace(small, **halves))
    assert load("mnist", made.write(tmp_path, packed=packed))[0].source.endswith("the published files (MD5)")
    content = bytearray(made.contents["train-images-idx3-ubyte"])
    content[-1] ^= 1
    made.contents["train-images-idx3-ubyte"] = bytes(content)
    made.write(tmp_path, packed=packed)
    expected, found = sums["train-images-idx3-ubyte"], hashlib.md5(content).hexdigest()
    with pytest.raises(ValueError, match=f"train-images-idx3-ubyte of mnist, MD5 {expected}, got MD5 {found}"):
        load("mnist", tmp_path)


def test_two_published_files_in_each_others_place_are_named(fake, tmp_path: Path, monkeypatch) -> None:
    """Both halves of the real QMNIST are of 60,000 images; here they are of one size too."""
    monkeypatch.setattr("fakes.N", {"training": 50, "test": 50})
    made = fake("qmnist")
    files = made.files()
    sums = [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]
    monkeypatch.setattr(torchvision_datasets().QMNIST, "resources", {"train": sums[:2], "test": sums[2:]})
    for name, other in zip(files, [*files][2:] + [*files][:2], strict=True):
        (tmp_path / name).write_bytes(files[other])
    message = "to be qmnist-train-images-idx3-ubyte of qmnist, got qmnist-test-images-idx3-ubyte of qmnist"
    with pytest.raises(ValueError, match=message):
        load("qmnist", tmp_path)


def test_the_checksum_is_of_shapes_pixels_and_labels() -> None:
    def images(shape: tuple[int, ...] = (2, 2, 3), pixel: int = 0, label: int = 0) -> Images:
        pixels, labels = torch.zeros(shape, dtype=torch.uint8), torch.zeros(shape[0], dtype=torch.int64)
        pixels[0, 0, 0], labels[-1] = pixel, label
        return Images(pixels, labels)

    others = [images(pixel=1), images(label=1), images((2, 3, 2)), images((1, 2, 3))]
    pairs = [(images(), images()), *((images(), other) for other in others), *((other, images()) for other in others)]
    assert len({checksum(*pair) for pair in pairs}) == len(pairs)
    strided = Images(images(pixel=1).pixels.mT.contiguous().mT, images().labels)
    assert checksum(strided, images()) == checksum(images(pixel=1), images())
    assert len(checksum(images(), images())) == 64


@pytest.mark.parametrize("packed", [True, False])
def test_names_with_a_dot_are_found(fake, tmp_path: Path, packed: bool) -> None:
    made = fake("mnist")
    for name, content in made.files(packed=packed).items():
        (tmp_path / name.replace("-idx", ".idx")).write_bytes(content)
    training, test = load("mnist", tmp_path)
    assert_identical(training.pixels, made.training[0])
    assert_identical(test.labels, made.test[1])


def test_one_file_of_numpys_is_found(fake, tmp_path: Path) -> None:
    made = fake("mnist")
    halves = {"train": made.training, "test": made.test}
    arrays = {f"{kind}_{half}": pair[i] for half, pair in halves.items() for i, kind in enumerate("xy")}
    np.savez_compressed(tmp_path / "mnist.npz", **{name: each.byte().numpy() for name, each in arrays.items()})
    training, test = load("mnist", tmp_path)
    for images, (pixels, labels) in ((training, made.training), (test, made.test)):
        assert_identical(images.pixels, pixels)
        assert_identical(images.labels, labels)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "the array x_train in"),
        ({"x_train": np.zeros((94, 28, 28))}, "the array x_train in .* to be of uint8, got float64"),
        ({"x_train": np.zeros((9, 28, 28), np.uint8)}, r"to be of shape \(94, 28, 28\), got \(9, 28, 28\)"),
        ({"x_train": np.array([None])}, "the array x_train in"),
    ],
    ids=["nothing in it", "other numbers", "fewer", "objects"],
)
def test_a_file_of_numpys_with_something_else_is_named(
    fake, tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    fake("mnist")
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load("mnist", tmp_path)
    (tmp_path / "mnist.npz").write_bytes((tmp_path / "mnist.npz").read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"the array x_train in .*, a whole file of numpy's"):
        load("mnist", tmp_path)
