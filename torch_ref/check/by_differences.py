"""The check of functions that autograd cannot follow: every gradient beside central differences, entry by entry.

One upstream gradient is tried, and nothing is said of the power.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.check.given import Given
from torch_ref.followed.differences import MOST, Differences, differences
from torch_ref.numbers.agreement import Comparison, Tolerance
from torch_ref.numbers.differences import SURE
from torch_ref.numbers.witness import doubled
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.calling import attempt
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.function import Compute, function_step
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import Made, Outputs, Step, Value, can_flow, plain, sequence
from torch_ref.steps.upstream import drawn
from torch_ref.verdict.judge import rows_of
from torch_ref.verdict.report import Report

Function = Callable[..., Any]

CANNOT_TELL = "central differences are too uncertain here: a kink, a jump or too few digits"

UNSURE = 0.01
"""Of the norm: differences that may be off by more decide nothing."""

ZERO = 1e-3
"""Of the doubt: a gradient that is smaller is 0."""

ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.1}
"""How far a gradient of this dtype may be off by itself, of the norm of its entries' mean square."""


def report_by_differences(
    forward: Function,
    compared: Function,
    compute: Compute,
    arguments: Arguments,
    why: str,
    *,
    upstream: Outputs | None = None,
    tolerance: Tolerance | None = None,
) -> Report:
    """Return the report of a pair of functions of tensors beside central differences of ``compared``.

    They are taken in float64 where the functions compute in it.
    """
    dtype = next(t.dtype for t in arguments.tensors.values() if can_flow(t))
    arguments = _in_float64(compared, arguments)
    outputs = _called(compared, arguments)
    d_outputs = [-e for e in drawn([plain(y).requires_grad_(can_flow(y)) for y in outputs])]
    if upstream is not None:
        d_outputs = [plain(d).to(y.dtype) for d, y in zip(upstream, outputs, strict=True)]
    found = _differences(compared, arguments, outputs, d_outputs)
    step = _step(forward, compared, compute, arguments, d_outputs, tolerance, found, {})
    by_hand = {name: step.compute(step, True)[made.name].tensor for name, made in step.gradients.items()}
    step = _step(forward, compared, compute, arguments, d_outputs, tolerance, found, by_hand)
    seen = Beside(step, {made.name: found[name] for name, made in step.gradients.items()})
    unsure = [made.name for made in step.gradients.values() if seen.is_unsure(made)]
    rows = [row for name, row in rows_of(seen).items() if name not in unsure]
    gradients = {made.name for made in step.gradients.values()}
    rows = [replace(row, differences=row.isolated.relative) if row.quantity in gradients else row for row in rows]
    x = next(iter(step.inputs.values()))
    return Report(
        tuple(rows) if any(row.quantity in gradients for row in rows) else (),
        len(x) if x.ndim else 1,
        dtype,
        x.device,
        remarks=(_remark(why, found),),
        not_compared=(*step.not_compared, *((name, CANNOT_TELL) for name in unsure)),
    )


def _remark(why: str, found: dict[str, Differences]) -> str:
    some = "" if all(d.is_whole for d in found.values()) else f", of {MOST} entries drawn from each larger array"
    return f"Autograd cannot follow forward: {why}. The gradients are compared with its central differences{some}"


def _in_float64(forward: Function, arguments: Arguments) -> Arguments:
    """Return the arguments in float64; as they are where a function does not compute in it."""
    wider = arguments.having(doubled({name: plain(t) for name, t in arguments.tensors.items()}))
    outputs = attempt(lambda: sequence(wider.call(forward)))
    is_wider = outputs and all(not can_flow(y) or y.dtype == torch.float64 for y in outputs)
    return wider if is_wider else arguments


def _called(forward: Function, arguments: Arguments) -> Outputs:
    """Return the outputs at copies of the arguments, at the same random numbers at every call."""
    copies = {name: plain(t).clone() for name, t in arguments.tensors.items()}
    with as_it_was(), torch.no_grad():
        return sequence(arguments.having(copies).call(forward))


def _differences(
    forward: Function, arguments: Arguments, here: Outputs, d_outputs: list[Tensor]
) -> dict[str, Differences]:
    """Return the derivatives of Σ d · (outputs − outputs here) by the entries of every input."""
    copies = {name: plain(t).clone() for name, t in arguments.tensors.items()}
    moved = arguments.having(copies)
    pairs = [(y.double(), d.double()) for y, d in zip(here, d_outputs, strict=True) if can_flow(y)]

    def loss() -> float:
        outputs = [y.double() for y in _called(forward, moved) if can_flow(y)]
        return sum(float((d * (y - y0)).sum()) for y, (y0, d) in zip(outputs, pairs, strict=True))

    return {name: differences(loss, t.numpy()) for name, t in copies.items() if can_flow(t)}


