"""Mini-batches of images: shuffled, distorted at random, shared among processes, in tensors that are made once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import SeedSequence  # here, not at first use: its import swallows a Ctrl-C
from torch import Tensor

from manual_bp.loss import one_hot
from manual_bp.training.images.data import Images
from manual_bp.training.images.distortions import Distortions, Drawn, Ranges
from manual_bp.training.images.shifts import Shifts

BLOCK = 512
"""Images that are gathered in one go where batches are smaller, since a call for ten images costs more than the images,
and standardised in one go where batches are larger: their numbers are still in the cache in the next operation."""


class Batches:
    """Mini-batches of images as network input: x (N, height * width) standardised, t (N, classes).

    Pixels are standardised with the mean and standard deviation of all pixels of ``standard``, the training images.
    With ``label_smoothing`` a, a row of t is 1 − a at the image's class, and a / classes more everywhere: a = 0 is
    one-hot. With ``shift`` s, ``shuffled`` moves every image by up to s pixels in each direction, anew in each epoch,
    and fills in background, 0. With ``distortion`` it distorts every image within these ranges instead.

    ``part`` (rank, count) shares each batch among count processes: this one gets rows
    ``tensor_split(batch, count)[rank]``, which may be none, of the same batch that one process alone would get.

    All batches of one size are written into the same two tensors: use a batch before taking the next.
    """

    def __init__(
        self,
        images: Images,
        batch_size: int,
        *,
        standard: Images,
        dtype: torch.dtype,
        device: str,
        label_smoothing: float = 0.0,
        shift: int = 0,
        distortion: Ranges | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        """Move the images to the device once; raise ValueError for a number out of its range."""
        _check(images, batch_size, label_smoothing, shift, part)
        if shift and distortion is not None:
            raise ValueError("Batches expects a shift or a distortion, got both: a distortion shifts too")
        self.batch_size, self.part = min(batch_size, len(images)), part
        self._height, self._width = images.pixels.shape[1:]
        self._shifts = Shifts(images.pixels.to(device), shift) if shift else None
        self.pixels = self._shifts.pixels if self._shifts else images.pixels.flatten(1).to(device)
        like = torch.empty((), dtype=dtype, device=device)
        self._distortions = Distortions(self._height, self._width, distortion, like) if distortion else None
        self.targets = one_hot(images.labels.to(device), images.classes, like=like)
        self.targets.mul_(1 - label_smoothing).add_(label_smoothing / images.classes)
        self.mean, self.deviation = standard.mean_and_deviation
        if self.deviation == 0:
            raise ValueError("Batches expects images that are not all one colour, got a standard deviation of 0")
        self._scale, self._offset = 1 / self.deviation, like.new_tensor(-self.mean / self.deviation)
        sizes = {self.batch_size, len(images) % self.batch_size} - {0}
        self._rooms = {size: self._room(size, like) for size in sizes}

    def _room(self, size: int, like: Tensor) -> _Room:
        """Make the tensors for batches of ``size`` rows, in all processes together."""
        rows = self._mine(torch.empty(1, size)).shape[1]
        n = max(1, BLOCK // size)
        columns, classes = self.pixels.shape[1], self.targets.shape[1]
        gathered = self.pixels.new_empty(n * rows, columns)
        distorted = None if self._distortions is None else like.new_empty(gathered.shape)
        x, targets = like.new_empty(rows, columns), like.new_empty(n * rows, classes)
        sources = (gathered if distorted is None else distorted).view(n, rows, columns)
        pieces = [list(zip(torch.split(one, BLOCK), torch.split(x, BLOCK), strict=True)) for one in sources.unbind()]
        batches = list(zip(pieces, targets.view(n, rows, classes).unbind(), strict=True))
        t = batches[0][1] if n == 1 else targets.new_empty(rows, classes)
        return _Room(gathered, torch.empty_like(gathered), distorted, targets, batches, x, t)

    def __len__(self) -> int:
        """Count the batches of an epoch, a smaller last one included."""
        return -(-len(self.pixels) // self.batch_size)

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (x, t) of all images in their order, as they are."""
        return self._batches(torch.arange(len(self.pixels), device=self.pixels.device), None)

    def shuffled(self, seed: int, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (x, t) of all images once, but for the first ``start`` batches.

        Order, shifts and distortions belong to (seed, epoch), on any device: an epoch that was left after k batches is
        continued, number for number, by ``start=k``.
        """
        if not 0 <= start <= len(self):
            raise ValueError(f"Batches expects to start at one of its {len(self)} batches, got {start}")
        device, n = self.pixels.device, len(self.pixels)
        entropy = int(SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0])
        generator = torch.Generator().manual_seed(entropy >> 1)
        order = torch.randperm(n, generator=generator).to(device)
        drawn: Tensor | Drawn | None = None
        if self._shifts is not None:
            drawn = self._shifts.draw(n, generator).to(device)
        elif self._distortions is not None:
            drawn = self._distortions.draw(n, generator)
        return self._batches(order[start * self.batch_size :], drawn)

    def distorted(self, seed: int, count: int) -> Tensor | None:
        """Return pixels (n, height, width), 0 to 255, of up to ``count`` images as epoch 1 shifts or distorts them.

        None where the images come as they are.
        """
        if self._shifts is None and self._distortions is None:
            return None
        taken: list[Tensor] = []
        for x, _ in self.shuffled(seed, 1):
            taken.append(x.clone())
            if sum(map(len, taken)) >= count:
                break
        return (torch.cat(taken)[:count] * self.deviation + self.mean).view(-1, self._height, self._width)

    def first_row(self, size: int) -> int:
        """Return the number of this process's first row in a batch of ``size`` rows."""
        rank, count = self.part
        return rank * (size // count) + min(rank, size % count)

    def _batches(self, order: Tensor, drawn: Tensor | Drawn | None) -> Iterator[tuple[Tensor, Tensor]]:
        whole = len(order) - len(order) % self.batch_size
        for rows in (order[:whole].view(-1, self.batch_size), order[None, whole:]):
            if rows.numel():
                yield from self._in_blocks(self._mine(rows), self._rooms[rows.shape[1]], drawn)

    def _mine(self, rows: Tensor) -> Tensor:
        """Return this process's columns of batches (n, size), a batch a row."""
        rank, count = self.part
        return rows.tensor_split(count, 1)[rank]

    def _in_blocks(self, batches: Tensor, room: _Room, drawn: Tensor | Drawn | None) -> Iterator[tuple[Tensor, Tensor]]:
        for block in torch.split(batches, len(room.batches)):
            self._gather(block.flatten(), room, drawn)
            for pieces, t in room.batches[: len(block)]:
                for (
                    source,
                    x,
                ) in pieces:  # here, and not a block at a time: ten images and their numbers stay in the cache
                    x.copy_(source)
                    torch.add(self._offset, x, alpha=self._scale, out=x)
                yield room.x, room.t.copy_(t)  # where the batch is the block, this is no copy

    def _gather(self, rows: Tensor, room: _Room, drawn: Tensor | Drawn | None) -> None:
        """Write the pixels and targets of images ``rows`` into the room, each shifted or distorted as drawn for it."""
        n = len(rows)
        pixels = room.gathered[:n]
        if self._shifts is not None and isinstance(drawn, Tensor):
            self._shifts.gather(rows, drawn[rows], out=pixels, scratch=room.scratch[:n])
        else:
            torch.index_select(self.pixels, 0, rows, out=pixels)
        if room.distorted is not None:
            x = room.distorted[:n].copy_(pixels)
            if self._distortions is not None and isinstance(drawn, Drawn):
                self._distortions.distort(x, rows, drawn)
        torch.index_select(self.targets, 0, rows, out=room.targets[:n])


class _Room(NamedTuple):
    """Where batches of one size are gathered, a block of them at a time, and the two tensors that hold each in turn."""

    gathered: Tensor
    scratch: Tensor  # of the shifts
    distorted: Tensor | None
    targets: Tensor
    batches: list[tuple[list[tuple[Tensor, Tensor]], Tensor]]
    """Of each batch of a block the pixels with the rows of x that they make, a piece at a time, and the targets."""
    x: Tensor
    t: Tensor


def _check(images: Images, batch_size: int, label_smoothing: float, shift: int, part: tuple[int, int]) -> None:
    if batch_size < 1:
        raise ValueError(f"Batches expects a batch size of at least 1, got {batch_size}")
    if len(images) == 0:
        raise ValueError("Batches expects at least one image, got none")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"Batches expects a label_smoothing from 0 to below 1, got {label_smoothing}")
    height, width = images.pixels.shape[1:]
    if not 0 <= shift < min(height, width):
        raise ValueError(f"Batches expects a shift from 0 to below the side of {height} x {width} images, got {shift}")
    rank, count = part
    if not 0 <= rank < count:
        raise ValueError(f"Batches expects a part (rank, count) with a rank from 0 to count - 1, got {part}")
