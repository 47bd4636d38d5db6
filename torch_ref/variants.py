"""What must not matter to an autograd Function: how tensors lie in memory, and which gradients are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from torch_ref.compare import Tensors, Tolerance
from torch_ref.function_step import ByHand, Function, arguments_of, function_step
from torch_ref.step import Outputs, Step, Value, plain


def with_variants(
    by_hand: ByHand,
    function: Function,
    reference: Callable[..., Any],
    inputs: Sequence[Any],
    tolerance: Tolerance | None,
) -> ByHand:
    """Return the values, and mark those that are right for one memory layout or one choice of gradients only."""

    def with_marks(step: Step, isolated: bool) -> dict[str, Value]:
        values = by_hand(step, isolated)
        right = [name for name, value in values.items() if step.compared(name, value).ok]
        for label, changed, only, errors in _variants(step):
            other = function_step(
                function.apply,
                reference,
                arguments_of(changed | step.fixed, inputs, step.names),
                by_hand,
                tolerance,
                named_like=function.forward,
                only=only,
                errors=errors,
            )
            for name in other.values:
                comparison = other.comparison(name)
                if name in right and not comparison.ok:
                    values[name] = replace(values[name], failure=f"wrong {label} ({comparison.remark})")
                    right.remove(name)
        return values

    return with_marks


def _variants(step: Step) -> Iterator[tuple[str, Tensors, str | None, Outputs]]:
    """Yield what must not matter: how inputs and upstream gradients lie in memory, and which gradients are wanted."""
    given = {name: t.requires_grad_(False) for name, t in step.inputs.items()}
    marked = {name: plain(t).requires_grad_(name in step.gradients) for name, t in given.items()}
    strided = {name: _strided(t).requires_grad_(name in step.gradients) for name, t in given.items()}
    expanded = {name: _expanded(t).requires_grad_(name in step.gradients) for name, t in given.items()}
    yield "for inputs that are not contiguous", strided, None, step.errors
    yield "for expanded inputs", expanded, None, step.errors
    yield "for upstream gradients that are not contiguous", marked, None, tuple(map(_strided, step.errors))
    yield "for expanded upstream gradients, as after a sum", marked, None, tuple(map(_expanded, step.errors))
    if len(step.gradients) > 1:
        for name in step.gradients:
            yield f"where only {name} needs a gradient", marked, name, step.errors


def _strided(t: Tensor) -> Tensor:
    """Return the same numbers with gaps between them."""
    return torch.stack([t, t], -1)[..., 0]


def _expanded(t: Tensor) -> Tensor:
    """Return the first row for every row (the number for every entry of a vector), without copies."""
    return t[:1].expand(t.shape) if t.numel() else t
