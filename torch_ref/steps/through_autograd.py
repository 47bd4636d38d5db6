"""What autograd makes of somebody's code, which calls the backward of every Function inside."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from torch_ref.numbers.witness import Tensors
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.calling import Call
from torch_ref.steps.function import NOT_RETURNED, Compute, Nothing
from torch_ref.steps.step import Outputs, Step, Value, gradients_of, negative, plain


def through_autograd(
    function: Callable[..., Outputs], arguments: Arguments, forward: Callable[..., Any], required: Collection[str]
) -> Compute:
    """Return how autograd makes the values of a function, whose code is that of ``forward``.

    No gradient counts as zeros, as in autograd, where one is required.
    """

    def compute(step: Step, isolated: bool) -> dict[str, Value]:
        call, leaves = Call(step.inputs | step.fixed), dict[str, Tensor]()
        outputs = call(_applied, function, arguments, step, leaves)
        values = {
            made.name: call.missing(None, forward, "a tensor")
            if outputs is None
            else call.value(y, forward, "a tensor")
            for made, y in zip(step.outputs, outputs or step.outputs, strict=True)
        }
        after = Call(step.inputs | step.fixed)
        after.failure = call.failure
        backward = forward if outputs is None else _backward_in(outputs) or forward
        found = None if outputs is None else after(_differentiated, outputs, leaves, step)
        for name, made in step.gradients.items():
            d = None if found is None else found[name]
            is_none = found is not None and d is None
            if is_none and (name in required or not step.witnesses[made.name].value.any()):
                d = torch.zeros_like(step.inputs[name])
            value = after.value(d, backward, "a tensor")
            if is_none and d is None and not after.failure:
                value = replace(value, failure=Nothing("wrong-return", "gets no gradient"))
            values[made.name] = value
        return values

    return compute


def _applied(function: Callable[..., Outputs], arguments: Arguments, step: Step, leaves: Tensors) -> Outputs:
    """Return the outputs with their history, and put what they were computed from into ``leaves``."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaves |= {n: plain(t).requires_grad_(n in step.gradients) for n, t in (step.inputs | step.fixed).items()}
        outputs: Outputs = arguments.having(leaves).call(function)
        return outputs


def _differentiated(outputs: Outputs, leaves: Tensors, step: Step) -> dict[str, Tensor | None]:
    with torch.inference_mode(mode=False), torch.enable_grad():
        errors = [negative(plain(e)) for e in step.errors]
        return gradients_of(outputs, {name: leaves[name] for name in step.gradients}, errors)


def _backward_in(outputs: Outputs) -> Callable[..., Any] | None:
    """Return the handwritten backward that lies behind outputs, where there is exactly one."""
    todo, seen, found = [y.grad_fn for y in outputs], set(), set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        found |= {kind} if (kind := getattr(node, "_forward_cls", None)) else set()
        todo += [other for other, _ in node.next_functions]
    return next(iter(found)).backward if len(found) == 1 else None


def without_absent(step: Step, required: Collection[str]) -> Step:
    """Return the step without the gradients that autograd does not give and nobody requires, which it names."""
    if not set(step.gradients) - set(required):
        return step
    values = step.compute(step, True)
    absent = [
        name
        for name, made in step.gradients.items()
        if name not in required and isinstance(values[made.name].failure, Nothing)
    ]
    left = {name: made for name, made in step.gradients.items() if name not in absent}
    named = tuple((f"gradient of {name}", NOT_RETURNED) for name in absent)
    return replace(step, gradients=left, not_compared=step.not_compared + named)
