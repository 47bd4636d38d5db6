"""Images that are held out of the training images, to choose by, so that the test images choose nothing."""

from __future__ import annotations

from dataclasses import replace

import torch

from manual_bp.training.images.data import Images


def held_out(images: Images, count: int) -> tuple[Images, Images]:
    """Return the images without ``count`` of them, and those, drawn the same way each time.

    Raises ValueError where none would be left.
    """
    if not 0 <= count < len(images):
        raise ValueError(f"held_out expects a count from 0 to below the {len(images):,} images, got {count:,}")
    drawn = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    chosen = drawn[count:].sort().values, drawn[:count].sort().values
    rest, held = (replace(images, pixels=images.pixels[rows], labels=images.labels[rows]) for rows in chosen)
    return rest, held
