"""A function with gradients that were computed elsewhere, in the place of a reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from torch_ref.numbers.witness import Tensors
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.step import can_flow, sequence


@dataclass(frozen=True)
class Given:
    """A function of tensors with the gradients of Σ d · outputs that are known of it, at the inputs given."""

    forward: Callable[..., Any]
    gradients: Tensors
    arguments: Arguments

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Return the outputs with a history that leads to the gradients."""
        there = replace(self.arguments, values=(*given, *named.values())).tensors
        with torch.no_grad():
            outputs = sequence(self.forward(*given, **named))
        leaves = [t for name, t in there.items() if name in self.gradients and t.requires_grad]
        wanted = [g for name, g in self.gradients.items() if there[name].requires_grad]
        return _Passed.apply(len(outputs), *outputs, *wanted, *leaves) if leaves else outputs  # type: ignore[no-untyped-call]


class _Passed(torch.autograd.Function):
    """Outputs that were computed elsewhere, with gradients that were."""

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor) -> Any:
        ctx.count = count
        ctx.gradients = tensors[count : count + (len(tensors) - count) // 2]
        outputs = tuple(t.clone() for t in tensors[:count])
        ctx.mark_non_differentiable(*(t for t in outputs if not can_flow(t)))
        return outputs

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        return (None, *[None] * (ctx.count + len(ctx.gradients)), *ctx.gradients)
