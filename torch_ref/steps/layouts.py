"""What must not matter to an autograd Function: how tensors lie in memory, and which gradients are wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from torch_ref.numbers.agreement import Tolerance
from torch_ref.numbers.witness import Tensors, all_finite
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.calling import attempt
from torch_ref.steps.function import Compute, Function, function_step
from torch_ref.steps.second_look import SecondLook
from torch_ref.steps.step import Failure, Marks, Outputs, Step, Value, plain

LAYOUT = "wrong-for-layout"


def variants(
    compute: Compute,
    function: Function,
    reference: Callable[..., Any],
    arguments: Arguments,
    tolerance: Tolerance | None,
    layouts: bool = True,
) -> Marks:
    """Return what marks values that are right for one memory layout or one choice of gradients only.

    What is wrong at another layout counts where it is right at contiguous tensors of the very same numbers.
    """

    def at(step: Step, numbers: Tensors, wanted: list[str], errors: Outputs) -> Step | None:
        given = arguments.having(numbers | step.fixed)
        found: Step | None = attempt(
            partial(function_step, function.apply, reference, given, compute, tolerance, wanted=wanted, errors=errors)
        )
        return found

    def marks(step: Step, values: Mapping[str, Value]) -> dict[str, Failure]:
        right = {name for name, value in values.items() if step.compared(name, value).ok}
        marked: dict[str, Failure] = {}
        for code, label, changed, wanted, errors in _variants(step, layouts) if right else ():
            other = at(step, changed, wanted, errors)
            wrong = _wrong(other, right) if other else {}  # where the reference can take it
            if wrong and code == LAYOUT:
                plain_copies = {name: _contiguous(t) for name, t in changed.items()}
                itself = at(step, plain_copies, wanted, tuple(map(_contiguous, errors)))
                both = _wrong(itself, wrong) if itself else {}
                wrong = {name: wrong[name] for name in wrong if name not in both}
            marked |= {name: Failure(code, f"wrong {label} ({remark})") for name, remark in wrong.items()}
            right -= set(wrong)
        return marked

    return marks


def _contiguous(t: Tensor) -> Tensor:
    return t.detach().clone(memory_format=torch.contiguous_format).requires_grad_(t.requires_grad)


def _wrong(step: Step, names: Collection[str]) -> dict[str, str]:
    """Return what is wrong about these quantities, where both sides have finite numbers: equal rows can be singular."""
    values, look = step.compute(step, True), SecondLook(step, strict=False)
    found: dict[str, str] = {}
    for made in step.makes:
        if made.name not in names:
            continue
        value = values[made.name]
        compared = step.compared(made.name, value)
        is_half = step.witnesses[made.name].is_half  # where only float64 shows what is small
        if (is_half or not compared.ok) and _finite(step, made.name, value):
            compared = look.again(made, value, compared)
            found |= {} if compared.ok else {made.name: compared.remark}
    return found


def _finite(step: Step, name: str, value: Value) -> bool:
    reference = step.witnesses[name].value
    tensors = [reference] if value.tensor is None else [reference, value.tensor]
    return all_finite(*tensors)


def _variants(step: Step, layouts: bool) -> Iterator[tuple[str, str, Tensors, list[str], Outputs]]:
    """Yield what must not matter: how inputs and upstream gradients lie in memory, and which gradients are wanted."""
    every = list(step.gradients)
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
    if layouts:
        apart, equal = (tuple(map(change, step.errors)) for change in (_strided, _expanded))
        yield LAYOUT, "for inputs that are not contiguous", strided, every, step.errors
        yield LAYOUT, "for expanded inputs", expanded, every, step.errors
        yield LAYOUT, "for upstream gradients that are not contiguous", marked, every, apart
        yield LAYOUT, "for expanded upstream gradients, as after a sum", marked, every, equal
    if len(step.gradients) > 1:
        for name in step.gradients:
            yield "wrong-for-choice", f"where only {name} needs a gradient", marked, [name], step.errors


def _strided(t: Tensor) -> Tensor:
    """Return the same numbers with gaps between them."""
    return torch.stack([t, t], -1)[..., 0]


def _expanded(t: Tensor) -> Tensor:
    """Return the first row for every row (the number for every entry of a vector), without copies."""
    return t[:1].expand(t.shape) if t.ndim and t.numel() else t
