"""The likely cause of a wrong formula: what its code did instead, or what is known to give the numbers seen."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from manual_bp import one_hot
from torch_ref.causes.search import Causes, Reference
from torch_ref.known import Cause, Scene
from torch_ref.known.likely import likely_cause
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.meant import meant_otherwise
from torch_ref.steps.step import Failure, Made, Step

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How near, of the norm, a known mistake must come to the numbers seen; and at least 30 times the rounding."""

FINE = 1e-8
"""The same where the formula by hand runs in float64."""

PASSED_ON = (
    "the reference gives no gradient, since {} (if it is meant to pass, as in a straight-through estimator: "
    "differences=False)"
)


def cause_of(seen: Evidence, made: Made) -> Cause:
    """Return the likely cause of one formula that is wrong."""
    value, right = seen.values[made.name], seen.step.witnesses[made.name].value
    by_hand, remark = value.tensor, seen.comparisons[made.name].remark
    if by_hand is None or value.failure:
        return of_failure(value.failure or Failure("wrong-return", remark))
    if (cause := misfit(by_hand, right, remark)) is not None:
        return cause
    if not right.any() and (why := meant_otherwise(seen.step)):
        return Cause("not-the-derivative", PASSED_ON.format(why))
    if seen.second_look and torch.equal(by_hand, right):  # what is wrong about it shows in float64 alone
        by_hand = seen.second_look.by_hand_in_float64.get(made.name, by_hand)
    scene = _scene(seen, made, by_hand)
    cause = likely_cause(scene, Causes(lambda: _looked_for(seen, made, scene)))
    if made in seen.step.outputs and _is_another_loss(seen):
        return replace(cause, text=f"{cause.text}; it is not the function whose gradient is returned")
    return cause


def _looked_for(seen: Evidence, made: Made, scene: Scene) -> tuple[Reference, Scene] | None:
    """Return in what a cause is looked for, and the numbers that it has to give; None where there is nothing."""
    name, history, sign = seen.step.input_of(made), seen.history, made.sign
    if name is None or history is None or scene.by_hand.shape != scene.right.shape:
        return None
    step = seen.step.in_float64

    def slope(x: Tensor) -> Tensor | None:
        given = {key: x if key == name else t for key, t in step.inputs.items()}
        try:
            (y, *_), _, leaves = replace(step, inputs=given).with_history()
            return torch.autograd.grad(y.sum(), leaves[name])[0]
        except Exception:  # of a function that is not defined there
            return None

    inside = seen.second_look.by_hand_in_float64.get(made.name) if seen.second_look else None
    if inside is not None and inside.shape == scene.by_hand.shape and inside.dtype == torch.float64:
        scene = replace(scene, by_hand=inside, tolerance=FINE)
    others = {
        key: other.sign * real(seen.step.witnesses[other.name].exact)
        for key, other in seen.step.gradients.items()
        if key != name and not history.leaves[key].is_complex()
    }
    reference = Reference(
        history.outputs,
        history.upstream,
        history.leaves[name],
        others,
        [*history.leaves.values()],
        history.values,
        share=1 / max(sum(not found.ok for found in seen.comparisons.values()), 1),
        slope=slope,
    )
    return reference, replace(scene, by_hand=sign * scene.by_hand, right=sign * scene.right)


def misfit(by_hand: Tensor, right: Tensor, remark: str) -> Cause | None:
    """Return why a tensor cannot be compared with what is right: another shape, dtype or device, or not finite."""
    if by_hand.shape != right.shape:
        return Cause("wrong-shape", f"it is {remark}")
    if by_hand.dtype != right.dtype:
        return Cause("wrong-dtype", f"it is {remark}")
    if by_hand.device != right.device:
        return Cause("wrong-device", f"it is {remark}")
    if not torch.isfinite(by_hand).all():
        return Cause("not-finite", f"{'NaN' if by_hand.isnan().any() else 'inf'} appears here first")
    return None


def of_failure(failure: Failure) -> Cause:
    """Return what somebody's code did instead of giving a tensor, as a cause."""
    return Cause(failure.code, failure.text)


def _is_another_loss(seen: Evidence) -> bool:
    """Tell whether a loss gives a value whose derivative is not the (right) error that it returns."""
    if seen.step.kind != "loss":
        return False
    (error,) = seen.step.gradients.values()
    gradient, slope = seen.gradient(error), seen.slope(error)
    if gradient is None or slope is None or not seen.comparisons[error.name].ok:
        return False
    return slope.agrees(gradient) is False


def _scene(seen: Evidence, made: Made, by_hand: Tensor) -> Scene:
    """Return what the formula saw, in float64, in the terms of what it gives."""
    step = seen.step
    first = next(iter(step.inputs))
    others = {
        key: real(t) for key, t in _given(step).items() if key != first and (t.is_floating_point() or t.is_complex())
    }
    bound = seen.comparisons[made.name].bound
    return Scene(
        owner=step.owner,
        makes=made.makes,
        by_hand=real(by_hand),
        right=real(step.witnesses[made.name].exact),
        x=real(step.inputs[first]),
        y=real(step.witnesses[step.outputs[0].name].exact),
        error=real(step.errors[0]),
        sign=made.sign,
        others=others,
        tolerance=tolerance_of(step.inputs[first].dtype, bound),
    )


def tolerance_of(dtype: torch.dtype, bound: float) -> float:
    """Return how near, of the norm, a known mistake has to come to numbers that may be ``bound`` off by rounding."""
    return max(TOLERANCE.get(dtype, 1e-2), 30 * bound)


def real(t: Tensor) -> Tensor:
    """Return a tensor in float64; a complex one with its real and imaginary parts along a last dimension."""
    return torch.view_as_real(t.resolve_conj()).double() if t.is_complex() else t.double()


def _given(step: Step) -> Tensors:
    """Return what a step was given, the class indices of a loss as the rows that they stand for."""
    given = step.inputs | step.fixed
    if step.kind == "loss" and given["t"].ndim == 1:
        given["t"] = one_hot(given["t"], given["y"].shape[1], like=given["y"])
    return given
