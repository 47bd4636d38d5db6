"""What there is to see of one step, each part computed once: values, comparisons, and slopes by finite differences.

Everything that has a sign is here +∂L/∂input, also where the formula itself gives an error, −∂L/∂input.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from torch_ref.numbers.agreement import Comparison
from torch_ref.numbers.differences import LEAST, MARGIN, Slope, slope
from torch_ref.numbers.witness import Tensors, doubled, doubled_tensor
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.history import History, history_of
from torch_ref.steps.second_look import SecondLook
from torch_ref.steps.step import Failure, Forward, Made, Outputs, Step, Value


class Evidence:
    """The handwritten formulas of a step beside their witnesses."""

    def __init__(self, step: Step, *, second_look: SecondLook | None = None) -> None:
        """Take the step; nothing is computed before somebody asks for it.

        With a ``second_look`` a difference beyond rounding may have a reason.
        """
        self.step, self.second_look = step, second_look
        self._slopes: dict[tuple[str, Made], Slope | None] = {}
        self._here: dict[Forward, Outputs] = {}
        self._marks: dict[str, Failure] | None = None

    def looked_at_twice(self, *, strict: bool) -> Evidence:
        """Return the same values with a second look; what was computed is not computed again."""
        again = Evidence(self.step, second_look=SecondLook(self.step, strict))
        vars(again)["values"] = self.values
        return again

    @cached_property
    def history(self) -> History | None:
        """Return the reference in float64 with its history; None where that cannot be."""
        return history_of(self.step)

    @cached_property
    def values(self) -> dict[str, Value]:
        """Return what every formula gave, each on its own, by name."""
        return self._marked(self.step.compute(self.step, True))

    @cached_property
    def own_values(self) -> dict[str, Value]:
        """Return what every formula gave where backward reads what its own forward saved, right or wrong."""
        return self._marked(self.step.compute(self.step, False))

    def _marked(self, values: dict[str, Value]) -> dict[str, Value]:
        """Return the values with what else is wrong about them."""
        if self.step.marks and self._marks is None:
            self._marks = self.step.marks(self.step, values)
        marks = self._marks or {}
        return {name: replace(v, failure=v.failure or marks.get(name)) for name, v in values.items()}

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Return how every value compares with its witness, by name."""
        return {made.name: self._compared(made, self.values[made.name]) for made in self.step.makes}

    def _compared(self, made: Made, value: Value) -> Comparison:
        found = self.step.compared(made.name, value)
        return self.second_look.again(made, value, found) if self.second_look else found

    @cached_property
    def own_comparisons(self) -> dict[str, Comparison]:
        """Return how every one of the own values compares with its witness, by name."""
        return {made.name: self._compared(made, self.own_values[made.name]) for made in self.step.makes}

    @property
    def forward_is_right(self) -> bool:
        """Tell whether every output agrees."""
        return all(self.comparisons[made.name].ok for made in self.step.outputs)

    # ------------------------------------------------------------------------------ in gradients, +∂L/∂input

    def gradient(self, made: Made) -> Tensor | None:
        """Return the gradient that the handwritten formula stands for; None where it gave no such tensor."""
        return self._as_gradient(made, self.values[made.name].tensor)

    def own_gradient(self, made: Made) -> Tensor | None:
        """Return the same of the own values."""
        return self._as_gradient(made, self.own_values[made.name].tensor)

    def _as_gradient(self, made: Made, tensor: Tensor | None) -> Tensor | None:
        """Return what a formula gave as +∂L/∂input; None where shape or device are not those of the input."""
        right = self.step.witnesses[made.name].value
        fits = tensor is not None and tensor.shape == right.shape and tensor.device == right.device
        return made.sign * tensor if tensor is not None and fits else None

    def right_gradient(self, made: Made) -> Tensor:
        """Return the gradient by the reference, by autograd."""
        return made.sign * self.step.witnesses[made.name].value

    def slope(self, made: Made) -> Slope | None:
        """Return the slope of the handwritten forward formula, to compare ``gradient`` with."""
        return self._slope("by hand", made, self.step.forward, self.gradient(made))

    def own_slope(self, made: Made) -> Slope | None:
        """Return the slope of the handwritten forward formula, to compare ``own_gradient`` with."""
        return self._slope("own", made, self.step.forward, self.own_gradient(made))

    def reference_slope(self, made: Made) -> Slope | None:
        """Return the slope of the reference's own forward formula."""
        return self._slope("reference", made, self.step.reference, self.right_gradient(made))

    def confirmed(self, made: Made, slope: Slope) -> bool:
        """Tell whether a second witness says as the slope does that the gradient is not the forward formula's.

        It is forward-mode differentiation along the same direction; the slope alone has to do where there is none.
        Where the two witnesses do not agree with each other, neither counts.
        """
        gradient, name = self.gradient(made), self.step.input_of(made)
        if gradient is None or name is None:
            return False
        inputs, fixed = self._given_in_float64
        at = inputs[name]
        try:
            with as_it_was(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's own, at its first use: as an error it would be a "no"
                tangents = torch.func.jvp(
                    lambda q: self.step.forward(inputs | {name: q}, fixed), (at,), (slope.direction.to(at.dtype),)
                )[1]
        except Exception:  # of a forward that has no such derivative
            return True
        errors = [doubled_tensor(e) for e in self.step.errors]
        value = -sum(float((e.conj() * t).sum().real) for e, t in zip(errors, tangents, strict=True))
        off = abs(value - slope.along(gradient))
        if abs(value - slope.value) > off / 2:
            return False
        return off > MARGIN * max(slope.uncertainty, LEAST * float(gradient.abs().double().norm()))

    @cached_property
    def _given_in_float64(self) -> tuple[Tensors, Tensors]:
        return doubled(self.step.inputs), doubled(self.step.fixed)

    def _slope(self, whose: str, made: Made, forward: Forward, gradient: Tensor | None) -> Slope | None:
        """Return the slope of Σ d_y · forward in the input of which this is the gradient; None for an output."""
        name = self.step.input_of(made)
        if gradient is None or name is None:
            return None
        if (whose, made) not in self._slopes:
            self._slopes[whose, made] = self._differences(name, forward, gradient)
        return self._slopes[whose, made]

    def _differences(self, name: str, forward: Forward, gradient: Tensor) -> Slope | None:
        """Return the slope in one input, in float64; None where the forward formula cannot compute in it."""
        inputs, fixed = self._given_in_float64
        at: Callable[[Tensor], Outputs] = lambda q: forward(inputs | {name: q}, fixed)  # noqa: E731
        try:
            with as_it_was(), torch.no_grad():
                if forward not in self._here:
                    self._here[forward] = at(inputs[name])
                errors = [-doubled_tensor(e) for e in self.step.errors]
                return slope(at, inputs[name], errors, gradient, self._here[forward])
        except Exception:  # of somebody's forward, which may be for one dtype only: there is no slope in float64
            return None
