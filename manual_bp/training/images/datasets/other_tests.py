"""The test images of another data set: all images of the first one are free to train with then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from manual_bp.training.images.data import Images


def with_other_tests(training: Images, test: Images, others: Images) -> tuple[Images, Images]:
    """Return all images of a data set, training and test images, to train with, and the others, to test with.

    Raises ValueError where the others have another size or other classes, or where one of them would be trained with.
    """
    size, own = ("{} x {}".format(*each.pixels.shape[1:]) for each in (others, training))
    if size != own:
        got = f"{size} ({others.source})"
        raise ValueError(f"expected test images of {own} pixels, as the training images, got {got}; {HINT}")
    if others.names != training.names:
        got = f"{_said(others.names)} ({others.source})"
        raise ValueError(f"expected test images of {_said(training.names)}, as the training images, got {got}")
    pixels, labels = (torch.cat([getattr(each, kind) for each in (training, test)]) for kind in ("pixels", "labels"))
    everything = replace(training, pixels=pixels, labels=labels)
    if count := _shared(everything, others):
        got = f"{count:,} of {len(others):,} that are ({others.source})"
        raise ValueError(f"expected test images that are not trained with, got {got}; take another --test-dataset")
    return everything, others


HINT = "--image-size N scales both to N x N"
FEW = 10  # names that a line can hold


def _said(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > FEW else ""
    return f"{len(names)} classes, {', '.join(names[:FEW])}{more}"


def _shared(training: Images, test: Images) -> int:
    """Count the test images that are among the training images, pixel for pixel."""
    known = {image.tobytes() for image in training.pixels.numpy()}
    return sum(image.tobytes() in known for image in test.pixels.numpy())
