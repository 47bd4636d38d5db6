"""From the numbers of a step to its rows: which formula is wrong, whose it is, and the likely cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from manual_bp import one_hot
from torch_ref.known.causes import Scene, likely_cause
from torch_ref.known.formulas import Quantity
from torch_ref.numbers.agreement import Comparison
from torch_ref.numbers.differences import MARGIN, SURE
from torch_ref.numbers.witness import Tensors, Witness
from torch_ref.steps.step import Step
from torch_ref.verdict.report import Blame, Row

CAUSE_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How near, of the norm, a known mistake must come to the numbers seen; and at least 30 times the rounding."""


def rows_of(step: Step) -> dict[str, Row]:
    """Return the rows of a step by name: its outputs, then its gradients, each judged on its own."""
    compared = {name: step.comparison(name) for name in step.values}
    forward_ok = all(compared[q.name].ok for q in step.outputs)
    rows = {}
    for makes, of in _quantities(step):
        blame: Blame = "" if compared[of.name].ok else _blame(step, makes, of, forward_ok)
        cause = _cause(step, makes, of, compared[of.name]) if blame else ""
        value, witness = step.values[of.name], step.witnesses[of.name]
        method = getattr(value.method, "__name__", "")
        shape = tuple(witness.value.shape)
        source = value.source if blame else ""
        rows[of.name] = Row(of, shape, compared[of.name], None, None, blame, cause, source, method)
    return rows


def _quantities(step: Step) -> list[tuple[str, Quantity]]:
    """Return what the step makes: '' for outputs, the name of the input for gradients."""
    return [*(("", q) for q in step.outputs), *step.gradients.items()]


def _blame(step: Step, makes: str, of: Quantity, forward_ok: bool) -> Blame:
    """Say who is to blame for a formula that differs from the reference's: nobody for a consequence."""
    by_hand, reference = step.values[of.name].tensor, step.witnesses[of.name].value
    if by_hand is None or step.values[of.name].failure or by_hand.shape != reference.shape:
        return "by hand"
    if not bool(torch.isfinite(reference).all()):
        return ""  # nothing to compare with
    if not makes:
        return "by hand"
    if not forward_ok and _follows(step, makes, of):
        return ""
    sign, theirs = step.signs[makes], step.slope_of(step.reference, makes, reference)
    if theirs is not None and theirs.agrees(-sign * by_hand) and theirs.agrees(-sign * reference) is False:
        return "reference"
    return "by hand"


def _follows(step: Step, makes: str, of: Quantity) -> bool:
    """Tell whether a gradient only follows from a wrong forward formula, which saved its own numbers for it.

    With those it is right after all, or it is the derivative of that very forward formula.
    """
    consistent = step.own_values[of.name]
    if consistent.tensor is None or consistent.failure:
        return False
    own = step.slope_of(step.forward, makes, consistent.tensor)
    derived = own is not None and own.agrees(-step.signs[makes] * consistent.tensor)
    return bool(derived) or step.compared(of.name, consistent).ok


def _cause(step: Step, makes: str, of: Quantity, compared: Comparison) -> str:
    value, witness = step.values[of.name], step.witnesses[of.name]
    by_hand = value.tensor
    if value.failure:
        return value.failure
    if by_hand is None or by_hand.shape != witness.value.shape or by_hand.dtype != witness.value.dtype:
        return f"it is {compared.remark}"
    if not torch.isfinite(by_hand).all():
        return f"{'NaN' if by_hand.isnan().any() else 'inf'} appears here first"
    cause = likely_cause(_scene(step, makes, of, by_hand.double(), compared))
    another = not makes and _loss_differs(step)
    return f"{cause}; it is not the function whose gradient is returned" if another else cause


def _loss_differs(step: Step) -> bool:
    """Tell whether a loss gives a value whose derivative is not the (right) error that it returns."""
    if not step.is_loss or not step.comparison(step.gradients["x"].name).ok:
        return False
    error = step.values[step.gradients["x"].name].tensor
    own = None if error is None else step.slope_of(step.forward, "x", error)
    return own is not None and error is not None and own.agrees(error) is False


def _scene(step: Step, makes: str, of: Quantity, by_hand: Tensor, compared: Comparison) -> Scene:
    """Return what the formula saw, in float64."""
    first = next(iter(step.inputs))
    others = {key: t.double() for key, t in _given(step).items() if key != first and t.is_floating_point()}
    kind = {"": "output" if step.outputs[0].name == "y" and not step.gradients else "forward", first: "error"}
    tolerance = max(CAUSE_TOLERANCE.get(step.inputs[first].dtype, 1e-2), 30 * compared.bound)
    return Scene(
        owner=step.owner,
        makes=kind.get(makes, makes),
        by_hand=by_hand,
        right=step.witnesses[of.name].exact,
        x=step.inputs[first].double(),
        y=step.witnesses[step.outputs[0].name if makes else of.name].exact,
        error=step.errors[0].double(),
        others=others,
        tolerance=tolerance,
    )


def _given(step: Step) -> Tensors:
    """Return what a step was given, the class indices of a loss as the rows that they stand for."""
    given = step.inputs | step.fixed
    if step.is_loss and given["t"].ndim == 1:
        given["t"] = one_hot(given["t"], given["y"].shape[1], like=given["y"])
    return given


def rows_with_slopes(step: Step) -> list[Row]:
    """Return the rows of a step that stands alone, its gradients beside the slopes of its own forward formula."""
    rows = rows_of(step)
    for makes, of in step.gradients.items():
        by_hand = step.values[of.name].tensor
        own = None if by_hand is None else step.slope_of(step.forward, makes, by_hand)
        if own is not None and by_hand is not None and by_hand.shape == own.direction.shape:
            rows[of.name] = replace(rows[of.name], differences=own.share(-step.signs[makes] * by_hand))
    return third_opinion(list(rows.values()), dict.fromkeys(rows, step), step.witnesses)


def third_opinion(rows: list[Row], step_of: Mapping[str, Step], found: Mapping[str, Witness]) -> list[Row]:
    """Blame both sides for a formula on which they agree with each other, but not with the finite differences.

    Those of the whole loss raise the suspicion; those of the formula alone, which a deep network cannot blur, decide.
    """
    if any(row.status == "wrong" for row in rows):
        return rows
    suspected = {row.quantity for row in rows if _is_suspected(row, found[row.quantity])}
    blamed = {row.quantity for row in rows if row.quantity in suspected and _differs(step_of[row.quantity], row.of)}
    if blamed:
        cause = (
            "the derivative of the forward formula, by finite differences, is another (if that is meant, as in a "
            "straight-through estimator: differences=False)"
        )
        return [replace(row, blame="both", cause=cause) if row.quantity in blamed else row for row in rows]
    return [replace(row, differences=None) if row.quantity in suspected else row for row in rows]


def _is_suspected(row: Row, witness: Witness) -> bool:
    """Tell whether the slope is farther off than it can be, and than arithmetic is here."""
    off = row.differences
    return off is not None and off > MARGIN * SURE and off > MARGIN * witness.bound()


def _differs(step: Step, of: Quantity) -> bool:
    """Tell whether a gradient by hand surely is not the derivative of the handwritten forward formula."""
    makes = next(name for name, q in step.gradients.items() if q == of)
    by_hand = step.values[of.name].tensor
    own = None if by_hand is None else step.slope_of(step.forward, makes, by_hand)
    return own is not None and by_hand is not None and own.agrees(-step.signs[makes] * by_hand) is False
