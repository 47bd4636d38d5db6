"""Pictures in folders that have the names of their classes, as a data set.

    DIR/train/CLASS/*.png and DIR/test/CLASS/*.png        the two halves, both with the same classes
    DIR/CLASS/*.png                                       one fifth of each class, drawn the same way each time, is the
                                                          test half

Classes are in the order of their names, and so are the pictures of each. Names that begin with a dot, and what systems
leave behind (``CLUTTER``), are passed over; anything else that does not fit is an error. Pictures become shades of grey
as they are: nothing is cut out, centred or inverted, neither here nor in ``predict``.
"""

from __future__ import annotations

import unicodedata
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from manual_bp.training.images.data import Images
from manual_bp.training.images.datasets.resizing import resized_pixels
from manual_bp.training.images.decoding import decoded
from manual_bp.training.images.paths import found_at, is_file, shown

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
HALVES = ("train", "test")
FIFTH = 5
LARGEST = 1024
"""Pixels of a side: a checkpoint describes no larger images."""
MOST_CLASSES = 1000
WORKING_SIZE = 2048  # pixels of the longer side: a larger picture is first reduced by a whole factor, for its memory
CLUTTER = ("thumbs.db", "desktop.ini", "__macosx")

Pictures = dict[str, list[Path]]
"""The files of each class."""


def load_folder(root: Path, side: int | None = None) -> tuple[Images, Images]:
    """Return the training and the test images in a folder, side x side where a side is given.

    Raises FileNotFoundError or another OSError where something cannot be read, ValueError where something does not fit.
    """
    source = f"pictures in {shown(root)}"
    if _is_divided(root, "--data-root"):
        training, test = (_classes(root / half) for half in HALVES)
        _check_same(training, test, root)
    else:
        training, test = _divided(_classes(root), root)
        source += ": one fifth of each class is for testing"
    size = _size(training, side)
    first, second = (Images(*_read(half, size), names=tuple(training), source=source) for half in (training, test))
    return first, second


def load_test_folder(root: Path, side: int | None = None) -> Images:
    """Return the test images in a folder as ``load_folder`` does, or all its pictures where it has no halves."""
    test = _classes(root / "test" if _is_divided(root, "--test-root") else root)
    return Images(*_read(test, _size(test, side)), names=tuple(test), source=f"pictures in {shown(root)}")


