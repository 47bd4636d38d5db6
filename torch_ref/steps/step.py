"""One step of a pass on its own: a layer, a loss or a function, and the numbers at which it is looked at.

In a whole pass one wrong formula spoils everything further down the data flow. Here every formula gets what the
reference computed: x, the parameters, the error of y, and, in what forward saved, the reference's y in place of its
own. What is wrong here is guilty; what is wrong in the whole pass only is a consequence.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from torch_ref.numbers.agreement import Comparison, Tolerance, compare
from torch_ref.numbers.witness import Tensors, Witness, are_large, doubled_tensor, witnesses
from torch_ref.steps.guarded import as_it_was

Outputs = tuple[Tensor, ...]
Forward = Callable[[Tensors, Tensors], Outputs]
"""Inputs and fixed tensors, both by name, to outputs."""

Kind = Literal["layer", "loss", "answer", "function"]
"""What a step is of: a layer, a loss, a loss's answer y alone, or a function or autograd Function."""


class Failure(NamedTuple):
    """What somebody's code did instead of giving a tensor, as a code for programs and in words for readers."""

    code: str
    text: str


@dataclass(frozen=True)
class Value:
    """What one handwritten formula gave: a tensor, or the failure."""

    tensor: Tensor | None
    method: Callable[..., object] | None
    failure: Failure | None = None

    @property
    def source(self) -> str:
        """Return file and line of the method."""
        return source_of(self.method)


Marks = Callable[["Step", Mapping[str, Value]], dict[str, Failure]]
"""What else is wrong about the values of a step, by name."""


class Made(NamedTuple):
    """One tensor that a step makes."""

    name: str
    """In reports: net^1, δ^2, ∂L/∂W^3."""
    makes: str
    """Which formula of the owner it is: forward, error (of its input), output, or a parameter's or input's name."""
    sign: int = 1
    """−1 for an error, −∂L/∂input; +1 for a gradient, +∂L/∂input."""


