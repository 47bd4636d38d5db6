"""Plain functions and autograd Functions as a step: their inputs by name, and the ways in which they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from manual_bp.layer import described
from torch_ref.numbers.agreement import Tolerance
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.arguments import Arguments, Missing
from torch_ref.steps.calling import Call, attempt
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import (
    Failure,
    Made,
    Outputs,
    Step,
    Value,
    can_flow,
    gradients_of,
    laid_out_like,
    plain,
    same,
    sequence,
)
from torch_ref.steps.upstream import drawn

Compute = Callable[[Step, bool], dict[str, Value]]
"""What ``Step.compute`` is."""

Function = type[torch.autograd.Function]


class Nothing(Failure):
    """None for an input, or no gradient at all: a fault only where the input requires one."""


@dataclass(frozen=True)
class Zeros(Value):
    """Zeros in place of None, which backward returned where the gradient is 0."""


NOT_RETURNED = "backward returns no gradient for it, and it does not require one"

UNDEFINED = "a gradient check expects inputs at which the reference is defined, but it says: {}"

UPDATED = "the reference updates it in place, as running statistics"


def function_step(
    forward: Callable[..., Any],
    reference: Callable[..., Any],
    arguments: Arguments,
    compute: Compute,
    tolerance: Tolerance | None = None,
    *,
    wanted: Sequence[str] | None = None,
    upstream: Outputs | None = None,
    errors: Outputs | None = None,
) -> Step:
    """Return the step of a function of ``arguments``: tensors, and anything else, which is handed on as it is.

    Differentiated are all floating-point and complex tensors, or those that are ``wanted``; of them those are left
    out, and named, that require no gradient and get none from backward. ``upstream`` are the gradients of the outputs
    that somebody wants, ``errors`` the same with the other sign, of a step that was looked at already.
    """
    tensors = arguments.tensors
    floating = {name: t for name, t in tensors.items() if can_flow(t)}
    choose, wanted = wanted is None, list(floating) if wanted is None else list(wanted)
    if not floating:
        hidden = "".join(f"; {name}: {why}" for name, why in arguments.hidden)
        names = ", ".join(arguments.names) or "no inputs"
        raise TypeError(
            f"a gradient check expects at least one floating-point tensor among the inputs, got {names}{hidden}"
        )
    given = {name: plain(t) for name, t in floating.items()}
    fixed = {name: t for name, t in tensors.items() if name not in floating}
    try:
        buffers = _changed(reference, arguments, given)
    except torch.linalg.LinAlgError as why:  # type: ignore[attr-defined]
        raise ValueError(UNDEFINED.format(why)) from why
    wanted = [name for name in wanted if name not in buffers]
    if not wanted:
        raise ValueError(
            f"a gradient check expects a reference that leaves its inputs as they are, but it changes "
            f"{', '.join(buffers)} in place: let it work on a copy"
        )
    copies = {name: t.clone() if name in buffers or name in fixed else t for name, t in (given | fixed).items()}
    outputs = _outputs(reference, arguments, copies, wanted)
    errors = errors if upstream is None else _errors_of(upstream, outputs)
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
        forward=lambda i, f: sequence(arguments.having(i | f).call(forward)),
        reference=lambda i, f: sequence(arguments.having(i | f).call(reference)),
        compute=compute,
        tolerance=tolerance,
        further=() if errors else (drawn(outputs, 1),),
        buffers=tuple(buffers),
        not_compared=(*arguments.hidden, *((f"gradient of {name}", UPDATED) for name in buffers)),
    )
    return _without_tables(step, arguments) if choose else step


def _errors_of(upstream: Outputs, outputs: Outputs) -> Outputs:
    """Return the errors that stand for given gradients of the outputs; raise ValueError where they do not fit."""
    if [d.shape for d in upstream] != [y.shape for y in outputs]:
        expected, got = ([tuple(t.shape) for t in ts] for ts in (outputs, upstream))
        raise ValueError(f"a gradient check expects upstream gradients of the outputs' shapes {expected}, got {got}")
    return tuple(-plain(d).to(y.dtype) for d, y in zip(upstream, outputs, strict=True))


def _without_tables(step: Step, arguments: Arguments) -> Step:
    """Return the step without the gradients that backward does not give and nobody requires, which it names."""
    if arguments.required >= set(step.gradients):
        return step
    computed = step.compute(step, True)
    values = {name: computed[made.name] for name, made in step.gradients.items()}
    optional = {name: value for name, value in values.items() if name not in arguments.required}
    absent = [name for name, value in optional.items() if isinstance(value.failure, Nothing)]
    left = {name: made for name, made in step.gradients.items() if name not in absent}
    if not left:
        raise ValueError(
            f"a gradient check expects a backward that returns a gradient of at least one of {', '.join(absent)}, got "
            "none: there is nothing to compare"
        )
    if absent and not any(step.witnesses[made.name].value.any() for made in left.values()):
        return step  # what is left is zeros, which nobody has to return: None elsewhere is a fault
    absent += [name for name, value in optional.items() if isinstance(value, Zeros) and name not in step.unconnected]
    left = {name: made for name, made in left.items() if name not in absent}
    if not left or not absent:
        return step
    named = tuple((f"gradient of {name}", NOT_RETURNED) for name in step.gradients if name in absent)
    return replace(step, gradients=left, not_compared=step.not_compared + named)


def _changed(function: Callable[..., Any], arguments: Arguments, given: Tensors) -> list[str]:
    """Return the inputs that a function changes in place; of copies, so that they stay as they are."""
    tensors = {name: plain(t).clone() for name, t in arguments.tensors.items()}
    with as_it_was(), torch.inference_mode(mode=False), torch.no_grad():
        arguments.having(tensors).call(function)
    return [name for name in given if not same(tensors[name], given[name])]


def _outputs(reference: Callable[..., Any], arguments: Arguments, tensors: Tensors, wanted: list[str]) -> Outputs:
    """Return the reference's outputs; raise unless they are tensors that autograd can differentiate."""
    with as_it_was(), torch.inference_mode(mode=False), torch.enable_grad():
        leaves = {name: plain(t).requires_grad_(name in wanted) for name, t in tensors.items()}
        outputs = arguments.having(leaves).call(reference)
    if not isinstance(outputs, Tensor) and not (
        isinstance(outputs, tuple | list) and outputs and all(isinstance(y, Tensor) for y in outputs)
    ):
        raise TypeError(
            f"a gradient check expects the reference to return tensors, got {_shown(outputs)}{_without_cache(outputs)}"
        )
    if not any(y.requires_grad for y in sequence(outputs)):
        raise ValueError(
            "a gradient check expects a reference that autograd can differentiate, but its outputs do not depend on "
            f"{', '.join(wanted)} under autograd: give reference=, made of torch operations"
        )
    return sequence(outputs)


