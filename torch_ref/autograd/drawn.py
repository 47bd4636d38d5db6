"""PyTorch's own dropout, its mask that of the layer by hand.

``nn.Dropout`` draws from torch's global generator. Here that generator begins with the layer's seed for as long as the
forward pass takes, and then goes on from where it was.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SeededDropout(nn.Dropout):
    """An ``nn.Dropout`` with the mask of a layer: seed and first row are its own tensors, so both draw the same."""

    def __init__(self, p: float, seed: int | Tensor, first: int | Tensor = 0) -> None:
        """Take the probability of being left out, the seed, and the number of x's first row in the batch."""
        super().__init__(p)
        self.seed, self.first = seed, first

    def forward(self, x: Tensor) -> Tensor:
        """Return m x, or x itself after ``eval()``."""
        first, devices = int(self.first), [x.device] if x.is_cuda else []
        above = x.new_zeros(first, *x.shape[1:])
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(self.seed))
            return super().forward(torch.cat((above, x)) if first else x)[first:]
