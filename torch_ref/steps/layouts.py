"""What must not matter to an autograd Function: how tensors lie in memory, and which gradients are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from torch_ref.numbers.agreement import Tolerance
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.calling import attempt
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.function import Compute, Function, arguments_of, function_step
from torch_ref.steps.step import Failure, Outputs, Step, Value, plain


def with_variants(
    compute: Compute,
    function: Function,
    reference: Callable[..., Any],
    inputs: Sequence[Any],
    tolerance: Tolerance | None,
) -> Compute:
    """Return the values, and mark those that are right for one memory layout or one choice of gradients only."""

    def with_marks(step: Step, isolated: bool) -> dict[str, Value]:
        values = compute(step, isolated)
        right = {name for name, value in values.items() if step.compared(name, value).ok}
        for code, label, changed, wanted, errors in _variants(step):
            given = arguments_of(changed | step.fixed, inputs, step.names)
            build = partial(function_step, function.apply, reference, given, compute, tolerance)
            other = attempt(partial(build, named_like=function.forward, wanted=wanted, errors=errors))
            for name, remark in _wrong(other).items() if other else ():  # where the reference can take it
                if name in right:
                    right.remove(name)
                    values[name] = replace(values[name], failure=Failure(code, f"wrong {label} ({remark})"))
        return values

    return with_marks


def _wrong(step: Step) -> dict[str, str]:
    """Return what is wrong about each quantity, where both sides have finite numbers: equal rows can be singular."""
    seen = Evidence(step)
    finite = [name for name, value in seen.values.items() if _finite(step, name, value)]
    return {name: seen.comparisons[name].remark for name in finite if not seen.comparisons[name].ok}


def _finite(step: Step, name: str, value: Value) -> bool:
    reference = step.witnesses[name].value
    tensors = [reference] if value.tensor is None else [reference, value.tensor]
    return all(bool(torch.isfinite(t).all()) for t in tensors)


def _variants(step: Step) -> Iterator[tuple[str, str, Tensors, list[str], Outputs]]:
    """Yield what must not matter: how inputs and upstream gradients lie in memory, and which gradients are wanted."""
    layout, every = "wrong-for-layout", list(step.gradients)
    given = {name: t.requires_grad_(False) for name, t in step.inputs.items()}
    marked = {name: plain(t).requires_grad_(name in step.gradients) for name, t in given.items()}
    strided = {
        name: (t.clone() if name in step.buffers else _strided(t)).requires_grad_(name in step.gradients)
        for name, t in given.items()
    }
    expanded = {
        name: (t.clone() if name in step.buffers else _expanded(t)).requires_grad_(name in step.gradients)
        for name, t in given.items()
    }
    yield layout, "for inputs that are not contiguous", strided, every, step.errors
    yield layout, "for expanded inputs", expanded, every, step.errors
    yield layout, "for upstream gradients that are not contiguous", marked, every, tuple(map(_strided, step.errors))
    yield layout, "for expanded upstream gradients, as after a sum", marked, every, tuple(map(_expanded, step.errors))
    if len(step.gradients) > 1:
        for name in step.gradients:
            yield "wrong-for-choice", f"where only {name} needs a gradient", marked, [name], step.errors


def _strided(t: Tensor) -> Tensor:
    """Return the same numbers with gaps between them."""
    return torch.stack([t, t], -1)[..., 0]


def _expanded(t: Tensor) -> Tensor:
    """Return the first row for every row (the number for every entry of a vector), without copies."""
    return t[:1].expand(t.shape) if t.ndim and t.numel() else t
