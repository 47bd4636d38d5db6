"""Handwritten digits in memory, and mini-batches of them as slices of one tensor.

The data set that ships with the project (folder ``mnist5k``) is 5,000 real MNIST digits in MNIST's own file
format (``idx.py``); ``datasets.py`` reads larger ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import SeedSequence  # here, not at first use: its import swallows a Ctrl-C
from torch import Tensor

from manual_bp.loss import one_hot
from manual_bp.training.idx import read_idx

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


BLOCK = 512  # images gathered in one go where batches are smaller; larger blocks gained little more


class Batches:
    """Mini-batches of images as network input: x (N, height * width) standardised, t (N, classes) one-hot rows.

    All batches of one size are written into the same two tensors: use a batch before taking the next. Pixels are
    standardised with the mean and standard deviation of all pixels of ``standard``, the training images. Small batches
    are gathered a block at a time, since five calls for ten images cost more than the images.
    """

    def __init__(self, images: Images, batch_size: int, *, standard: Images, dtype: torch.dtype, device: str) -> None:
        """Move the images to the device once; every batch is then a slice."""
        if batch_size < 1:
            raise ValueError(f"Batches expects a batch size of at least 1, got {batch_size}")
        if len(images) == 0:
            raise ValueError("Batches expects at least one image, got none")
        self.batch_size = min(batch_size, len(images))
        self.pixels = images.pixels.flatten(1).to(device)
        self.labels = images.labels.to(device)
        like = torch.empty((), dtype=dtype, device=device)
        self.targets = one_hot(self.labels, images.classes, like=like)
        deviation, mean = torch.std_mean(standard.pixels.double())
        if deviation == 0:
            raise ValueError("Batches expects images that are not all one colour, got a standard deviation of 0")
        self._scale, self._offset = 1 / deviation.item(), like.new_tensor(-mean.item() / deviation.item())
        self._block = self.batch_size * max(1, BLOCK // self.batch_size)
        self._rooms = {n: self._room(n, like) for n in {self._block, len(images) % self._block} - {0}}
        self._buffers = {
            x.shape[0]: (x, t) if self._block == self.batch_size else (torch.empty_like(x), torch.empty_like(t))
            for *_, batches in self._rooms.values()
            for x, t in batches
        }

    def _room(self, n: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
        """Make tensors for n images: their pixels, x, t, and the views of the batches in x and t."""
        x, t = like.new_empty(n, self.pixels.shape[1]), like.new_empty(n, self.targets.shape[1])
        batches = list(zip(torch.split(x, self.batch_size), torch.split(t, self.batch_size), strict=True))
        return self.pixels.new_empty(n, self.pixels.shape[1]), x, t, batches

    def __len__(self) -> int:
        """Count the batches of an epoch, a smaller last one included."""
        return -(-len(self.pixels) // self.batch_size)

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (x, t) of all images in their order."""
        return self._batches(torch.arange(len(self.pixels), device=self.pixels.device))

    def shuffled(self, seed: int, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (x, t) of all images once, in the order that belongs to (seed, epoch), on any device."""
        entropy = int(SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0])
        generator = torch.Generator().manual_seed(entropy >> 1)
        return self._batches(torch.randperm(len(self.pixels), generator=generator).to(self.pixels.device))

    def _batches(self, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in torch.split(order, self._block):
            pixels, x, t, batches = self._rooms[rows.shape[0]]
            torch.index_select(self.pixels, 0, rows, out=pixels)
            torch.add(self._offset, x.copy_(pixels), alpha=self._scale, out=x)
            torch.index_select(self.targets, 0, rows, out=t)
            for batch_x, batch_t in batches:
                x, t = self._buffers[batch_x.shape[0]]
                yield x.copy_(batch_x), t.copy_(batch_t)  # where the batch is the block, these are no copies
