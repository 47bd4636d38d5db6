"""The second derivatives: a step whose outputs are the gradients of another, differentiated once more.

By hand they come from autograd through the handwritten backward. That is what goes wrong where a Function keeps an
intermediate number instead of its inputs: the first gradient is right, the second silently is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from torch_ref.numbers.witness import Tensors
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.calling import Call, attempt
from torch_ref.steps.step import Forward, Made, Outputs, Step, Value, can_flow, gradients_of, negative, plain, sequence
from torch_ref.steps.upstream import drawn

NOT_ASKED = ("second derivatives", "second_order=True compares them")

Gradients = Callable[[Tensors, Tensors, Outputs], Outputs]
"""Inputs, fixed tensors and the gradients of the outputs, to the gradients of the inputs, with their history."""


def second_step(step: Step, by_hand: Gradients, method: Callable[..., object]) -> Step:
    """Return the step from the inputs and the gradients of the outputs to the gradients of the inputs."""
    upstream = {f"d_{made.name}": -e for made, e in zip(step.outputs, step.errors, strict=True) if can_flow(e)}
    inputs = {name: plain(t) for name, t in step.inputs.items()} | upstream
    wanted = [*step.gradients, *upstream]

    def through(gradients: Gradients) -> Forward:
        def computed(given: Tensors, fixed: Tensors) -> Outputs:
            d_outputs = tuple(given.get(f"d_{made.name}", e) for made, e in zip(step.outputs, step.errors, strict=True))
            return gradients({name: given[name] for name in step.inputs}, fixed, d_outputs)

        return computed

    reference, forward = through(by_autograd(step.reference, [*step.gradients])), through(by_hand)
    outputs = _first_order(reference, inputs, step.fixed, wanted)
    return Step(
        owner=step.owner,
        kind="function",
        inputs=inputs,
        fixed=step.fixed,
        errors=drawn(outputs),
        outputs=tuple(Made(made.name, "forward") for made in step.gradients.values()),
        gradients={name: Made(f"second derivative by {name}", name) for name in wanted},
        forward=forward,
        reference=reference,
        compute=_computed(forward, method),
        tolerance=step.tolerance,
        buffers=step.buffers,
    )


def by_autograd(forward: Forward, wanted: list[str]) -> Gradients:
    """Return how the gradients of a function come from autograd, with their history."""

    def gradients(inputs: Tensors, fixed: Tensors, d_outputs: Outputs) -> Outputs:
        with torch.enable_grad():
            leaves = {
                name: t if t.requires_grad else plain(t).requires_grad_(name in wanted) for name, t in inputs.items()
            }
            of_wanted = {name: leaves[name] for name in wanted}
            return _filled(of_wanted, gradients_of(forward(leaves, fixed), of_wanted, d_outputs, again=True))

    return gradients


def by_formula(backward: Callable[..., Any], arguments: Arguments, wanted: list[str]) -> Gradients:
    """Return how the gradients of a plain backward are made of torch operations."""

    def gradients(inputs: Tensors, fixed: Tensors, d_outputs: Outputs) -> Outputs:
        here = arguments.having(inputs | fixed)
        found = here.in_order(here.call(backward, *d_outputs))
        parts = [here.part(found, name) for name in wanted]
        return tuple(
            part if isinstance(part, Tensor) else torch.zeros_like(inputs[name])
            for name, part in zip(wanted, parts, strict=True)
        )

    return gradients


def forbids(function: type[torch.autograd.Function]) -> bool:
    """Tell whether a Function says that its backward is not differentiated (``once_differentiable``)."""
    code = getattr(function.backward, "__code__", None)
    return code is not None and code.co_filename == once_differentiable.__code__.co_filename


def is_left_out(function: type[torch.autograd.Function], arguments: Arguments, step: Step) -> bool:
    """Tell whether there are second derivatives that nobody compared: the Function does not forbid or refuse them."""

    def tried() -> bool:
        found: dict[str, Tensor | None] = {}
        of_function: Forward = lambda i, f: sequence(arguments.having(i | f).call(function.apply))  # noqa: E731
        d_outputs = tuple(map(negative, step.errors))
        for forward in (of_function, step.reference):
            given = {name: plain(t).clone().requires_grad_(name in step.gradients) for name, t in step.inputs.items()}
            with torch.inference_mode(mode=False), torch.enable_grad():
                d = by_autograd(forward, [*step.gradients])(given, step.fixed, d_outputs)
                wanted = {name: given[name] for name in step.gradients}
                found = gradients_of(d, wanted, [torch.ones_like(g) for g in d])
        return any(g is not None for g in found.values())

    return not forbids(function) and bool(attempt(tried))


def _filled(wanted: Tensors, found: dict[str, Tensor | None]) -> Outputs:
    """Return gradients in order, zeros where there is none."""
    return tuple(torch.zeros_like(leaf) if (g := found[name]) is None else g for name, leaf in wanted.items())


def _first_order(reference: Forward, inputs: Tensors, fixed: Tensors, wanted: list[str]) -> Outputs:
    leaves = {name: plain(t).requires_grad_(name in wanted) for name, t in inputs.items()}
    with torch.inference_mode(mode=False), torch.enable_grad():
        return tuple(y if y.requires_grad else y.clone().requires_grad_() for y in reference(leaves, fixed))


def _computed(forward: Forward, method: Callable[..., object]) -> Callable[[Step, bool], dict[str, Value]]:
    def compute(step: Step, isolated: bool) -> dict[str, Value]:
        def differentiated() -> dict[str, Tensor]:
            with torch.inference_mode(mode=False), torch.enable_grad():
                leaves = {name: plain(t).requires_grad_(name in step.gradients) for name, t in step.inputs.items()}
                outputs = forward(leaves, step.fixed)
                of_wanted = {name: leaves[name] for name in step.gradients}
                d = _filled(of_wanted, gradients_of(outputs, of_wanted, [*map(negative, step.errors)]))
            return {made.name: t.detach() for made, t in zip(step.makes, (*outputs, *d), strict=True)}

        call = Call(step.inputs | step.fixed, step.buffers)
        found = call(differentiated)
        return {
            made.name: call.value(None if found is None else found[made.name], method, "a tensor")
            for made in step.makes
        }

    return compute