def _shown(value: Any) -> str:
    """Return the type of a value, and of the parts of a pair."""
    if isinstance(value, tuple | list) and value:
        return f"{type(value).__name__} of {', '.join(type(part).__name__ for part in value)}"
    return type(value).__name__


def _without_cache(outputs: Any) -> str:
    """Say how to leave out what forward keeps for backward."""
    if isinstance(outputs, tuple | list) and any(isinstance(y, Tensor) for y in outputs):
        return (
            ": if the rest is a cache for backward, give forward without it, lambda *inputs: forward(*inputs)[0], "
            "and let backward compute it"
        )
    return ""


def by_formula(
    forward: Callable[..., Any], backward: Callable[..., Any], arguments: Arguments, *, any_dtype: bool = False
) -> Compute:
    """Return how the values of a pair of plain functions are made.

    A backward that takes no upstream gradients, only the inputs, is called without. With ``any_dtype`` its gradients
    are taken in the dtype that is expected, whatever floating-point dtype they have.
    """

    def compute(step: Step, isolated: bool) -> dict[str, Value]:
        given = step.inputs | step.fixed
        here, call = arguments.having(given), Call(given, step.buffers)
        outputs = call(lambda: sequence(here.call(forward)))
        values = {made.name: _value(outputs, i, forward, call) for i, made in enumerate(step.outputs)}
        d_outputs = [_negated(e) for e in step.errors]
        upstream = {f"the gradient of {made.name}": d for made, d in zip(step.outputs, d_outputs, strict=True)}
        takes_none = not here.fit(backward, *d_outputs) and here.fit(backward)
        call = Call(given | upstream, step.buffers)
        d = call(lambda: here.in_order(here.call(backward, *([] if takes_none else d_outputs))))
        if d is not None and len(d) > len(here.names) and not call.failure:
            text = f"gives {len(d)} gradients for {_counted(len(here.names), 'input')}"
            call.failure = Failure("wrong-return", text)
        for name, made in step.gradients.items():
            right = step.witnesses[made.name].value
            value = _gradient(here, d, name, right, backward, call)
            if any_dtype and value.tensor is not None and value.tensor.is_floating_point():
                value = replace(value, tensor=value.tensor.to(right.dtype))
            values[made.name] = value
        return values

    return compute


def _gradient(
    arguments: Arguments, d: Sequence[Any] | None, name: str, right: Tensor, backward: Callable[..., Any], call: Call
) -> Value:
    """Return the gradient of one tensor of those that backward returned, or what came instead."""
    if d is None:
        return call.missing(None, backward, "gradients")
    found = arguments.part(d, name)
    if isinstance(found, Tensor) or call.failure:
        return call.value(found, backward, "a tensor")
    if (found is None or found is Missing) and not right.any():  # None stands for zeros, as in autograd
        kind = Zeros if found is None else Value
        return kind(torch.zeros_like(arguments.tensors[name]), backward)
    if found is Missing:
        return Value(None, backward, Failure("wrong-return", f"gives {described(d)}, which has nothing for it"))
    value = call.missing(found, backward, "a tensor")
    return replace(value, failure=Nothing(*value.failure)) if found is None and value.failure else value


