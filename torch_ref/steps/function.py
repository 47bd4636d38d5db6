"""Plain functions and autograd Functions as a step: their inputs by name, and the ways in which they are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from manual_bp.layer import described
from torch_ref.numbers.agreement import Tolerance
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.calling import Call
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import Failure, Made, Outputs, Step, Value, plain, same, sequence
from torch_ref.steps.upstream import drawn

Compute = Callable[[Step, bool], dict[str, Value]]
"""What ``Step.compute`` is."""

Function = type[torch.autograd.Function]


class Nothing(Failure):
    """None for an input, or no gradient at all: a fault only where the input requires one."""


NOT_RETURNED = "backward returns no gradient for it, and it does not require one"

UPDATED = "the reference updates it in place, as running statistics"

IN_A_CONTAINER = "tensors inside a {} are not looked at: give each as an input of its own"


def function_step(
    forward: Callable[..., Any],
    reference: Callable[..., Any],
    inputs: Sequence[Any],
    compute: Compute,
    tolerance: Tolerance | None = None,
    *,
    named_like: Callable[..., Any] | None = None,
    wanted: Sequence[str] | None = None,
    errors: Outputs | None = None,
) -> Step:
    """Return the step of a function of ``inputs``: tensors, and anything else, which is handed on as it is.

    Differentiated are all floating-point and complex tensors, or those that are ``wanted``; of them those are left
    out, and named, that require no gradient and get none from backward.
    """
    check_inputs(inputs)
    names = _names(named_like or forward, inputs)
    tensors = {name: value for name, value in zip(names, inputs, strict=True) if isinstance(value, Tensor)}
    floating = {name: t for name, t in tensors.items() if t.is_floating_point() or t.is_complex()}
    choose, wanted = wanted is None, list(floating) if wanted is None else list(wanted)
    if not floating:
        raise TypeError(f"a gradient check expects at least one floating-point tensor among the inputs, got {names}")
    given = {name: plain(t) for name, t in floating.items()}
    fixed = {name: t for name, t in tensors.items() if name not in floating}
    buffers = _changed(reference, given, fixed, inputs, names)
    wanted = [name for name in wanted if name not in buffers]
    outputs = _outputs(reference, given | {b: given[b].clone() for b in buffers}, fixed, inputs, names, wanted)
    first = next(iter(given))
    shown = [f"output {i}" for i in range(len(outputs))] if len(outputs) > 1 else ["output"]
    step = Step(
        owner=forward,
        kind="function",
        inputs=given,
        fixed=fixed,
        errors=errors or drawn(outputs),
        outputs=tuple(Made(name, "forward") for name in shown),
        gradients={name: Made(f"gradient of {name}", "error" if name == first else name) for name in wanted},
        forward=lambda i, f: sequence(forward(*arguments_of(i | f, inputs, names))),
        reference=lambda i, f: sequence(reference(*arguments_of(i | f, inputs, names))),
        compute=compute,
        tolerance=tolerance,
        names=tuple(names),
        further=() if errors else (drawn(outputs, 1),),
        buffers=tuple(buffers),
        not_compared=(*_hidden(names, inputs), *((f"gradient of {name}", UPDATED) for name in buffers)),
    )
    return _without_tables(step, inputs) if choose else step


def required(names: Sequence[str], inputs: Sequence[Any]) -> set[str]:
    """Return the names of the tensors that require a gradient."""
    return {name for name, t in zip(names, inputs, strict=True) if isinstance(t, Tensor) and t.requires_grad}


def _without_tables(step: Step, inputs: Sequence[Any]) -> Step:
    """Return the step without the gradients that backward does not give and nobody requires, which it names."""
    values, needed = step.compute(step, True), required(step.names, inputs)
    absent = [
        name
        for name, made in step.gradients.items()
        if isinstance(values[made.name].failure, Nothing) and name not in needed
    ]
    left = {name: made for name, made in step.gradients.items() if name not in absent}
    if not left:
        raise ValueError(
            f"a gradient check expects a backward that returns a gradient of at least one of {', '.join(absent)}, got "
            "none: there is nothing to compare"
        )
    if not any(step.witnesses[made.name].value.any() for made in left.values()):
        return step  # what is left is zeros, which nobody has to return: None elsewhere is a fault
    named = tuple((f"gradient of {name}", NOT_RETURNED) for name in absent)
    return replace(step, gradients=left, not_compared=step.not_compared + named)


def _hidden(names: Sequence[str], inputs: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Yield the inputs that hold tensors which nobody looks at, each with the reason."""
    for name, value in zip(names, inputs, strict=True):
        if not isinstance(value, Tensor) and any(isinstance(leaf, Tensor) for leaf in tree_leaves(value)):
            yield name, IN_A_CONTAINER.format(type(value).__name__)


