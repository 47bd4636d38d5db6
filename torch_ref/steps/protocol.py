"""Layers and losses of the protocol as steps, each formula by hand on its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from manual_bp import Layer, Loss
from manual_bp.layer import Parametrised, holding, own_copy, parameters
from torch_ref.numbers.agreement import Tolerance
from torch_ref.steps.calling import Call, is_pair, named_gradient, substituted
from torch_ref.steps.step import Failure, Made, Step, Value

NOTHING_TO_READ = Failure("nothing-to-read", "forward gave nothing that backward could read")


def layer_step(
    layer: Layer,
    reference: Callable[..., Any],
    x: Tensor,
    error: Tensor,
    output: str,
    error_of_x: str,
    of_parameters: Mapping[str, str],
    tolerance: Tolerance | None = None,
    l: int | None = None,
) -> Step:
    """Return the step of one layer; ``reference(x, **parameters)`` is what it should equal.

    ``output``, ``error_of_x`` and, by parameter, ``of_parameters`` are the names of what it makes.
    """
    mine = parameters(layer)
    return Step(
        owner=layer,
        kind="layer",
        inputs={"x": x, **mine},
        fixed={},
        errors=(error,),
        outputs=(Made(output, "forward"),),
        gradients={
            "x": Made(error_of_x, "error", -1),
            **{name: Made(shown, name) for name, shown in of_parameters.items()},
        },
        forward=lambda inputs, _: (holding(layer, inputs).forward(inputs["x"])[0],),
        reference=lambda inputs, _: (reference(inputs["x"], **{name: inputs[name] for name in mine}),),
        compute=_computed_layer,
        tolerance=tolerance,
        layer=l,
    )


def loss_step(
    loss: Loss,
    reference: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    t: Tensor,
    value: str,
    error_of_x: str,
    tolerance: Tolerance | None = None,
    *,
    y: Tensor,
) -> Step:
    """Return the step of a loss, a layer whose output is L: the error of L is −∂L/∂L = −1; y is the right answer."""
    return Step(
        owner=loss,
        kind="loss",
        inputs={"x": x},
        fixed={"t": t, "y": y},
        errors=(-torch.ones((), dtype=x.dtype, device=x.device),),
        outputs=(Made(value, "forward"),),
        gradients={"x": Made(error_of_x, "error", -1)},
        forward=lambda inputs, fixed: (loss.forward(inputs["x"], fixed["t"])[0],),
        reference=lambda inputs, fixed: (reference(inputs["x"], fixed["t"]),),
        compute=_computed_loss,
        tolerance=tolerance,
    )


def answer_step(
    loss: Loss,
    reference: Callable[[Tensor], Tensor],
    x: Tensor,
    y: str,
    tolerance: Tolerance | None = None,
) -> Step:
    """Return the step from the last layer's output to the network's answer y; nothing flows back through it."""
    return Step(
        owner=loss,
        kind="answer",
        inputs={"x": x},
        fixed={},
        errors=(torch.zeros_like(x),),
        outputs=(Made(y, "output"),),
        gradients={},
        forward=lambda inputs, _: (loss.output(inputs["x"]),),
        reference=lambda inputs, _: (reference(inputs["x"]),),
        compute=_computed_answer,
        tolerance=tolerance,
    )


def _computed_layer(step: Step, isolated: bool) -> dict[str, Value]:
    layer: Any = own_copy(step.owner)  # type: ignore[type-var]  # what its methods keep stays in the copy
    output, error_of_x = step.outputs[0].name, step.gradients["x"].name
    named = {name: made.name for name, made in step.gradients.items() if name != "x"}
    call = Call(step.inputs)
    passed = _called(call, layer, layer.forward, step.inputs["x"])
    if not is_pair(passed):
        values = {output: call.missing(passed, layer.forward, "forward(x) -> (y, saved)")}
        unreached = Value(None, layer.backward, NOTHING_TO_READ)
        return values | dict.fromkeys([error_of_x, *named.values()], unreached)
    y, saved = passed
    values = {output: call.value(y, layer.forward, "forward(x) -> (y, saved)")}
    if isolated:
        saved = substituted(saved, y, step.witnesses[output].value)
    return values | _computed_backward(step, layer, saved, named)


def _called(call: Call, layer: Any, method: Callable[..., Any], *given: Any) -> Any:
    """Return what a layer's method returns; a failure where the layer updates itself, into other tensors."""
    before = parameters(layer)
    returned = call(method, *given)
    changed = [name for name, tensor in before.items() if getattr(layer, name, None) is not tensor]
    if changed and not call.failure:
        call.failure = Failure("changes-input", f"puts another tensor in the place of {', '.join(changed)}")
    return returned


def _computed_backward(step: Step, layer: Any, saved: Any, named: Mapping[str, str]) -> dict[str, Value]:
    """Return the error of x and the gradients; where backward and gradients give two, the one that is wrong."""
    (error,), error_of_x = step.errors, step.gradients["x"].name
    call = Call(step.inputs | {"error": error})
    returned = _called(call, layer, layer.backward, error, saved)
    e, d = returned if is_pair(returned) else (None, {})
    expected = "backward(error, saved) -> (error of x, gradients)"
    values = {error_of_x: call.value(e, layer.backward, expected)}
    if not is_pair(returned):
        values[error_of_x] = call.missing(returned, layer.backward, expected)
    if isinstance(d, Mapping) and (unknown := [str(name) for name in d if name not in named]):
        text = f"gives gradients of {', '.join(unknown)}, and the parameters are {list(named)}"
        values[error_of_x] = Value(None, layer.backward, Failure("wrong-return", text))
    found = [(d, layer.backward, call.failure)]
    if isinstance(layer, Parametrised):
        call = Call(step.inputs | {"error": error})
        found.append((_called(call, layer, layer.gradients, error, saved), layer.gradients, call.failure))
    for name, shown in named.items():
        given = [named_gradient(d, name, method, failure) for d, method, failure in found]
        wrong = (v for v in reversed(given) if not step.compared(shown, replace(v, failure=None)).ok)
        values[shown] = next(wrong, given[-1])
    return values


def _computed_loss(step: Step, isolated: bool) -> dict[str, Value]:
    loss: Any = copy.copy(step.owner)
    inputs = step.inputs | step.fixed
    call = Call(inputs)
    passed = call(loss.forward, inputs["x"], inputs["t"])
    value, error_of_x, expected = step.outputs[0].name, step.gradients["x"].name, "forward(x, t) -> (L, saved)"
    if not is_pair(passed):
        unreached = Value(None, loss.backward, NOTHING_TO_READ)
        return {value: call.missing(passed, loss.forward, expected), error_of_x: unreached}
    l, saved = passed
    values = {value: call.value(l, loss.forward, expected)}
    if isolated:
        saved = substituted(saved, Call(inputs)(loss.output, inputs["x"]), step.fixed["y"])
    call = Call(inputs)
    values[error_of_x] = call.value(call(loss.backward, saved), loss.backward, "backward(saved) -> error of x")
    return values


def _computed_answer(step: Step, isolated: bool) -> dict[str, Value]:
    loss: Any = step.owner
    call = Call(step.inputs)
    y = call(loss.output, step.inputs["x"])
    return {step.outputs[0].name: call.value(y, loss.output, "output(x) -> y")}
