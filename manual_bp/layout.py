"""Named tensors side by side in one buffer, so that one operation reaches them all.

Each tensor begins at a multiple of 64 bytes, as every tensor does that torch allocates. So products with it are as fast
as with a tensor of its own, and equal to the last bit. Between two tensors lie zeros, which stay zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

ALIGNMENT = 64  # bytes


class Layout:
    """Where each named tensor lies in a buffer of ``size`` numbers."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Lay out tensors of the given shapes, in their order; all of one dtype and device."""
        self.like = next(iter(tensors.values())).new_empty(0)
        self.spans: dict[str, tuple[int, torch.Size]] = {}
        self.size = 0
        step = ALIGNMENT // self.like.element_size()
        for name, tensor in tensors.items():
            self.spans[name] = self.size, tensor.shape
            self.size += -(-tensor.numel() // step) * step

    def buffer(self) -> Tensor:
        """Return a new buffer, all zeros."""
        return self.like.new_zeros(self.size)

    def views(self, buffer: Tensor) -> dict[str, Tensor]:
        """Return the named tensors as views of the buffer, from its start."""
        return {name: buffer[start : start + shape.numel()].view(shape) for name, (start, shape) in self.spans.items()}
