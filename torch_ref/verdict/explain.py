"""The likely cause of a wrong formula: what its code did instead, or what is known to give the numbers seen."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from manual_bp import one_hot
from torch_ref.causes.search import Causes, Reference
from torch_ref.causes.sweep import Sweep
from torch_ref.known import Cause, Scene
from torch_ref.known.likely import likely_cause
from torch_ref.numbers.agreement import relative_difference
from torch_ref.numbers.half import HALF
from torch_ref.numbers.witness import Tensors, doubled_tensor
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.meant import meant_otherwise
from torch_ref.steps.step import Failure, Made, Step
from torch_ref.verdict.blame import not_constant

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How near, of the norm, a known mistake must come to the numbers seen; and at least 30 times the rounding."""

FINE = 1e-6
"""The same where the formula by hand runs in float64; it may still compute some of it in float32."""

LOST = "in float64 the formula is right: its sums lose too many digits in {}"

RATIOS = range(1, 101)
"""What a factor is multiplied with to make a whole number."""

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
    inside = _in_float64(seen, made)
    if by_hand.dtype in HALF and inside is not None and _is_right(seen, made, inside):
        dtype = str(by_hand.dtype).removeprefix("torch.")
        return Cause("half-precision-sum", LOST.format(dtype), {"dtype": dtype})
    if (cause := _exchanged(seen, made, by_hand)) is not None:
        return cause
    scene = _scene(seen, made, by_hand)
    if by_hand.dtype in HALF and inside is not None:  # the mistake alone, without the rounding that hides it
        scene = replace(scene, by_hand=inside, tolerance=FINE)
    cause = likely_cause(scene, Causes(lambda: _looked_for(seen, made, scene), _Again(seen, made)))
    if made in seen.step.outputs and _is_another_loss(seen):
        return replace(cause, text=f"{cause.text}; it is not the function whose gradient is returned")
    if made not in seen.step.outputs and (why := not_constant(seen, made)):
        known = "" if cause.code == "no-pattern" else f"{cause.text}; "
        return replace(cause, text=f"{known}it is the derivative of forward, but {why}")
    return cause


def _exchanged(seen: Evidence, made: Made, by_hand: Tensor) -> Cause | None:
    """Return that two gradients stand in each other's place, where each has just the numbers of the other."""
    own = seen.step.witnesses[made.name].value
    if made in seen.step.outputs or _is_just(-by_hand, own):  # as of y − t: a wrong sign of both is plainer
        return None
    for name, other in seen.step.gradients.items():
        value, right = seen.values[other.name].tensor, seen.step.witnesses[other.name].value
        if value is None or seen.comparisons[other.name].ok or seen.comparisons[made.name].ok or other is made:
            continue
        if _is_just(made.sign * by_hand, other.sign * right) and _is_just(other.sign * value, made.sign * own):
            text = f"it is the gradient of {name}, whose own is that of {seen.step.input_of(made)}: they are exchanged"
            return Cause("another-gradient", text, {"of": name})
    return None


def _is_just(value: Tensor, right: Tensor) -> bool:
    return value.shape == right.shape and relative_difference(value, right) <= TOLERANCE.get(right.dtype, 1e-2)


def _in_float64(seen: Evidence, made: Made) -> Tensor | None:
    """Return what the very formula gives where it computes in float64; None where it cannot."""
    inside = seen.second_look.by_hand_in_float64.get(made.name) if seen.second_look else None
    shape = seen.step.witnesses[made.name].exact.shape
    return inside if inside is not None and inside.dtype == torch.float64 and inside.shape == shape else None


def _is_right(seen: Evidence, made: Made, inside: Tensor) -> bool:
    exact = seen.step.witnesses[made.name].exact
    return bool(exact.any()) and relative_difference(inside, exact) <= FINE


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

    inside = _in_float64(seen, made)
    if inside is not None and inside.shape == scene.by_hand.shape:
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
        history.program.found,
        share=1 / max(sum(not found.ok for found in seen.comparisons.values()), 1),
        slope=slope,
        is_run_again=history.program.is_complete,
    )
    return reference, replace(scene, by_hand=sign * scene.by_hand, right=sign * scene.right)


class _Again:
    """Looks in the reference run again; once for all gradients of a step that are wrong."""

    sweeps: ClassVar[WeakKeyDictionary[Evidence, Sweep | None]] = WeakKeyDictionary()

    def __init__(self, seen: Evidence, made: Made) -> None:
        self.seen, self.made = seen, made

    def __call__(self) -> Cause | None:
        name = self.seen.step.input_of(self.made)
        if self.seen not in self.sweeps:
            self.sweeps[self.seen] = _sweep_of(self.seen)
        sweep = self.sweeps[self.seen]
        return sweep.cause(name) if sweep and name is not None and name in sweep.scenes else None


def _sweep_of(seen: Evidence) -> Sweep | None:
    """Return the search in the reference run again; None where there is no history."""
    history, scenes, others = seen.history, dict[str, Scene](), dict[str, Tensor]()
    for name, made in seen.step.gradients.items():
        by_hand, witness = seen.values[made.name].tensor, seen.step.witnesses[made.name]
        if seen.comparisons[made.name].ok:
            others[name] = made.sign * real(witness.exact)
            continue
        if by_hand is None or misfit(by_hand, witness.value, ""):
            continue
        found = _looked_for(seen, made, _scene(seen, made, by_hand))
        if found is not None and not _is_multiple(found[1]):
            scenes[name] = found[1]
    if history is None or not scenes:
        return None
    return Sweep(history.program, history.outputs, history.upstream, history.leaves, scenes, others)


def _is_multiple(scene: Scene) -> bool:
    """Tell whether the gradient seen is a plain multiple of the right one: that says more than any place.

    A factor that is no ratio of small numbers is a value of the function, and belongs to an operation.
    """
    square = float((scene.right * scene.right).sum())
    share = float((scene.by_hand * scene.right).sum()) / square if square else 0.0
    ratios = (abs(f * q - round(f * q)) < 1e-6 * abs(f) for f in (share, 1 / (share or 1)) for q in RATIOS)
    return scene.fits(share * scene.right) and any(ratios)


def misfit(by_hand: Tensor, right: Tensor, remark: str) -> Cause | None:
    """Return why a tensor cannot be compared with what is right: another shape, dtype or device, or not finite."""
    if by_hand.shape != right.shape:
        if _is_summed(by_hand, right):
            return Cause("broadcast-not-summed", f"it is {remark}: summed over what was broadcast it is right")
        return Cause("wrong-shape", f"it is {remark}")
    if by_hand.dtype != right.dtype:
        return Cause("wrong-dtype", f"it is {remark}")
    if by_hand.device != right.device:
        return Cause("wrong-device", f"it is {remark}")
    if not torch.isfinite(by_hand).all():
        return Cause("not-finite", f"{'NaN' if by_hand.isnan().any() else 'inf'} appears here first")
    return None


def _is_summed(by_hand: Tensor, right: Tensor) -> bool:
    """Tell whether a gradient of another shape is right but for the sum over what was broadcast."""
    if by_hand.dtype != right.dtype or by_hand.device != right.device or by_hand.numel() <= right.numel():
        return False
    try:
        found = doubled_tensor(by_hand).sum_to_size(right.shape)
    except RuntimeError:  # of a shape that was not broadcast
        return False
    exact = doubled_tensor(right)
    return bool(exact.any()) and relative_difference(found, exact) <= max(TOLERANCE.get(right.dtype, 1e-2), 1e-6)


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
        is_batch=step.kind != "function",
        outputs=len(step.outputs),
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
