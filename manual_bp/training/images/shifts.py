"""Images moved by whole pixels, a block of them in one copy and one mask."""

from __future__ import annotations

import torch
from torch import Tensor


class Shifts:
    """Images (n, height, width) uint8 moved by up to ``reach`` pixels in each direction.

    Where all pixels lie in one row, image after image, an image moved by (dy, dx) is what stands dy * width + dx
    places earlier, but for a border that comes from the neighbouring line or image: there the background, 0, is filled
    in. So a shift is one copy and one mask. Shifts are numbered from 0 to count - 1.
    """

    def __init__(self, images: Tensor, reach: int) -> None:
        """Copy the images, with room before the first and after the last."""
        n, height, width = images.shape
        margin = reach * width + reach
        line = images.new_zeros(margin + images.numel() + margin)
        self.pixels = line[margin : margin + images.numel()].view(n, height * width)
        self.pixels.copy_(images.flatten(1))
        self._windows = line.unfold(0, height * width, 1)
        moves = torch.arange(-reach, reach + 1, device=images.device)
        self._begins = (margin - (moves[:, None] * width + moves)).flatten()
        self.count = len(self._begins)
        y, x = (_inside(side, moves) for side in (height, width))
        self._masks = (y[:, None, :, None] & x[None, :, None, :]).reshape(self.count, -1).to(torch.uint8) * 255

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return the numbers of n random shifts (n,), each as likely as any other."""
        return torch.randint(self.count, (n,), generator=generator)

    def gather(self, rows: Tensor, numbers: Tensor, out: Tensor, scratch: Tensor) -> None:
        """Write image rows[i], moved by shift numbers[i], into out[i]: (N, height * width)."""
        torch.index_select(self._windows, 0, rows * self.pixels.shape[1] + self._begins[numbers], out=out)
        out.bitwise_and_(torch.index_select(self._masks, 0, numbers, out=scratch))


def _inside(side: int, moves: Tensor) -> Tensor:
    """Return (moves, side): whether what lands at a place came from a place within the image."""
    source = torch.arange(side, device=moves.device) - moves[:, None]
    return (source >= 0) & (source < side)