def _step(
    forward: Function,
    compared: Function,
    compute: Compute,
    arguments: Arguments,
    d_outputs: list[Tensor],
    tolerance: Tolerance | None,
    found: dict[str, Differences],
    by_hand: dict[str, Tensor | None],
) -> Step:
    tensors = arguments.tensors
    gradients = {name: _filled(d, tensors[name], by_hand.get(name)) for name, d in found.items()}
    reference = Given(compared, gradients, arguments)
    return function_step(forward, reference, arguments, compute, tolerance, upstream=tuple(d_outputs))


def _filled(found: Differences, like: Tensor, by_hand: Tensor | None) -> Tensor:
    """Return a whole gradient: where there are no differences, what was made by hand, less a factor that it has."""
    whole = torch.zeros(like.numel(), dtype=like.dtype)
    places, values = torch.from_numpy(found.indices), torch.from_numpy(np.nan_to_num(found.values)).to(like.dtype)
    if by_hand is not None and by_hand.shape == like.shape:
        flat = by_hand.to(like.dtype).reshape(-1)
        at_places = flat[places]
        factor = float(at_places @ values) / (float(values @ values) or 1.0) or 1.0
        is_factor = bool(((at_places - factor * values).abs() <= 1e-4 * at_places.abs().max()).all())
        whole = flat / (factor if is_factor else 1.0)
    whole[places] = values
    return whole.reshape(like.shape)


class Beside(Evidence):
    """The handwritten formulas beside differences that may each be off."""

    def __init__(self, step: Step, found: dict[str, Differences]) -> None:
        """Take the step, and the differences by the names of the gradients."""
        super().__init__(step)
        self.found = found

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Return how every value compares, each entry with its own uncertainty."""
        return {made.name: self._beside(made, self.values[made.name]) for made in self.step.makes}

    def is_unsure(self, made: Made) -> bool:
        """Tell whether the differences cannot tell that a gradient is right.

        Where they are no larger than their doubt, the gradient is right only if it is 0 but for rounding.
        """
        found, known, value = self.found[made.name], _known(self.found[made.name]), self.values[made.name].tensor
        if not known.any() or value is None:
            return not known.any()
        size, doubt = (float(np.linalg.norm(numbers[known])) for numbers in (found.values, found.uncertainties))
        is_zero = float(value.double().norm()) <= ZERO * doubt <= ZERO * SURE * self._scale(made)
        return self.comparisons[made.name].ok and doubt > UNSURE * size and not is_zero

    def _scale(self, made: Made) -> float:
        """Return how large a gradient by this input is whose relative changes the outputs follow."""
        x = self.step.inputs[self.step.input_of(made) or ""].double()
        terms = (
            e.double() * self.step.witnesses[y.name].value
            for e, y in zip(self.step.errors, self.step.outputs, strict=True)
        )
        return sum(float(t.abs().sum()) for t in terms) / (float(x.square().mean().sqrt()) or 1.0)

    def _beside(self, made: Made, value: Value) -> Comparison:
        found, right = self.found.get(made.name), self.step.witnesses[made.name].value
        tensor = value.tensor
        if found is None or value.failure or tensor is None or tensor.shape != right.shape:
            return self.step.compared(made.name, value)
        known = _known(found)
        places, values = found.indices[known], found.values[known]
        by_hand = tensor.double().reshape(-1).numpy()[places]
        size = float(np.sqrt(np.mean(values**2))) if len(values) else 0.0
        allowed = 3 * found.uncertainties[known] + ROUNDING[tensor.dtype] * size
        apart = np.abs(by_hand - values)
        off = ~(apart <= allowed)
        return _comparison(apart, allowed, off, values, by_hand, places, tuple(tensor.shape), int((~known).sum()))


def _known(found: Differences) -> Any:
    """Return which differences tell something: sure of two digits, or no less sure than the others."""
    unsure = found.uncertainties
    finite = np.isfinite(unsure)
    if not finite.any():
        return finite
    size, usual = np.median(np.abs(found.values[finite])), np.median(unsure[finite])
    return finite & (unsure <= np.maximum(UNSURE * np.maximum(np.abs(found.values), size), 10 * usual))


def _comparison(
    apart: Any, allowed: Any, off: Any, values: Any, by_hand: Any, places: Any, shape: tuple[int, ...], skipped: int
) -> Comparison:
    norm = float(np.linalg.norm(values)) or 1.0
    relative, bound = float(np.linalg.norm(apart)) / norm, float(np.linalg.norm(allowed)) / norm
    worst = int(np.argmax(np.where(np.isnan(apart), np.inf, apart - allowed))) if len(apart) else None
    place = None if worst is None else tuple(int(i) for i in np.unravel_index(places[worst], shape))
    return Comparison(
        "wrong" if off.any() else "rounding",
        float(apart.max()) if len(apart) else 0.0,
        None,
        relative,
        bound,
        place,
        None if worst is None else float(by_hand[worst]),
        None if worst is None else float(values[worst]),
        f"off by {relative:.1e} of the norm of the differences" if off.any() else "",
        "" if off.any() else "rounding",
        int(off.sum()),
        len(apart),
        skipped,
    )