@dataclass(frozen=True)
class Step:
    """A differentiable step by hand and by its reference, and the numbers at which the two are compared."""

    owner: object
    kind: Kind
    inputs: Tensors
    """x first, then the parameters."""
    fixed: Tensors
    """What is not differentiated: for a loss its target t and the right answer y."""
    errors: Outputs
    """The errors of the outputs, −∂L/∂y; −1 for a loss, whose output is L."""
    outputs: tuple[Made, ...]
    gradients: dict[str, Made]
    """By input."""
    forward: Forward
    """The handwritten one."""
    reference: Forward
    compute: Callable[[Step, bool], dict[str, Value]]
    """Calls every handwritten formula, each fed with the reference's inputs; with True, backward also reads the
    reference's y where forward saved its own. By the name of what is made."""
    marks: Marks | None = None
    """Says what is wrong about values that are right here."""
    tolerance: Tolerance | None = None
    layer: int | None = None
    """The lecture's index of the layer; None for a loss, or outside a network."""
    further: tuple[Outputs, ...] = ()
    """More errors of the outputs, with which the formulas are tried once more."""
    buffers: tuple[str, ...] = ()
    """Inputs that the reference updates in place, as running statistics; the handwritten code may, too."""
    not_compared: tuple[tuple[str, str], ...] = ()
    """What is not looked at, by name, each with the reason."""
    again: bool = False
    """Whether it is looked at a second time, with other errors."""
    unused: frozenset[int] = frozenset()
    """Outputs that nothing is made of: their errors are 0, and autograd hands on nothing."""
    remarks: tuple[str, ...] = ()
    """What a reader should know besides, in sentences."""

    @property
    def makes(self) -> tuple[Made, ...]:
        """Return everything that the step makes: its outputs, then its gradients."""
        return (*self.outputs, *self.gradients.values())

    def input_of(self, made: Made) -> str | None:
        """Return the input whose error or gradient this is; None for an output."""
        return next((name for name, other in self.gradients.items() if other is made), None)

    @cached_property
    def witnesses(self) -> dict[str, Witness]:
        """Return everything that the step makes by the reference, by name."""
        return witnesses(self.by_reference, self.given, self.fixed, again=self.again)

    @cached_property
    def is_large(self) -> bool:
        """Tell whether its tensors are so large that less has to do."""
        return are_large(*self.given.values(), *(witness.value for witness in self.witnesses.values()))

    @cached_property
    def in_float64(self) -> Step:
        """Return the same step at the same numbers in float64, lying in memory as they do, the formulas too."""

        def wider(t: Tensor) -> Tensor:
            return laid_out_like(t, doubled_tensor(t)) if can_flow(t) else t

        inputs, fixed = ({name: wider(t) for name, t in given.items()} for given in (self.inputs, self.fixed))
        return replace(self, inputs=inputs, fixed=fixed, errors=tuple(map(wider, self.errors)))

    def at(self, errors: Outputs) -> Step:
        """Return the same step with other errors of the outputs."""
        return replace(self, errors=errors, further=(), again=True, marks=None)

    @cached_property
    def others(self) -> tuple[Step, ...]:
        """Return the same step with each of the further errors; with its own once more where there are none."""
        return tuple(self.at(errors) for errors in self.further or (self.errors,))

    @property
    def smaller(self) -> tuple[Step, ...]:
        """Return the same step with each of the further errors, half as large as its own at most."""
        own = _largest(self.errors)
        pairs = [(errors, _largest(errors)) for errors in self.further]
        factors = [2.0 ** math.floor(math.log2(own / most / 2)) if own and most else 1.0 for _, most in pairs]
        return tuple(self.at(lesser(errors, by)) for (errors, _), by in zip(pairs, factors, strict=True))

    @property
    def elsewhere(self) -> Step:
        """Return the same step at other inputs of the same shapes: those given with their rows in reverse order.

        Square matrices stay as they are: they may have to be symmetric, triangular or positive definite. So do the
        parameters of a layer, which its reference has, too.
        """
        moved = [next(iter(self.inputs))] if self.kind == "layer" else [*self.inputs]
        others = {name: reversed_rows(t) if name in moved else t for name, t in self.inputs.items()}
        return replace(self.at(self.errors), inputs=others)

    @property
    def given(self) -> Tensors:
        """Return inputs and errors by name, as the reference takes them."""
        return self.inputs | {f"error of output {i}": e for i, e in enumerate(self.errors)}

    def by_reference(self, given: Tensors, fixed: Tensors) -> Tensors:
        """Return what the reference makes of inputs, errors and fixed tensors, by name; buffers are put back."""
        found, d_inputs = self._differentiated(given, fixed)
        for name, made in self.gradients.items():
            d = d_inputs[name]
            found[made.name] = torch.zeros_like(given[name]) if d is None else d if made.sign > 0 else -d
        return found

    def _differentiated(self, given: Tensors, fixed: Tensors) -> tuple[Tensors, dict[str, Tensor | None]]:
        """Return the reference's outputs by name, and its gradients by input: None where no output depends on it."""
        given = given | {name: given[name].clone() for name in self.buffers}
        with as_it_was(), torch.inference_mode(mode=False), torch.enable_grad():
            leaves = {name: plain(given[name]).requires_grad_(name in self.gradients) for name in self.inputs}
            outputs = self.reference(leaves, {name: plain(t).clone() for name, t in fixed.items()})
            found = {made.name: y.detach() for made, y in zip(self.outputs, outputs, strict=True)}
            errors = [plain(given[f"error of output {i}"]) for i in range(len(outputs))]
            return found, gradients_of(
                outputs, {name: leaves[name] for name in self.gradients}, [*map(negative, errors)]
            )

    @cached_property
    def unconnected(self) -> frozenset[str]:
        """Return the inputs of which the gradient is 0 at any numbers: for autograd, no output depends on them."""
        d_inputs = self._differentiated(self.given, self.fixed)[1]
        return frozenset(name for name, d in d_inputs.items() if d is None)

    def with_history(self) -> tuple[Outputs, Outputs, Tensors]:
        """Return the outputs of the reference with their history, their gradients, and the leaves that they are of."""
        given = self.given | {name: self.given[name].clone() for name in self.buffers}
        with as_it_was(), torch.inference_mode(mode=False), torch.enable_grad():
            leaves = {name: plain(given[name]).requires_grad_(name in self.gradients) for name in self.inputs}
            outputs = self.reference(leaves, {name: plain(t).clone() for name, t in self.fixed.items()})
            used = [(y, negative(plain(e))) for y, e in zip(outputs, self.errors, strict=True) if y.requires_grad]
        return tuple(y for y, _ in used), tuple(d for _, d in used), {n: leaves[n] for n in self.gradients}

    def check_repeatable(self) -> None:
        """Raise ValueError where the reference gives other outputs at another call, as with dropout."""
        again = self.others[0].witnesses
        if not all(same(again[made.name].value, self.witnesses[made.name].value) for made in self.outputs):
            raise ValueError(
                "a check expects a reference that gives the same numbers at every call, got others at the second: it "
                "keeps something between its calls, or draws from a random generator of its own"
            )

    def compared(self, name: str, value: Value) -> Comparison:
        """Compare what came out for one name with its witness."""
        witness, failure = self.witnesses[name], value.failure
        if value.tensor is None:
            remark = failure.text if failure else ""
            return Comparison("wrong", float("inf"), None, float("inf"), 0.0, None, None, None, remark)
        tolerance = (self.tolerance or {}).get(witness.value.dtype)
        compared = compare(value.tensor, witness, tolerance, masked=self.kind == "function")
        return replace(compared, status="wrong", remark=failure.text) if failure else compared


