"""Labelled images in memory, and the data set that ships with the project.

That one (folder ``mnist5k``) is 5,000 real MNIST digits in MNIST's own file format (``idx.py``); ``datasets`` reads
larger ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from manual_bp.training.images.idx import read_idx

MNIST5K = Path(__file__).parent / "mnist5k"
MNIST5K_SHA256 = {
    "train-images-idx3-ubyte.gz": "ac0cdb9727cb33e2729ffad732589b918699dc168a10e794b78d3d4a25fe2342",
    "train-labels-idx1-ubyte.gz": "7d0eab0cb879e54c4a0f8c29aeced7db2bed3387b722fb3666c0e4acc10e40f1",
    "t10k-images-idx3-ubyte.gz": "d6147023a1b75822c16a76d0ef631d099033596dfa677a9537dcd2948732c2fb",
    "t10k-labels-idx1-ubyte.gz": "162d11e7a798e7d8dec532d63a1b12d4fb040bc5292ffdeae1fe5e4cb243ad2e",
}

DIGITS = tuple("0123456789")


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images: pixels (n, height, width) uint8 with ink 255, labels (n,) int64 from 0 to classes - 1.

    ``names`` are those of the classes, by label; ``source`` says where the images are from and what vouches for them.
    """

    pixels: Tensor
    labels: Tensor
    names: tuple[str, ...] = DIGITS
    source: str = ""

    def __post_init__(self) -> None:
        """Check that there is one label in range for every image."""
        if self.pixels.ndim != 3 or self.pixels.dtype != torch.uint8:
            got = f"{tuple(self.pixels.shape)} of {self.pixels.dtype}"
            raise ValueError(f"Images expects pixels (n, height, width) of torch.uint8, got {got}")
        if self.labels.shape != self.pixels.shape[:1]:
            raise ValueError(f"Images expects {len(self.pixels)} labels, one an image, got {tuple(self.labels.shape)}")
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < self.classes:
            low, high = int(self.labels.min()), int(self.labels.max())
            raise ValueError(f"Images expects labels from 0 to {self.classes - 1}, got {low} to {high}")

    @property
    def classes(self) -> int:
        """Count the classes, those that no image belongs to included."""
        return len(self.names)

    @cached_property
    def mean_and_deviation(self) -> tuple[float, float]:
        """Return mean and standard deviation of all pixels."""
        deviation, mean = torch.std_mean(self.pixels.double())
        return mean.item(), deviation.item()

    def __len__(self) -> int:
        """Count the images."""
        return len(self.pixels)


def mnist5k() -> tuple[Images, Images]:
    """Return the 4,000 training and 1,000 test digits that ship with the project, balanced by class."""
    return _read_images(MNIST5K, "train"), _read_images(MNIST5K, "t10k")


def _read_images(folder: Path, split: str) -> Images:
    names = f"{split}-images-idx3-ubyte.gz", f"{split}-labels-idx1-ubyte.gz"
    pixels, labels = (read_idx(folder / name, sha256=MNIST5K_SHA256[name]) for name in names)
    return Images(pixels, labels.long(), source="5,000 digits of MNIST that ship with the project (SHA-256)")
