"""Layers and losses of the protocol as steps, each formula by hand on its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from manual_bp import Layer, Loss
from manual_bp.layer import Parametrised, holding, parameters
from torch_ref.known.formulas import Quantity
from torch_ref.numbers.agreement import Tolerance
from torch_ref.steps.calling import Call, is_pair, named_gradient, substituted
from torch_ref.steps.step import Step, Value


def layer_step(
    layer: Layer,
    reference: Callable[..., Any],
    x: Tensor,
    error: Tensor,
    output: Quantity,
    error_of_x: Quantity,
    of_parameters: Mapping[str, Quantity],
    tolerance: Tolerance | None = None,
) -> Step:
    """Return the step of one layer; ``reference(x, **parameters)`` is what it should equal."""
    mine = parameters(layer)
    return Step(
        owner=layer,
        inputs={"x": x, **mine},
        fixed={},
        errors=(error,),
        outputs=(output,),
        gradients={"x": error_of_x, **of_parameters},
        signs={"x": -1, **dict.fromkeys(mine, 1)},
        forward=lambda inputs, _: (holding(layer, inputs).forward(inputs["x"])[0],),
        reference=lambda inputs, _: (reference(inputs["x"], **{name: inputs[name] for name in mine}),),
        by_hand=_layer_by_hand,
        tolerance=tolerance,
    )


def loss_step(
    loss: Loss,
    reference: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    t: Tensor,
    value: Quantity,
    error_of_x: Quantity,
    tolerance: Tolerance | None = None,
    *,
    y: Tensor,
) -> Step:
    """Return the step of a loss, a layer whose output is L: the error of L is −∂L/∂L = −1; y is the right answer."""
    return Step(
        owner=loss,
        inputs={"x": x},
        fixed={"t": t, "y": y},
        errors=(-torch.ones((), dtype=x.dtype, device=x.device),),
        outputs=(value,),
        gradients={"x": error_of_x},
        signs={"x": -1},
        forward=lambda inputs, fixed: (loss.forward(inputs["x"], fixed["t"])[0],),
        reference=lambda inputs, fixed: (reference(inputs["x"], fixed["t"]),),
        by_hand=_loss_by_hand,
        tolerance=tolerance,
    )


def answer_step(
    loss: Loss,
    reference: Callable[[Tensor], Tensor],
    x: Tensor,
    y: Quantity,
    tolerance: Tolerance | None = None,
) -> Step:
    """Return the step from the last layer's output to the network's answer y; nothing flows back through it."""
    return Step(
        owner=loss,
        inputs={"x": x},
        fixed={},
        errors=(torch.zeros_like(x),),
        outputs=(y,),
        gradients={},
        signs={},
        forward=lambda inputs, _: (loss.output(inputs["x"]),),
        reference=lambda inputs, _: (reference(inputs["x"]),),
        by_hand=_answer_by_hand,
        tolerance=tolerance,
    )


def _layer_by_hand(step: Step, isolated: bool) -> dict[str, Value]:
    layer: Any = step.owner
    output, error_of_x = step.outputs[0].name, step.gradients["x"].name
    named = {name: q.name for name, q in step.gradients.items() if name != "x"}
    inputs = {name: t.clone() for name, t in step.inputs.items()}
    held = holding(layer, inputs)
    call = Call(inputs)
    passed = call(held.forward, inputs["x"])
    if not is_pair(passed):
        values = {output: call.missing(passed, held.forward, "forward(x) -> (y, saved)")}
        unreached = Value(None, held.backward, "forward gave nothing that backward could read")
        return values | dict.fromkeys([error_of_x, *named.values()], unreached)
    y, saved = passed
    values = {output: call.value(y, held.forward, "forward(x) -> (y, saved)")}
    if isolated:
        saved = substituted(saved, y, step.witnesses[output].value)
    error = step.errors[0].clone()
    call = Call(inputs | {"error": error})
    returned = call(held.backward, error, saved)
    e, d = returned if is_pair(returned) else (None, {})
    expected = "backward(error, saved) -> (error of x, gradients)"
    values[error_of_x] = call.value(e, held.backward, expected)
    if not is_pair(returned):
        values[error_of_x] = call.missing(returned, held.backward, expected)
    if isinstance(d, Mapping) and (unknown := [str(name) for name in d if name not in named]):
        failure = f"gives gradients of {', '.join(unknown)}, and the parameters are {list(named)}"
        values[error_of_x] = Value(None, held.backward, failure)
    found = {"backward": (d, held.backward, call.failure)}
    if isinstance(held, Parametrised):
        call = Call(inputs | {"error": error})
        found["gradients"] = call(held.gradients, error, saved), held.gradients, call.failure
    for name, shown in named.items():
        candidates = [named_gradient(d, name, method, failure) for d, method, failure in found.values()]
        wrong = (v for v in reversed(candidates) if not step.compared(shown, replace(v, failure="")).ok)
        values[shown] = next(wrong, candidates[-1])
    return values


def _loss_by_hand(step: Step, isolated: bool) -> dict[str, Value]:
    loss: Any = step.owner
    inputs = {name: t.clone() for name, t in (step.inputs | step.fixed).items()}
    call = Call(inputs)
    passed = call(loss.forward, inputs["x"], inputs["t"])
    error_of_x, expected = step.gradients["x"].name, "forward(x, t) -> (L, saved)"
    if not is_pair(passed):
        unreached = Value(None, loss.backward, "forward gave nothing that backward could read")
        return {step.outputs[0].name: call.missing(passed, loss.forward, expected), error_of_x: unreached}
    value, saved = passed
    values = {step.outputs[0].name: call.value(value, loss.forward, expected)}
    if isolated:
        saved = substituted(saved, Call({})(loss.output, inputs["x"]), step.fixed["y"])
    call = Call(inputs)
    values[error_of_x] = call.value(call(loss.backward, saved), loss.backward, "backward(saved) -> error of x")
    return values


def _answer_by_hand(step: Step, isolated: bool) -> dict[str, Value]:
    loss: Any = step.owner
    x = step.inputs["x"].clone()
    call = Call({"x": x})
    return {step.outputs[0].name: call.value(call(loss.output, x), loss.output, "output(x) -> y")}