def read_plain(path: Path, side: int | None = None) -> Tensor:
    """Return a picture in shades of grey (height, width) uint8 as it is, or scaled to side x side.

    A pixel of the scaled one is the mean over its area; the picture fills the square, whatever its shape was.
    """
    picture = decoded(path, "load")
    if side is not None and max(picture.size) > WORKING_SIZE:
        picture = picture.reduce(max(picture.size) // LARGEST)
    pixels = torch.from_numpy(np.array(picture))
    return pixels if side is None else resized_pixels(pixels[None], side)[0]


# -------------------------------------------------------------------------------------------------- which files


def _is_divided(root: Path, name: str) -> bool:
    """Return whether a folder has the halves train and test; ``name`` is the option that names it."""
    if not root.is_dir():
        hint = f"{name} DIR says where the folders of pictures are"
        raise FileNotFoundError(f"load expects a folder of pictures at {shown(root)}: it is {_found(root)}; {hint}")
    folders = [entry.name for entry in _entries(root) if entry.is_dir()]
    present = [half for half in HALVES if half in folders]
    if len(present) == 1:
        raise ValueError(f"load expects both train and test in {shown(root)}, or neither: got {present[0]} alone")
    return bool(present)


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, by name, without what is hidden or clutter."""
    found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return [each for each in found if not each.name.startswith(".") and each.name.lower() not in CLUTTER]


def _classes(folder: Path) -> Pictures:
    """Return the pictures of each class in a folder that has a folder for each."""
    classes: Pictures = {}
    for entry in _entries(folder):
        if not entry.is_dir():
            if entry.suffix.lower() in SUFFIXES or entry.is_symlink():
                raise ValueError(f"load expects folders of classes in {shown(folder)}, got {_what(entry)}")
            continue  # notes, tables of labels
        name = unicodedata.normalize("NFC", entry.name)  # of the two ways to spell ä, systems take either
        if not name.isprintable():
            raise ValueError(f"load expects names of classes that can be printed, got {shown(entry)}")
        if name in classes:
            raise ValueError(f"load expects one folder for each class in {shown(folder)}, got {name} twice")
        classes[name] = _pictures(entry)
    if not 2 <= len(classes) <= MOST_CLASSES:
        expected = f"folders of 2 to {MOST_CLASSES:,} classes"
        raise ValueError(f"load expects {expected} in {shown(folder)}, got {len(classes):,}")
    return dict(sorted(classes.items()))


def _pictures(folder: Path) -> list[Path]:
    found = _entries(folder)
    for path in found:
        if not is_file(path) or path.suffix.lower() not in SUFFIXES:
            kinds = ", ".join(suffix.removeprefix(".") for suffix in SUFFIXES)
            raise ValueError(f"load expects pictures alone ({kinds}) in {shown(folder)}, got {_what(path)}")
    if not found:
        raise ValueError(f"load expects pictures in {shown(folder)}, got none: take the folder away, or fill it")
    return found


def _what(path: Path) -> str:
    return f"{shown(Path(path.name))}, {_found(path)}"


def _found(path: Path) -> str:
    return "a file" if is_file(path) else found_at(path)


def _check_same(training: Pictures, test: Pictures, root: Path) -> None:
    for half, own, others in (("train", training, test), ("test", test, training)):
        if alone := sorted(own.keys() - others.keys()):
            what = f"{alone[0]} is in {half} alone"
            raise ValueError(f"load expects the same classes in train and test of {shown(root)}: {what}")


def _divided(classes: Pictures, root: Path) -> tuple[Pictures, Pictures]:
    """Draw one fifth of each class for the tests, at least one picture and not all."""
    training: Pictures = {}
    test: Pictures = {}
    for name, paths in classes.items():
        if len(paths) < 2:
            hint = "one to train with and one to test with"
            raise ValueError(f"load expects at least two pictures in {shown(paths[0].parent)}, {hint}: got one")
        drawn = torch.randperm(len(paths), generator=torch.Generator().manual_seed(0)).tolist()
        count = max(1, len(paths) // FIFTH)
        test[name] = [paths[i] for i in sorted(drawn[:count])]
        training[name] = [paths[i] for i in sorted(drawn[count:])]
    return training, test


# ------------------------------------------------------------------------------------------------------ their pixels


HINT = "--image-size N scales all pictures to N x N"


class _Size(NamedTuple):
    """The side of all pictures: they are scaled to it, or have it as one of them has."""

    side: int
    model: Path | None

    @classmethod
    def scaled(cls, side: int) -> _Size:
        return cls(side, None)

    @classmethod
    def of(cls, path: Path) -> _Size:
        """Return the size of a picture; ValueError unless it is a square that a checkpoint can describe."""
        height, width = read_plain(path).shape
        if height != width or height > LARGEST:
            got = f"{shown(path)} of {width} x {height}"
            raise ValueError(f"load expects squares of at most {LARGEST} x {LARGEST} pixels, got {got}; {HINT}")
        return cls(height, path)

    def read(self, path: Path) -> Tensor:
        """Return a picture of this size; ValueError where it has another and is not to be scaled."""
        if self.model is None:
            return read_plain(path, self.side)
        pixels = read_plain(path)
        if pixels.shape != (self.side, self.side):
            one = f"{shown(self.model)} of {self.side} x {self.side}"
            other = f"{shown(path)} of {pixels.shape[1]} x {len(pixels)}"
            raise ValueError(f"load expects pictures of one size, got {one} and {other}; {HINT}")
        return pixels


def _size(classes: Pictures, side: int | None) -> _Size:
    """Return the size that is asked for, or that of the first picture."""
    return _Size.scaled(side) if side else _Size.of(next(iter(classes.values()))[0])


def _read(classes: Pictures, size: _Size) -> tuple[Tensor, Tensor]:
    """Return pixels (n, side, side) and labels (n,)."""
    counts = [len(paths) for paths in classes.values()]
    pixels = torch.empty(sum(counts), size.side, size.side, dtype=torch.uint8)
    for row, path in zip(pixels, chain(*classes.values()), strict=True):
        row.copy_(size.read(path))
    return pixels, torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
