"""Max pooling of equal numbers: what arrives at them where one or another of them is a little larger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from torch_ref.steps.graph import Use

POOLS: dict[str, Callable[..., Tensor]] = {
    "maxpool2dwithindices": functional.max_pool2d,
    "maxpool3dwithindices": functional.max_pool3d,
    "adaptivemaxpool2d": functional.adaptive_max_pool2d,
    "adaptivemaxpool3d": functional.adaptive_max_pool3d,
}
"""Operations that take the largest number of each window, which may stand there several times."""

NEAR = 1e-8
"""Of the size of the numbers: how far they are moved, and at least eight units in the last place."""


def beside_ties(use: Use, value: Tensor, came: Tensor, count: int) -> Iterator[Tensor]:
    """Yield what arrives at a value through a pooling, with its numbers moved a little at random, so many times."""
    generator = torch.Generator().manual_seed(0)
    size = float(value.detach().double().norm()) / max(value.numel(), 1) ** 0.5 or 1.0
    near = max(NEAR, 8 * torch.finfo(value.dtype).eps) * size
    for _ in range(count):
        steps = torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value.device, value.dtype)
        with torch.enable_grad():
            moved = (value.detach() + near * steps).requires_grad_()
            (found,) = torch.autograd.grad(_pooled(use, moved, came), moved, came)
        yield found


def _pooled(use: Use, value: Tensor, came: Tensor) -> Tensor:
    """Return the pooling of other numbers, with the windows that it had."""
    node: Any = use.node
    if use.operation.startswith("adaptive"):
        dims = 2 if use.operation.endswith("2d") else 3
        return POOLS[use.operation](value, came.shape[-dims:])
    kept = (getattr(node, f"_saved_{name}") for name in ("kernel_size", "stride", "padding", "dilation", "ceil_mode"))
    kernel, stride, padding, dilation, ceil_mode = kept
    return POOLS[use.operation](value, kernel, stride or kernel, padding, dilation, ceil_mode)
