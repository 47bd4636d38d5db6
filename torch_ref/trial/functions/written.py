"""Any pair of plain functions, written as an autograd Function."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from torch_ref.trial.functions.kind import Formula, Kind


def function_of(kind: Kind, backward: Formula) -> type[torch.autograd.Function]:
    """Return a Function that computes a kind's forward, and ``backward``, which sees the inputs as they were given."""

    class Written(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            ctx.save_for_backward(*inputs)
            return kind.forward(*inputs)

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, *d: Tensor) -> Any:
            return backward(*d, *ctx.saved_tensors)

    named = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in ("ctx", *kind.arguments)]
    Written.forward.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    return Written
