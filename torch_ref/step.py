"""One step of a pass on its own: a layer, a loss or a function, fed with the reference's inputs.

In a whole pass one wrong formula spoils everything further down the data flow. Here every formula gets what the
reference computed: x, the parameters, the error of y, and, in what forward saved, the reference's y in place of its
own. What is wrong here is guilty; what is wrong in the whole pass only is a consequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from manual_bp import Layer, Loss
from manual_bp.layer import Parametrised, parameters
from torch_ref.compare import Comparison, Tensors, Witness, compare, witnesses
from torch_ref.differences import Slope, slope
from torch_ref.formulas import Quantity, source_of

Outputs = tuple[Tensor, ...]
Forward = Callable[[Tensors, Tensors], Outputs]
"""Inputs and fixed tensors, both by name, to outputs."""


@dataclass(frozen=True)
class Value:
    """What one handwritten formula gave: a tensor, or the failure in words."""

    tensor: Tensor | None
    method: Callable[..., object] | None
    failure: str = ""

    @property
    def source(self) -> str:
        """Return file and line of the method."""
        return source_of(self.method)


@dataclass(frozen=True)
class Step:
    """A differentiable step by hand and by its reference, and the numbers at which the two are compared."""

    owner: object
    inputs: Tensors
    """x first, then the parameters."""
    fixed: Tensors
    """What is not differentiated: targets."""
    errors: Outputs
    """The errors of the outputs, −∂L/∂y; −1 for a loss, whose output is L."""
    outputs: tuple[Quantity, ...]
    gradients: dict[str, Quantity]
    """By input."""
    signs: dict[str, int]
    """+1 where the formula gives +∂L/∂input (a gradient), −1 where it gives −∂L/∂input (an error)."""
    forward: Forward
    """By hand."""
    reference: Forward
    by_hand: Callable[[Step], dict[str, Value]]
    """Every formula by the quantity's name, each fed with the reference's inputs."""
    tolerance: Mapping[torch.dtype, float] | None = None

    @cached_property
    def witnesses(self) -> dict[str, Witness]:
        """Return every quantity by the reference, by name."""
        upstream = {f"error of output {i}": e for i, e in enumerate(self.errors)}
        return witnesses(self._by_reference, self.inputs | upstream, self.fixed)

    def _by_reference(self, given: Tensors, fixed: Tensors) -> Tensors:
        with torch.inference_mode(mode=False), torch.enable_grad():
            leaves = {name: plain(given[name]).requires_grad_(name in self.gradients) for name in self.inputs}
            outputs = self.reference(leaves, {name: plain(t) for name, t in fixed.items()})
            found = {q.name: y.detach() for q, y in zip(self.outputs, outputs, strict=True)}
            errors = [plain(given[f"error of output {i}"]) for i in range(len(outputs))]
            differentiated = {name: leaf for name, leaf in leaves.items() if name in self.gradients}
            reached = [(y, -e) for y, e in zip(outputs, errors, strict=True) if y.requires_grad]
            if not differentiated or not reached:
                return found | {self.gradients[name].name: torch.zeros_like(given[name]) for name in differentiated}
            ys, d_ys = zip(*reached, strict=True)
            d_inputs = torch.autograd.grad(ys, [*differentiated.values()], d_ys, materialize_grads=True)
        for (name, _), d in zip(differentiated.items(), d_inputs, strict=True):
            found[self.gradients[name].name] = d if self.signs[name] > 0 else -d
        return found

    @cached_property
    def values(self) -> dict[str, Value]:
        """Return every quantity by hand, each formula on its own, by name."""
        return self.by_hand(self)

    def comparison(self, name: str) -> Comparison:
        """Compare one quantity by hand with its witness."""
        value, witness = self.values[name], self.witnesses[name]
        if value.tensor is None:
            return Comparison("wrong", float("inf"), None, float("inf"), 0.0, None, None, None, value.failure)
        compared = compare(value.tensor, witness, self._tolerance(witness))
        return replace(compared, status="wrong", remark=value.failure) if value.failure else compared

    def _tolerance(self, witness: Witness) -> float | None:
        return (self.tolerance or {}).get(witness.value.dtype)

    def slope_of(self, forward: Forward, name: str, seed: int = 0) -> Slope | None:
        """Return the slope of Σ e · forward in one input by finite differences; None if it cannot do float64."""
        inputs = {key: t.double() if t.is_floating_point() else t for key, t in self.inputs.items()}
        fixed = {key: t.double() if t.is_floating_point() else t for key, t in self.fixed.items()}
        try:
            with torch.no_grad():
                at: Callable[[Tensor], Outputs] = lambda q: forward(inputs | {name: q}, fixed)  # noqa: E731
                return slope(at, inputs[name], [e.double() for e in self.errors], seed)
        except (TypeError, ValueError, RuntimeError):
            return None  # a forward for one dtype only: it has no witness in float64


def plain(tensor: Tensor) -> Tensor:
    """Return the tensor without its history, with its strides; a copy where autograd could not save it."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def layer_step(
    layer: Layer,
    reference: Callable[..., Any],
    x: Tensor,
    error: Tensor,
    output: Quantity,
    error_of_x: Quantity,
    of_parameters: Mapping[str, Quantity],
    tolerance: Mapping[torch.dtype, float] | None = None,
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
        forward=lambda inputs, _: (_holding(layer, inputs).forward(inputs["x"])[0],),
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
    tolerance: Mapping[torch.dtype, float] | None = None,
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
    tolerance: Mapping[torch.dtype, float] | None = None,
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


