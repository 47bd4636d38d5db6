"""The upstream gradients at which a formula is looked at: those that put every term of it to the test.

They are not of mean zero, which would hide every mean and every correction term; there are two of them, one large,
which shows what is clipped, added up over calls, or not linear. For one number, a loss, the first is 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SEED = 0x9E3779B97F4A7C15 >> 1
"""Of the random errors: nobody's data are drawn with it, which would make a wrong formula right by chance."""

MEAN = 0.75
"""Of the first upstream gradients, whose standard deviation is 1."""

LARGE = {torch.float16: 8.0, torch.bfloat16: 64.0, torch.float32: 1e3, torch.float64: 1e3, torch.complex64: 1e3}
"""How much larger the second ones are, by dtype: 65504 is the largest number of float16."""


def drawn(outputs: Sequence[Tensor], which: int = 0) -> tuple[Tensor, ...]:
    """Return an error −∂L/∂y for each output: the first (0) or the second (1) that a formula is tried with.

    Zeros for an output that is not a floating-point or complex tensor, or that has no gradient.
    """
    alone = len(outputs) == 1 and outputs[0].numel() == 1
    return tuple(_of(y, i, which, alone) if y.requires_grad else torch.zeros_like(y) for i, y in enumerate(outputs))


def random_like(y: Tensor, seed: int) -> Tensor:
    """Return a random error of y; zeros where y is not a floating-point or complex tensor."""
    return _of(y, seed, 0, False)


def _of(y: Tensor, seed: int, which: int, alone: bool) -> Tensor:
    if not (y.is_floating_point() or y.is_complex()):
        return torch.zeros(y.shape, device=y.device)
    if alone and which == 0:
        return torch.full_like(y, -1.0)
    generator = torch.Generator().manual_seed(SEED + 1000 * which + seed)
    numbers = torch.randn(y.shape, generator=generator, dtype=y.dtype) - MEAN
    return (numbers * LARGE.get(y.dtype, 1e3) ** which).to(y.device)
