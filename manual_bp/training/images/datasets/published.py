"""The data sets that others published: their files, what is in them, and the sums by which they are known.

torchvision carries the MD5 of each file as its server packs it. The same contents packed anew, or unpacked, have
another one, so for MNIST and Fashion-MNIST the MD5 of the contents stands here too, and decides.
"""

from __future__ import annotations

import bz2
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from manual_bp.training.images.data import DIGITS
from manual_bp.training.images.idx import checked_shape, from_npz, unpacked

# ------------------------------------------------------------------------------------------------------------ files


@dataclass(frozen=True)
class IdxFile:
    """An IDX file, in a folder by its name, with a dot in it as others have it, packed by gzip, or in an .npz."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "uint8"
    md5: str | None = None  # of the contents, where it is known
    in_npz: tuple[str, str] | None = None  # a file of numpy's that holds it too, and its name there

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that it may have in a folder, first the one whose sum torchvision knows."""
        dotted = self.name.replace("-idx", ".idx")
        return f"{self.name}.gz", self.name, f"{dotted}.gz", dotted, *(self.in_npz or ())[:1]

    def contents(self, raw: bytes, path: Path) -> bytes:
        """Return the contents, unpacked and of the published shape, for torchvision to read."""
        contents = from_npz(raw, path, self.in_npz[1]) if self.in_npz and path.suffix == ".npz" else unpacked(raw, path)
        shape = checked_shape(contents, path, self.dtype)
        if shape != self.shape:
            raise ValueError(f"load expects {path} to be of shape {self.shape}, got {shape}")
        return contents


