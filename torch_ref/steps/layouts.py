"""What must not matter to an autograd Function: how tensors lie in memory, and which gradients are wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from torch_ref.numbers.agreement import Tolerance
from torch_ref.numbers.half import HALF
from torch_ref.numbers.witness import Tensors, all_finite
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.calling import attempt
from torch_ref.steps.function import Compute, Function, function_step
from torch_ref.steps.second_look import SecondLook
from torch_ref.steps.step import Failure, Marks, Outputs, Step, Value, can_flow, plain

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

    def at(step: Step, v: Variant) -> Step | None:
        given = arguments.having(v.numbers | step.fixed)
        made = partial(function_step, function.apply, reference, given, compute, tolerance)
        found: Step | None = attempt(partial(made, wanted=v.wanted, errors=v.errors))
        return found and replace(found, unused=v.unused)

    def marks(step: Step, values: Mapping[str, Value]) -> dict[str, Failure]:
        right = set(values) - set(_wrong(step, values, {*values}))
        marked: dict[str, Failure] = {}
        for v in _variants(step, layouts) if right else ():
            other = at(step, v)
            again = other.compute(other, True) if other else {}  # where the reference can take it
            asked = right - {name for name in right if v.is_same and _is_as_before(values[name], again.get(name))}
            wrong = _wrong(other, again, asked) if other else {}
            if wrong and v.code == LAYOUT:
                numbers, errors = {name: _contiguous(t) for name, t in v.numbers.items()}, map(_contiguous, v.errors)
                itself = at(step, v._replace(numbers=numbers, errors=tuple(errors)))
                both = _wrong(itself, itself.compute(itself, True), wrong) if itself else {}
                wrong = {name: wrong[name] for name in wrong if name not in both}
            marked |= {name: Failure(v.code, _said(v, remark)) for name, remark in wrong.items()}
            right -= set(wrong)
        return marked

    return marks


def _said(v: Variant, remark: str) -> str:
    """Say what is wrong, and what to do where a Function only refuses a layout."""
    is_refused = v.code == LAYOUT and remark.startswith("raises")
    way_out = "; if it is meant for contiguous tensors alone, check it with layouts=False" if is_refused else ""
    return f"wrong {v.label} ({remark}){way_out}"


def _contiguous(t: Tensor) -> Tensor:
    return t.detach().clone(memory_format=torch.contiguous_format).requires_grad_(t.requires_grad)


def _is_as_before(before: Value, again: Value | None) -> bool:
    """Tell whether a value that was right came out again, to the last bit: it is right here too.

    In half precision a mistake may be too small to be seen, and only float64 shows it.
    """
    if again is None or again.failure or before.tensor is None or again.tensor is None:
        return False
    one, other = before.tensor, again.tensor
    is_alike = (one.dtype, one.device) == (other.dtype, other.device)
    return is_alike and one.dtype not in HALF and torch.equal(one, other)


def _wrong(step: Step, values: Mapping[str, Value], names: Collection[str]) -> dict[str, str]:
    """Return what is wrong about these quantities, where both sides have finite numbers: equal rows can be singular."""
    look = SecondLook(step, strict=False)
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


class Variant(NamedTuple):
    """Another way to call a Function, which must not matter."""

    code: str
    label: str
    numbers: Tensors
    wanted: list[str]
    """The inputs that need a gradient."""
    errors: Outputs
    unused: frozenset[int] = frozenset()
    """Outputs that nothing is made of."""
    is_same: bool = True
    """Whether the numbers are those of the step itself, so that the same has to come out."""


def _variants(step: Step, layouts: bool) -> Iterator[Variant]:
    """Yield how inputs and upstream gradients can lie in memory, and which gradients and outputs can be wanted."""
    every, errors = list(step.gradients), step.errors
    given = {name: t.requires_grad_(False) for name, t in step.inputs.items()}
    marked = {name: plain(t).requires_grad_(name in step.gradients) for name, t in given.items()}

    def laid(change: Callable[[Tensor], Tensor]) -> Tensors:
        return {
            name: (t.clone() if name in step.buffers else change(t)).requires_grad_(name in step.gradients)
            for name, t in given.items()
        }

    if layouts:
        yield Variant(LAYOUT, "for inputs that are not contiguous", laid(_strided), every, errors)
        yield Variant(LAYOUT, "for expanded inputs", laid(_expanded), every, errors, is_same=False)
        apart, equal, turned = (tuple(map(change, errors)) for change in (_strided, _expanded, _transposed))
        yield Variant(LAYOUT, "for upstream gradients that are not contiguous", marked, every, apart)
        yield Variant(LAYOUT, "for expanded upstream gradients, as after a sum", marked, every, equal, is_same=False)
        yield Variant(LAYOUT, "for transposed inputs", laid(_transposed), every, errors)
        yield Variant(LAYOUT, "for transposed upstream gradients", marked, every, turned)
        late = tuple(map(_late, errors))
        yield Variant(LAYOUT, "for tensors that begin later in their storage", laid(_late), every, late)
    for name in every if len(every) > 1 else ():
        yield Variant("wrong-for-choice", f"where only {name} needs a gradient", marked, [name], errors)
    for name in every if len(every) > 2 else ():
        others = [other for other in every if other != name]
        yield Variant("wrong-for-choice", f"where all but {name} need a gradient", marked, others, errors)
    able = [i for i, e in enumerate(errors) if can_flow(e)]
    for i in able if len(able) > 1 else ():
        kept = tuple(torch.zeros_like(e) if j == i else e for j, e in enumerate(errors))
        label = f"where {step.outputs[i].name} is not used"
        yield Variant("wrong-for-choice", label, marked, every, kept, frozenset([i]), is_same=False)


def _strided(t: Tensor) -> Tensor:
    """Return the same numbers with gaps between them."""
    return torch.stack([t, t], -1)[..., 0]


def _expanded(t: Tensor) -> Tensor:
    """Return the first row for every row (the number for every entry of a vector), without copies."""
    return t[:1].expand(t.shape) if t.ndim and t.numel() else t


def _transposed(t: Tensor) -> Tensor:
    """Return the same numbers with the last dimension outside; of an image the channels last."""
    if t.ndim == 4:
        return t.contiguous(memory_format=torch.channels_last)
    return t.mT.contiguous().mT if t.ndim > 1 else t.clone()


def _late(t: Tensor) -> Tensor:
    """Return the same numbers, contiguous, from the second place of a storage on."""
    return torch.cat([t.new_zeros(1), t.reshape(-1)])[1:].view(t.shape)