def _layer_by_hand(step: Step) -> dict[str, Value]:
    layer = step.owner
    output, error_of_x = step.outputs[0].name, step.gradients["x"].name
    named = {name: q.name for name, q in step.gradients.items() if name != "x"}
    inputs = {name: t.clone() for name, t in step.inputs.items()}
    held = _holding(layer, inputs)
    call = Call(inputs)
    passed = call(held.forward, inputs["x"])
    y, saved = passed if is_pair(passed) else (None, None)
    values = {output: call.value(y, held.forward, "forward(x) -> (y, saved)")}
    if not is_pair(passed):
        unreached = Value(None, held.backward, "forward gave nothing that backward could read")
        return values | dict.fromkeys([error_of_x, *named.values()], unreached)
    saved = substituted(saved, y, step.witnesses[output].value)
    error = step.errors[0].clone()
    call = Call(inputs | {"error": error})
    returned = call(held.backward, error, saved)
    e, d = returned if is_pair(returned) else (None, {})
    values[error_of_x] = call.value(e, held.backward, "backward(error, saved) -> (error of x, gradients)")
    found = {"backward": (d, held.backward, call.failure)}
    if isinstance(held, Parametrised):
        call = Call(inputs | {"error": error})
        found["gradients"] = call(held.gradients, error, saved), held.gradients, call.failure
    for name, shown in named.items():
        candidates = [_named(d, name, method, failure) for d, method, failure in found.values()]
        wrong = (v for v in candidates if v.tensor is None or not compare(v.tensor, step.witnesses[shown]).ok)
        values[shown] = next(wrong, candidates[-1])
    return values


def _loss_by_hand(step: Step) -> dict[str, Value]:
    loss: Any = step.owner
    inputs = {name: t.clone() for name, t in (step.inputs | step.fixed).items()}
    call = Call(inputs)
    passed = call(loss.forward, inputs["x"], inputs["t"])
    value, saved = passed if is_pair(passed) else (None, None)
    values = {step.outputs[0].name: call.value(value, loss.forward, "forward(x, t) -> (L, saved)")}
    error_of_x = step.gradients["x"].name
    if not is_pair(passed):
        return values | {error_of_x: Value(None, loss.backward, "forward gave nothing that backward could read")}
    saved = substituted(saved, Call({})(loss.output, inputs["x"]), step.fixed["y"])
    call = Call(inputs)
    values[error_of_x] = call.value(call(loss.backward, saved), loss.backward, "backward(saved) -> error of x")
    return values