@dataclass(frozen=True)
class LibsvmFile:
    """Text packed by bz2, a line an image: the label from 1 on, then ``index:value`` of each pixel, from -1 to 1."""

    name: str
    n: int
    pixels: int = 256
    labels: int = 10
    md5: None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the one name that it may have in a folder."""
        return (self.name,)

    def contents(self, raw: bytes, path: Path) -> bytes:
        """Return the file as it is, every line checked: torchvision reads it packed."""
        try:
            lines = bz2.decompress(raw).splitlines()
        except (OSError, ValueError) as error:
            raise ValueError(f"load expects {path} to be a whole bz2 file: {error}") from error
        if len(lines) != self.n:
            raise ValueError(f"load expects {path} to hold {self.n:,} lines, got {len(lines):,}")
        labels = {line.partition(b" ")[0].decode(errors="replace") for line in lines}
        if wrong := labels - {str(label) for label in range(1, self.labels + 1)}:
            raise ValueError(f"load expects labels from 1 to {self.labels} in {path}, got {min(wrong)!r}")
        self._check_pixels(lines, path)
        return raw

    def _check_pixels(self, lines: list[bytes], path: Path) -> None:
        expected = f"load expects a label, then 1:VALUE to {self.pixels}:VALUE from -1 to 1, in each line of {path}"
        text = b"\n".join(lines).replace(b":", b" ")
        try:
            table = np.loadtxt(io.BytesIO(text), dtype=np.float32, comments=None, ndmin=2)
        except ValueError as error:
            raise ValueError(f"{expected}: {error}") from error
        indices, values = table[:, 1::2], table[:, 2::2]
        if not indices.shape == values.shape == (self.n, self.pixels):
            raise ValueError(f"{expected}, got {values.shape[1]} values")
        good = (indices == np.arange(1, self.pixels + 1)) & (np.abs(values) <= 1)
        if not good.all():
            line, pixel = np.argwhere(~good)[0]
            raise ValueError(f"{expected}, got {indices[line, pixel]:g}:{values[line, pixel]:g} in line {line + 1}")


File = IdxFile | LibsvmFile

# -------------------------------------------------------------------------------------------------------- data sets


@dataclass(frozen=True)
class DataSet:
    """The files of the training and the test images, and how torchvision.datasets reads them."""

    reader: str  # the class in torchvision.datasets
    training: tuple[File, ...]
    test: tuple[File, ...]
    names: tuple[str, ...] = DIGITS
    folder: str = ""  # in which the class keeps its files, under its root
    options: Mapping[str, str] = field(default_factory=dict)  # further arguments of the class
    transposed: bool = False  # images are stored a column at a time

    @property
    def files(self) -> tuple[File, ...]:
        """Return all files."""
        return self.training + self.test


def _pair(
    prefix: str, n: int, md5: tuple[str, str] | tuple[None, None] = (None, None), npz: tuple[str, str] | None = None
) -> tuple[File, File]:
    """Return the files of n images, 28 x 28, and their labels, with the MD5 of their contents where it is known.

    ``npz`` is a file that holds both in numpy's format, and which half there these are.
    """
    images, labels = ((npz[0], f"{kind}_{npz[1]}") if npz else None for kind in "xy")
    return (
        IdxFile(f"{prefix}-images-idx3-ubyte", (n, 28, 28), md5=md5[0], in_npz=images),
        IdxFile(f"{prefix}-labels-idx1-ubyte", (n,), md5=md5[1], in_npz=labels),
    )


def _qmnist(half: str) -> tuple[File, File]:
    """Return the files of a half of QMNIST, whose labels have eight columns: the class, then who wrote it and where."""
    return (
        IdxFile(f"qmnist-{half}-images-idx3-ubyte", (60_000, 28, 28)),
        IdxFile(f"qmnist-{half}-labels-idx2-int", (60_000, 8), "int32"),
    )


KERAS_TRAIN, KERAS_TEST = ("mnist.npz", "train"), ("mnist.npz", "test")  # the one file in which Keras has MNIST
CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
CHARACTERS = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")  # a small letter where its form is its own

PUBLISHED = {
    "mnist": DataSet(
        "MNIST",
        _pair("train", 60_000, ("6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624"), KERAS_TRAIN),
        _pair("t10k", 10_000, ("2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"), KERAS_TEST),
        folder="MNIST/raw",
    ),
    "fashion-mnist": DataSet(
        "FashionMNIST",
        _pair("train", 60_000, ("f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9")),
        _pair("t10k", 10_000, ("8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965")),
        names=CLOTHES,
        folder="FashionMNIST/raw",
    ),
    "kmnist": DataSet("KMNIST", _pair("train", 60_000), _pair("t10k", 10_000), names=KUZUSHIJI, folder="KMNIST/raw"),
    "emnist-balanced": DataSet(
        "EMNIST",
        _pair("emnist-balanced-train", 112_800),
        _pair("emnist-balanced-test", 18_800),
        names=CHARACTERS,
        folder="EMNIST/raw",
        options={"split": "balanced"},
        transposed=True,
    ),
    "qmnist": DataSet("QMNIST", _qmnist("train"), _qmnist("test"), folder="QMNIST/raw"),
    "usps": DataSet("USPS", (LibsvmFile("usps.bz2", 7_291),), (LibsvmFile("usps.t.bz2", 2_007),)),
}

# ------------------------------------------------------------------------------------------------------------- sums


class Identity(NamedTuple):
    """A published file: its data set, and its name unpacked."""

    data_set: str
    file: str


def identities(torchvision: ModuleType) -> dict[str, Identity]:
    """Return which file has which MD5: those of torchvision.datasets, of packed files, and those known of contents."""
    packed = {
        md5: Identity(name, Path(address).name.removesuffix(".gz"))
        for name, data_set in PUBLISHED.items()
        for address, md5 in _resources(getattr(torchvision, data_set.reader))
    }
    contents = {
        file.md5: Identity(name, file.name)
        for name, data_set in PUBLISHED.items()
        for file in data_set.files
        if file.md5 is not None
    }
    return packed | contents


def _resources(reader: type) -> Iterable[tuple[str, str]]:
    """Yield (address or name, MD5) of the files of a class, each class in its own way; EMNIST inherits MNIST's."""
    own = vars(reader)
    if "split_list" in own:  # USPS
        return ((name, md5) for _, name, md5 in own["split_list"].values())
    resources = own.get("resources", ())
    return chain.from_iterable(resources.values()) if isinstance(resources, dict) else resources
