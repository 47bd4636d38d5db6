"""From what there is to see of a step to its rows: which formula is wrong, whose it is, and the likely cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch_ref.known import Cause, formula_of
from torch_ref.numbers.differences import MARGIN, SURE
from torch_ref.numbers.witness import Witness
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.step import Made, Step
from torch_ref.verdict.blame import case_of
from torch_ref.verdict.explain import cause_of
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Quantity, Row


def rows_of(seen: Evidence) -> dict[str, Row]:
    """Return the rows of a step by name: its outputs, then its gradients, each judged on its own."""
    return {made.name: _row(seen, made) for made in seen.step.makes}


def _row(seen: Evidence, made: Made) -> Row:
    value, blame = seen.values[made.name], case_of(seen, made).blame
    return Row(
        of=quantity_of(seen.step, made),
        shape=tuple(seen.step.witnesses[made.name].value.shape),
        isolated=seen.comparisons[made.name],
        blame=blame,
        why=cause_of(seen, made) if blame else None,
        source=value.source if blame else "",
        method=getattr(value.method, "__name__", ""),
    )


def quantity_of(step: Step, made: Made) -> Quantity:
    """Return what a step makes with its formula, where one is known of the owner's type."""
    if step.kind == "function":
        return Quantity(made.name, text=made.name)
    return quantity(made.name, step.owner, made.makes, step.layer)


def quantity(name: str, owner: object, makes: str, l: int | None = None) -> Quantity:
    """Return what a layer or loss makes, under a name, with its formula; ``l`` is the lecture's index of a layer."""
    formula = formula_of(type(owner), makes)
    if formula is None:
        return Quantity(name, "-", name, l, type(owner).__name__)
    mean = ", over N" if getattr(owner, "reduction", "") == "mean" else ""
    text = formula.text if l is not None else formula.text.replace("^{l}", "").replace("^{below}", "")
    filled = text.format(l=l, below=(l or 0) - 1, mean=mean, error=name)
    return Quantity(name, formula.number, filled, l, type(owner).__name__)


def report_of(step: Step, *, differences: bool) -> Report:
    """Return the report of a step that stands alone; with ``differences`` also by those of its own forward formula.

    Raises ValueError where the reference gives other numbers at every call.
    """
    step.check_repeatable()
    seen, x = Evidence(step), next(iter(step.inputs.values()))
    rows = list(rows_of(seen).values())
    if differences:
        shares = {made.name: _share(seen, made) for made in step.gradients.values()}
        rows = [replace(row, differences=shares.get(row.quantity)) for row in rows]
        rows = third_opinion(rows, dict.fromkeys((row.quantity for row in rows), seen), step.witnesses)
    return Report(
        tuple(rows),
        batch=len(x) if x.ndim else 1,
        dtype=x.dtype,
        device=x.device,
        remarks=step.remarks,
        not_compared=step.not_compared,
    )


def _share(seen: Evidence, made: Made) -> float | None:
    """Return how far a gradient is from the slope of its own forward formula, as a share of its norm."""
    gradient, slope = seen.gradient(made), seen.slope(made)
    return None if gradient is None or slope is None else slope.share(gradient)


NOT_THE_DERIVATIVE = Cause(
    "not-the-derivative",
    "the derivative of the forward formula, by finite differences, is another (if that is meant, as in a "
    "straight-through estimator: differences=False)",
)


def third_opinion(rows: list[Row], seen_in: Mapping[str, Evidence], found: Mapping[str, Witness]) -> list[Row]:
    """Blame both sides for a formula on which they agree with each other, but not with the finite differences.

    Those of the whole loss raise the suspicion; those of the formula alone, which a deep network cannot blur, decide.
    """
    if any(row.status == "wrong" for row in rows):
        return rows
    suspected = {row.quantity for row in rows if _is_suspected(row, found[row.quantity])}
    blamed = {name for name in suspected if _is_not_the_derivative(seen_in[name], name)}
    if blamed:
        return [replace(row, blame="both", why=NOT_THE_DERIVATIVE) if row.quantity in blamed else row for row in rows]
    return [replace(row, differences=None) if row.quantity in suspected else row for row in rows]


def _is_suspected(row: Row, witness: Witness) -> bool:
    """Tell whether the slope is farther off than it can be, and than arithmetic is here."""
    off = row.differences
    return off is not None and off > MARGIN * SURE and off > MARGIN * witness.bound()


def _is_not_the_derivative(seen: Evidence, name: str) -> bool:
    """Tell whether a gradient by hand surely is not the derivative of the handwritten forward formula."""
    made = next(made for made in seen.step.gradients.values() if made.name == name)
    gradient, slope = seen.gradient(made), seen.slope(made)
    return gradient is not None and slope is not None and slope.agrees(gradient) is False