def by_autograd(function: Function, arguments: Arguments) -> Compute:
    """Return how the values of an autograd Function are made: by autograd, which calls its backward.

    An input that it declares to change in place (``ctx.mark_dirty``) is given as a copy.
    """
    dirty = _marked_dirty(function, arguments)

    def compute(step: Step, isolated: bool) -> dict[str, Value]:
        call, given = Call(step.inputs | step.fixed, step.buffers), arguments.having(step.inputs | step.fixed)
        leaves: Tensors = {}
        outputs = call(_applied, function, given, list(step.gradients), dirty, leaves)
        if step.again:  # once more before its backward, as where it is used twice: what it keeps is its context's
            others = arguments.having(step.elsewhere.inputs | step.fixed)
            attempt(lambda: _applied(function, others, list(step.gradients), dirty, {}))
        shown = None if outputs is None else [y.detach() for y in outputs]
        values = {made.name: _value(shown, i, function.forward, call) for i, made in enumerate(step.outputs)}
        d_outputs = [_negated(plain(e)) for e in step.errors]
        upstream = {f"the gradient of {made.name}": d for made, d in zip(step.outputs, d_outputs, strict=True)}
        after = Call(step.inputs | step.fixed | upstream, step.buffers)
        after.failure = call.failure
        found = None if outputs is None else after(_differentiated, outputs, leaves, step, d_outputs)
        for name, made in step.gradients.items():
            g = None if found is None else found[name]
            right = step.witnesses[made.name].value
            is_none = found is not None and g is None
            if is_none and (name in arguments.required or not right.any()):
                g = torch.zeros_like(step.inputs[name])  # as autograd reads None
            value = after.value(g, function.backward, "a tensor")
            if is_none and g is not None:
                value = Zeros(value.tensor, value.method, value.failure)
            if is_none and g is None and value.failure and not after.failure:
                value = replace(value, failure=Nothing(value.failure.code, value.failure.text))
            values[made.name] = value
        return values

    return compute


def gradients_by(function: Function, arguments: Arguments, step: Step) -> dict[str, Tensor | None]:
    """Return the gradients that autograd makes with a Function's backward, whatever that may raise."""
    given, leaves = arguments.having(step.inputs | step.fixed), dict[str, Tensor]()
    outputs = _applied(function, given, list(step.gradients), _marked_dirty(function, arguments), leaves)
    return _differentiated(outputs, leaves, step, [_negated(plain(e)) for e in step.errors])


def _marked_dirty(function: Function, arguments: Arguments) -> set[str]:
    """Return the inputs that a Function changes in place and returns, as it may where it says so."""
    tensors = {name: plain(t).clone() for name, t in arguments.tensors.items()}
    try:
        with as_it_was(), torch.inference_mode(mode=False), torch.no_grad():
            outputs = sequence(arguments.having(tensors).call(function.apply))
    except (Exception, SystemExit):  # of somebody's forward: the call that counts says so
        return set()
    changed = {name for name, t in tensors.items() if not same(t, arguments.tensors[name])}
    return {name for name in changed if any(y is tensors[name] for y in outputs)}


def _applied(
    function: Function, arguments: Arguments, wanted: list[str], dirty: set[str], leaves: Tensors
) -> tuple[Tensor, ...]:
    """Return the outputs of a Function with their history, and put what they were computed from into ``leaves``."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaves |= {name: plain(t).requires_grad_(name in wanted) for name, t in arguments.tensors.items()}
        given = {name: leaf.clone() if name in dirty else leaf for name, leaf in leaves.items()}
        return sequence(arguments.having(given).call(function.apply))


def _differentiated(
    outputs: tuple[Tensor, ...], leaves: Tensors, step: Step, d_outputs: Sequence[Tensor]
) -> dict[str, Tensor | None]:
    """Return the gradient of every input that is looked at; None where the Function gives none."""
    wanted = {name: leaves[name] for name in step.gradients}
    with torch.inference_mode(mode=False), torch.enable_grad():
        if not any(y.requires_grad for y in outputs):
            return {name: torch.zeros_like(leaf) for name, leaf in wanted.items()}
        used = [i for i in range(len(outputs)) if i not in step.unused]
        return gradients_of([outputs[i] for i in used], wanted, [d_outputs[i] for i in used])


def _negated(t: Tensor) -> Tensor:
    """Return −t with the strides of t, which plain negation does not keep."""
    return laid_out_like(t, -t) if can_flow(t) else t  # zeros, of an output that has no gradient


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