def check_inputs(inputs: Sequence[Any]) -> None:
    """Raise TypeError where ``inputs`` is one tensor, or holds a tensor that cannot be checked."""
    if isinstance(inputs, Tensor | np.ndarray):
        kind = type(inputs).__name__
        raise TypeError(f"a gradient check expects inputs as a sequence of arguments, got a {kind}: give [x]")
    for i, t in enumerate(inputs):
        if isinstance(t, np.ndarray):
            raise TypeError(f"a gradient check expects tensors, got input {i} as numpy array: torch.from_numpy(x)")
        if isinstance(t, Tensor) and (t.is_meta or t.is_nested or t.layout is not torch.strided):
            kind = "on the meta device" if t.is_meta else "nested" if t.is_nested else f"of layout {t.layout}"
            raise TypeError(f"a gradient check expects dense tensors with numbers, got input {i}, which is {kind}")


def _changed(
    reference: Callable[..., Any], given: Tensors, fixed: Tensors, inputs: Sequence[Any], names: list[str]
) -> list[str]:
    """Return the inputs that the reference changes in place; of copies, so that they stay as they are."""
    tensors = {name: t.detach().clone() for name, t in (given | fixed).items()}
    before = {name: t.clone() for name, t in tensors.items()}
    with as_it_was(), torch.inference_mode(mode=False), torch.no_grad():
        reference(*arguments_of(tensors, inputs, names))
    return [name for name in given if not same(tensors[name], before[name])]


def _outputs(
    reference: Callable[..., Any],
    given: Tensors,
    fixed: Tensors,
    inputs: Sequence[Any],
    names: list[str],
    wanted: list[str],
) -> Outputs:
    """Return the reference's outputs; raise unless they are tensors that autograd can differentiate."""
    with as_it_was(), torch.inference_mode(mode=False), torch.enable_grad():
        leaves = {name: plain(t).requires_grad_(name in wanted) for name, t in given.items()}
        outputs = reference(*arguments_of(leaves | {name: t.clone() for name, t in fixed.items()}, inputs, names))
    if not isinstance(outputs, Tensor) and not (
        isinstance(outputs, tuple | list) and outputs and all(isinstance(y, Tensor) for y in outputs)
    ):
        raise TypeError(f"a gradient check expects the reference to return tensors, got {type(outputs).__name__}")
    if not any(y.requires_grad for y in sequence(outputs)):
        raise ValueError(
            "a gradient check expects a reference that autograd can differentiate, but its outputs do not depend on "
            f"{', '.join(wanted)} under autograd: give reference=, made of torch operations"
        )
    return sequence(outputs)


