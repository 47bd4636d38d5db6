"""One step of a pass on its own: a layer, a loss or a function, fed with the reference's inputs.

In a whole pass one wrong formula spoils everything further down the data flow. Here every formula gets what the
reference computed: x, the parameters, the error of y, and, in what forward saved, the reference's y in place of its
own. What is wrong here is guilty; what is wrong in the whole pass only is a consequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from torch_ref.known.formulas import Quantity, source_of
from torch_ref.numbers.agreement import Comparison, Tolerance, compare
from torch_ref.numbers.differences import Slope, slope
from torch_ref.numbers.witness import Tensors, Witness, doubled, witnesses

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
    by_hand: Callable[[Step, bool], dict[str, Value]]
    """Every formula by the quantity's name, each fed with the reference's inputs; with True backward also reads the
    reference's y, where forward saved its own."""
    tolerance: Tolerance | None = None
    names: tuple[str, ...] = ()
    """Of a function's arguments, in order, those that are no tensors too."""

    @property
    def is_loss(self) -> bool:
        """Tell whether it is the step of a loss, with its target t and the right answer y among what is fixed."""
        return {"t", "y"} <= self.fixed.keys() and list(self.gradients) == ["x"]

    @cached_property
    def witnesses(self) -> dict[str, Witness]:
        """Return every quantity by the reference, by name."""
        with torch.random.fork_rng(devices=[]):
            return witnesses(self._by_reference, self._given, self.fixed)

    @property
    def _given(self) -> Tensors:
        return self.inputs | {f"error of output {i}": e for i, e in enumerate(self.errors)}

    def _by_reference(self, given: Tensors, fixed: Tensors) -> Tensors:
        with torch.inference_mode(mode=False), torch.enable_grad():
            leaves = {name: plain(given[name]).requires_grad_(name in self.gradients) for name in self.inputs}
            outputs = self.reference(leaves, {name: plain(t).clone() for name, t in fixed.items()})
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

    def check_repeatable(self) -> None:
        """Raise where the reference gives other numbers at another call: with dropout, say, nothing can be compared."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch.initial_seed() + 1)  # what draws random numbers draws others
            again = self._by_reference(self._given, self.fixed)
        if not all(same(value, self.witnesses[name].value) for name, value in again.items()):
            raise ValueError(
                "a check expects a reference that gives the same numbers at every call, got another answer"
            )

    @cached_property
    def values(self) -> dict[str, Value]:
        """Return every quantity by hand, each formula on its own, by name."""
        return self.by_hand(self, True)

    @cached_property
    def own_values(self) -> dict[str, Value]:
        """Return every quantity by hand, where backward reads what its own forward saved, right or wrong."""
        return self.by_hand(self, False)

    def comparison(self, name: str) -> Comparison:
        """Compare one quantity by hand with its witness."""
        return self.compared(name, self.values[name])

    def compared(self, name: str, value: Value) -> Comparison:
        """Compare what may have come out for one quantity with its witness."""
        witness = self.witnesses[name]
        if value.tensor is None:
            return Comparison("wrong", float("inf"), None, float("inf"), 0.0, None, None, None, value.failure)
        compared = compare(value.tensor, witness, self._tolerance(witness))
        return replace(compared, status="wrong", remark=value.failure) if value.failure else compared

    def _tolerance(self, witness: Witness) -> float | None:
        return (self.tolerance or {}).get(witness.value.dtype)

    def slope_of(self, forward: Forward, name: str, value: Tensor) -> Slope | None:
        """Return the slope of Σ e · forward in one input; None if forward cannot do float64.

        ``value``, by the formula's own sign, is what it will be compared with.
        """
        inputs, fixed = doubled(self.inputs), doubled(self.fixed)
        try:
            with torch.no_grad():
                at: Callable[[Tensor], Outputs] = lambda q: forward(inputs | {name: q}, fixed)  # noqa: E731
                return slope(at, inputs[name], [e.double() for e in self.errors], -self.signs[name] * value)
        except Exception:  # of somebody's forward, which may be for one dtype only: no witness in float64
            return None


def plain(tensor: Tensor) -> Tensor:
    """Return the tensor without its history, with its strides; a copy where autograd could not save it."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def same(a: Tensor, b: Tensor) -> bool:
    """Tell whether two tensors hold the same numbers; NaN counts as a number here."""
    return torch.equal(a, b) or (a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all()))


def sequence(values: Tensor | Sequence[Tensor]) -> Outputs:
    """Return outputs as a tuple, whether there is one or several."""
    return (values,) if isinstance(values, Tensor) else tuple(values)
