"""A convolution under autograd, in the operations of its formula.

``F.conv2d`` chooses among kernels by dtype, size, processor and number of threads. They differ in the last bits,
and the usual one for float32 adds in an order of its own. Here the columns are ``F.unfold``'s and the product is
``baddbmm``: one order for all. The tests hold it against ``F.conv2d``.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class ColumnsConv2d(nn.Conv2d):
    """An ``nn.Conv2d`` whose forward is W columns + b (C1), under the same names and with the same settings."""

    def forward(self, x: Tensor) -> Tensor:
        """Return net (N, c_out, h′, w′) of images (N, c_in, h, w)."""
        padding = cast("tuple[int, int]", self.padding)
        columns = nn.functional.unfold(x, self.kernel_size, padding=padding, stride=self.stride)
        weights = self.weight.flatten(1).expand(len(x), -1, -1)
        net = torch.bmm(weights, columns) if self.bias is None else torch.baddbmm(self.bias[:, None], weights, columns)
        sides = zip(x.shape[2:], padding, self.kernel_size, self.stride, strict=True)
        h, w = ((size + 2 * around - k) // step + 1 for size, around, k, step in sides)
        return net.view(len(x), -1, h, w)
