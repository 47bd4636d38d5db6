"""Small files in the format of every published data set, and the images that must come out of them."""

from __future__ import annotations

import bz2
import gzip
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from manual_bp.training.images.datasets.published import PUBLISHED, DataSet, File, IdxFile, LibsvmFile
from manual_bp.training.images.datasets.vision import torchvision_datasets

Pixels = Tensor
Labels = Tensor
N = {"training": 94, "test": 47}  # no class is without an image


def idx(shape: tuple[int, ...], body: bytes, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + body


@dataclass
class Fake:
    """A data set of few images: the contents of its files by name, unpacked, and what must come out."""

    name: str
    contents: dict[str, bytes]
    training: tuple[Pixels, Labels]
    test: tuple[Pixels, Labels]

    def files(self, *, packed: bool = True) -> dict[str, bytes]:
        """Return the files by the names that they have in a folder."""
        if not packed or self.name == "usps":
            return dict(self.contents)
        return {f"{name}.gz": gzip.compress(content, 1, mtime=0) for name, content in self.contents.items()}

    def write(self, folder: Path, *, packed: bool = True) -> Path:
        """Write the files into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files(packed=packed).items():
            (folder / name).write_bytes(content)
        return folder


@pytest.fixture(name="fake")
def fake_data_set(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Fake]:
    """Make a fake of a data set, and let few images be what was published, with no sums of contents."""

    def make(name: str) -> Fake:
        whole = PUBLISHED[name]
        small = replace(
            whole,
            training=tuple(_shrunk(file, N["training"]) for file in whole.training),
            test=tuple(_shrunk(file, N["test"]) for file in whole.test),
        )
        monkeypatch.setitem(PUBLISHED, name, small)
        return _fake(name, small)

    return make


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Be the folder for temporary files, and find nothing in it in the end."""
    torchvision_datasets()  # its first import leaves a folder there
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    yield tmp_path / "scratch"
    assert list((tmp_path / "scratch").iterdir()) == []


def _shrunk(file: File, n: int) -> File:
    return replace(file, n=n) if isinstance(file, LibsvmFile) else replace(file, shape=(n, *file.shape[1:]), md5=None)


def _fake(name: str, data_set: DataSet) -> Fake:
    contents, halves = {}, []
    for files, n in ((data_set.training, N["training"]), (data_set.test, N["test"])):
        labels = torch.arange(n) % len(data_set.names)
        made, pixels = _usps(files, labels) if name == "usps" else _pair(files, labels)
        contents |= made
        halves.append((pixels.mT if name == "emnist-balanced" else pixels, labels))
    return Fake(name, contents, *halves)


def _pair(files: tuple[File, ...], labels: Labels) -> tuple[dict[str, bytes], Pixels]:
    """Return an IDX file of images and one of labels."""
    of_images, of_labels = files
    assert isinstance(of_images, IdxFile)
    assert isinstance(of_labels, IdxFile)
    pixels = torch.randint(256, of_images.shape, dtype=torch.uint8)
    if of_labels.dtype == "int32":  # QMNIST: the class, then columns that say nothing about it
        columns = torch.randint(-(2**31), 2**31, of_labels.shape)
        columns[:, 0] = labels
        body, kind = columns.numpy().astype(">i4").tobytes(), 12
    else:
        body, kind = labels.byte().numpy().tobytes(), 8
    images = idx(of_images.shape, pixels.numpy().tobytes())
    return {of_images.name: images, of_labels.name: idx(of_labels.shape, body, kind)}, pixels


def _usps(files: tuple[File, ...], labels: Labels) -> tuple[dict[str, bytes], Pixels]:
    """Return a libsvm file; -1, 0 and 1 stand for the pixels 0, 127 and 255."""
    values = torch.randint(-1, 2, (len(labels), 256))
    text = "".join(map(usps_line, (labels + 1).tolist(), values.tolist()))
    pixels = torch.tensor([0, 127, 255], dtype=torch.uint8)[values + 1].reshape(-1, 16, 16)
    return {files[0].name: bz2.compress(text.encode(), 1)}, pixels


def usps_line(label: object, values: list[int]) -> str:
    return " ".join([str(label), *(f"{index}:{value}" for index, value in enumerate(values, 1))]) + " \n"
