"""Mistakes in a mask: reversed, missing, of another tensor, with another threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from torch_ref.causes.tape import Operation, Tape

THRESHOLDS = (0.0, 1.0, -1.0, 0.5)


def of_mask(tape: Tape, values: Sequence[Tensor]) -> Iterator[tuple[str, str, Tensor]]:
    """Yield a code, a sentence and the gradient for the masks that an operation may have instead."""
    for one in tape.operations:
        if one.name not in ("where", "maskedfill"):
            continue
        mask = one.saved("condition" if one.name == "where" else "mask")
        if mask is None or mask.dtype != torch.bool:
            continue
        mask = mask.expand(one.came.shape) if mask.ndim <= one.came.ndim else mask
        if mask.shape == one.came.shape:
            yield from _of(tape, one, mask, values)


def _of(tape: Tape, one: Operation, mask: Tensor, values: Sequence[Tensor]) -> Iterator[tuple[str, str, Tensor]]:
    yield from _with(tape, one, ~mask, "the mask is reversed")
    if one.name == "where":
        yield from _with(tape, one, torch.ones_like(mask), "the mask is missing")
        yield from _with(tape, one, torch.zeros_like(mask), "the mask is missing")
    yield from _with(tape, one, one.came > 0, "the mask is that of what came from above")
    if one.name == "maskedfill":
        yield from _with(tape, one, torch.zeros_like(mask), "the mask is missing")
    if mask.ndim > 1:
        turned = mask.transpose(-1, -2)
        if turned.shape == mask.shape:
            yield from _with(tape, one, turned, "the mask is transposed")
        for k in (-1, -2):
            for shift in (1, -1):
                yield from _with(tape, one, mask.roll(shift, k), "the mask is shifted by one")
    for v in (v for v in values if v.shape == mask.shape):
        for threshold in THRESHOLDS:
            for other in (v > threshold, v < threshold):
                if not torch.equal(other, mask):
                    yield from _with(
                        tape, one, other, f"the mask is another: of another value, or with the threshold {threshold:g}"
                    )


def _with(tape: Tape, one: Operation, mask: Tensor, text: str) -> Iterator[tuple[str, str, Tensor]]:
    """Yield the gradient with another mask."""
    found = tape.total
    kept = [mask, ~mask] if one.name == "where" else [~mask, mask]
    for i, went in enumerate(one.went):
        if went is None or went.shape != one.came.shape:
            continue
        part = tape.through(one, i, one.came * kept[i] - went)
        found = found if part is None else found + part
    yield "wrong-mask", text, found