def can_flow(t: Tensor) -> bool:
    """Tell whether a tensor can have a gradient: it is no number to count with."""
    return t.is_floating_point() or t.is_complex()


def lesser(errors: Outputs, factor: float) -> Outputs:
    """Return errors times a power of two; what cannot flow as it is."""
    return tuple(e * factor if can_flow(e) else e for e in errors)


def _largest(errors: Outputs) -> float:
    return max((float(e.abs().max()) for e in errors if can_flow(e) and e.numel()), default=0.0)


def negative(e: Tensor) -> Tensor:
    """Return the gradient that an error stands for; what cannot flow as it is."""
    return -e if can_flow(e) else e


def reversed_rows(t: Tensor) -> Tensor:
    """Return a tensor with its rows in reverse order; a square matrix, which may have to be symmetric, as it is."""
    is_square = t.ndim > 1 and t.shape[-1] == t.shape[-2]
    return t if is_square or not t.ndim else t.flip(0)


def laid_out_like(t: Tensor, values: Tensor) -> Tensor:
    """Return values with the strides of t: with its gaps, and one number for many where it has one.

    Where the rows of t overlap in memory, as sliding windows do, they are returned as they are.
    """
    if values.stride() == t.stride() or _overlaps(t):
        return values
    once = values[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in t.stride())]
    strides = [stride or 1 for stride in t.stride()]
    reach = 1 + sum(stride * (size - 1) for stride, size in zip(strides, once.shape, strict=True))
    laid = values.new_zeros(reach if once.numel() else 0).as_strided(once.shape, strides)
    return laid.copy_(once).expand(t.shape)


def _overlaps(t: Tensor) -> bool:
    """Tell whether one place in memory is read for several entries, but for dimensions that are expanded."""
    end = 1
    for stride, size in sorted((stride, size) for stride, size in zip(t.stride(), t.shape, strict=True) if stride):
        if size > 1 and stride < end:
            return True
        end = max(end, stride * size)
    return False


def gradients_of(
    outputs: Sequence[Tensor], wanted: Tensors, d_outputs: Sequence[Tensor], *, again: bool = False
) -> dict[str, Tensor | None]:
    """Return the gradient of each wanted leaf by autograd; None where no output that has a history reaches it.

    With ``again`` they have a history themselves.
    """
    reached = [(y, d) for y, d in zip(outputs, d_outputs, strict=True) if y.requires_grad]
    if not reached or not wanted:
        return dict.fromkeys(wanted)
    ys, d_ys = zip(*reached, strict=True)
    found = torch.autograd.grad(ys, [*wanted.values()], d_ys, create_graph=again, allow_unused=True)
    return dict(zip(wanted, found, strict=True))


def source_of(function: Callable[..., object] | None) -> str:
    """Return 'file.py:12', where the function or method is defined: relative to the working directory if below it."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    if code is None:
        return ""
    path = Path(code.co_filename)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown}:{code.co_firstlineno}"


def plain(tensor: Tensor) -> Tensor:
    """Return the tensor without its history, with its strides; a copy where autograd could not save it."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def same(a: Tensor, b: Tensor) -> bool:
    """Tell whether two tensors hold the same numbers; NaN counts as a number here."""
    return torch.equal(a, b) or (a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all()))


def sequence(values: Tensor | Sequence[Tensor]) -> Outputs:
    """Return outputs as a tuple, whether there is one or several."""
    return (values,) if isinstance(values, Tensor) else tuple(values)