def arguments_of(tensors: Mapping[str, Tensor], inputs: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Return the arguments in order, each tensor replaced by that of its name."""
    return [tensors.get(name, value) for name, value in zip(names, inputs, strict=True)]


def by_formula(forward: Callable[..., Any], backward: Callable[..., Any], inputs: Sequence[Any]) -> Compute:
    """Return how the values of a pair of plain functions are made."""

    def compute(step: Step, isolated: bool) -> dict[str, Value]:
        given = step.inputs | step.fixed
        arguments, call = arguments_of(given, inputs, step.names), Call(given, step.buffers)
        outputs = call(lambda: sequence(forward(*arguments)))
        values = {made.name: _value(outputs, i, forward, call) for i, made in enumerate(step.outputs)}
        d_outputs = [_negated(e) for e in step.errors]
        upstream = {f"the gradient of {made.name}": d for made, d in zip(step.outputs, d_outputs, strict=True)}
        call = Call(given | upstream, step.buffers)
        d = call(lambda: _tuple(backward(*d_outputs, *arguments)))
        if d is not None and len(d) > len(inputs) and not call.failure:
            call.failure = Failure("wrong-return", f"gives {len(d)} gradients for {_counted(len(inputs), 'input')}")
        for name, made in step.gradients.items():
            index = step.names.index(name)
            value = _value(d, index, backward, call)
            is_none = d is not None and value.tensor is None and not call.failure
            if is_none and value.failure and index < len(d) and d[index] is None:
                value = replace(value, failure=Nothing(*value.failure))
            if is_none and not step.witnesses[made.name].value.any():  # None stands for zeros, as in autograd
                value = Value(torch.zeros_like(step.inputs[name]), backward)
            values[made.name] = value
        return values

    return compute


def by_autograd(function: Function, inputs: Sequence[Any]) -> Compute:
    """Return how the values of an autograd Function are made: by autograd, which calls its backward."""

    def compute(step: Step, isolated: bool) -> dict[str, Value]:
        call = Call(step.inputs | step.fixed, step.buffers)
        found = call(_through, function, inputs, step)
        methods = {made.name: function.forward for made in step.outputs}
        methods |= {made.name: function.backward for made in step.gradients.values()}
        values = {name: _value(found, name, method, call) for name, method in methods.items()}
        for name, value in values.items():
            if value.failure and not call.failure and found[name] is None:
                values[name] = replace(value, failure=Nothing(*value.failure))
        return values

    return compute


def _through(function: Function, inputs: Sequence[Any], step: Step) -> dict[str, Tensor | None]:
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaves = {name: plain(t).requires_grad_(name in step.gradients) for name, t in step.inputs.items()}
        apply: Callable[..., Any] = function.apply
        outputs = sequence(apply(*arguments_of(leaves | step.fixed, inputs, step.names)))
        reached = [(y, _negated(plain(e))) for y, e in zip(outputs, step.errors, strict=True) if y.requires_grad]
        wanted = [leaves[name] for name in step.gradients]
        d: Sequence[Tensor | None] = [torch.zeros_like(leaf) for leaf in wanted]
        if reached:
            ys, d_ys = zip(*reached, strict=True)
            d = torch.autograd.grad(ys, wanted, d_ys, allow_unused=True)
    found: dict[str, Tensor | None] = {made.name: y.detach() for made, y in zip(step.outputs, outputs, strict=True)}
    needed = required(step.names, inputs)
    for (name, made), g in zip(step.gradients.items(), d, strict=True):
        is_zero = g is None and (name in needed or not step.witnesses[made.name].value.any())
        found[made.name] = torch.zeros_like(step.inputs[name]) if is_zero else g  # as autograd reads None
    return found


def _negated(t: Tensor) -> Tensor:
    """Return −t with the strides of t, which plain negation does not keep."""
    if not (t.is_floating_point() or t.is_complex()):
        return t  # zeros, of an output that has no gradient
    if 0 in t.stride():
        once = t[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in t.stride())]
        return (-once).expand(t.shape)
    return torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device=t.device).copy_(-t)


def _value(found: Any, key: Any, method: Callable[..., object], call: Call) -> Value:
    """Return one tensor of several, or what came instead."""
    try:
        tensor = found[key]
    except (TypeError, IndexError, KeyError):
        text = f"gives {described(found)}, which has nothing for it"
        return Value(None, method, call.failure or Failure("wrong-return", text))
    return call.value(tensor, method, "a tensor")


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' * (count != 1)}"


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _names(function: Callable[..., Any], inputs: Sequence[Any]) -> list[str]:
    """Return the names of a function's parameters for the inputs, 'input 0' where it does not say."""
    try:
        found = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    except (TypeError, ValueError):
        found = []
    named = [p.name for p in found if p.kind is not p.VAR_POSITIONAL]
    named = named[1:] if named[:1] == ["ctx"] else named
    return [named[i] if i < len(named) else f"input {i}" for i in range(len(inputs))]