def _answer_by_hand(step: Step) -> dict[str, Value]:
    loss: Any = step.owner
    x = step.inputs["x"].clone()
    call = Call({"x": x})
    return {step.outputs[0].name: call.value(call(loss.output, x), loss.output, "output(x) -> y")}


class Call:
    """One call of somebody's method, and whether it left its arguments as they were."""

    def __init__(self, arguments: Mapping[str, Tensor]) -> None:
        """Take the tensors that must not change, by name."""
        self.arguments = arguments
        self.before = {name: t.clone() for name, t in arguments.items()}
        self.failure = ""

    def __call__(self, method: Callable[..., Any], *given: Any) -> Any:
        """Return what the method returns; None, and ``failure`` in words, where it raises."""
        try:
            returned = method(*given)
        except Exception as error:  # whatever somebody's formula raises is what the report has to say
            self.failure = self.raised(error)
            return None
        changed = [name for name, t in self.arguments.items() if not _same(t, self.before[name])]
        if changed:
            self.failure = f"changes {', '.join(changed)} in place"
            returned = _copied(returned)
            for name in changed:
                self.arguments[name].copy_(self.before[name])
        return returned

    def raised(self, error: BaseException) -> str:
        """Return what a method raised, in words."""
        return f"raises {type(error).__name__}: {error}"

    def value(self, tensor: Any, method: Callable[..., object] | None, expected: str) -> Value:
        """Return the value of a formula, which has to be a tensor."""
        if isinstance(tensor, Tensor):
            return Value(tensor.detach(), method, self.failure)
        got = type(tensor).__name__
        return Value(None, method, self.failure or f"gives a {got} where {expected} is expected")


def _named(d: Any, name: str, method: Callable[..., object], failure: str) -> Value:
    tensor = d.get(name) if isinstance(d, Mapping) else None
    if isinstance(tensor, Tensor):
        return Value(tensor.detach(), method, failure)
    return Value(None, method, failure or f"gives no gradient of {name}")


def is_pair(returned: Any) -> bool:
    """Tell whether a method returned two things."""
    return isinstance(returned, tuple) and len(returned) == 2


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())


def _copied(value: Any) -> Any:
    """Return what a method returned with its tensors copied: they may lie in an argument that is put back."""
    return _replaced(value, lambda t: t.clone())


def substituted(saved: Any, own: Any, right: Tensor) -> Any:
    """Return what forward saved, with ``right`` wherever its own output stands."""
    if not isinstance(own, Tensor) or own.shape != right.shape or own.dtype != right.dtype:
        return saved

    def swap(t: Tensor) -> Tensor:
        is_own = t is own or (t.shape == own.shape and t.dtype == own.dtype and _same(t, own))
        return right.clone() if is_own else t

    return _replaced(saved, swap)


def _replaced(value: Any, swap: Callable[[Tensor], Tensor]) -> Any:
    """Return a structure of tuples, lists and dicts with every tensor replaced."""
    if isinstance(value, Tensor):
        return swap(value)
    if isinstance(value, tuple):
        parts = [_replaced(part, swap) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [_replaced(part, swap) for part in value]
    if isinstance(value, dict):
        return {key: _replaced(part, swap) for key, part in value.items()}
    return value


def _holding(layer: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the layer with other parameters of the same names."""
    mine = {name: tensors[name] for name in parameters(layer)}
    return replace(layer, **mine) if mine else layer


def sequence(values: Tensor | Sequence[Tensor]) -> Outputs:
    """Return outputs as a tuple, whether there is one or several."""
    return (values,) if isinstance(values, Tensor) else tuple(values)
