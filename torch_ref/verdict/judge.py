"""From what there is to see of a step to its rows: which formula is wrong, whose it is, and the likely cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from torch_ref.known import Cause, formula_of
from torch_ref.numbers.differences import MARGIN, SURE, Slope
from torch_ref.numbers.half import HALF
from torch_ref.numbers.witness import CEILING, Witness, all_finite
from torch_ref.steps.buffers import is_alike
from torch_ref.steps.drawn import drawn_alike
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.guarded import generators_kept
from torch_ref.steps.meant import meant_otherwise
from torch_ref.steps.second_look import SecondLook
from torch_ref.steps.step import Made, Step, lesser, same
from torch_ref.verdict.blame import case_of
from torch_ref.verdict.explain import cause_of
from torch_ref.verdict.power import power_of, unseen_in
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Quantity, Row


def rows_of(seen: Evidence) -> dict[str, Row]:
    """Return the rows of a step by name: its outputs, then its gradients, each judged on its own."""
    return {made.name: row_of(seen, made) for made in seen.step.makes}


def row_of(seen: Evidence, made: Made) -> Row:
    """Return the row of one thing that a step makes."""
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
    return Quantity(name, formula.number, filled, l, type(owner).__name__, formula.part)


@generators_kept()
def report_of(step: Step, *, differences: bool, strict: bool, power: bool, second: Step | None = None) -> Report:
    """Return the report of a step that stands alone; with ``differences`` also by those of its own forward formula.

    With ``strict`` another algorithm, and a loss that ignores its upstream gradient, are wrong. With ``power`` the
    report says which mistakes it would have seen. Where all of it is right, the gradients of ``second``, its second
    derivatives, are compared too.

    Raises ValueError where the reference gives other numbers at every call.
    """
    with drawn_alike(step):
        return _report_of(step, differences=differences, strict=strict, power=power, second=second)


def _report_of(step: Step, *, differences: bool, strict: bool, power: bool, second: Step | None) -> Report:
    step.check_repeatable()
    step = _in_range(step)
    seen, *others = [Evidence(one, second_look=SecondLook(one, strict)) for one in (step, *step.others)]
    for one in (seen, *others):
        _ = one.values  # called one after the other, before anything in float64: what is kept stays in one dtype
    x = next(iter(step.inputs.values()))
    rows, remarks, points = list(rows_of(seen).values()), list(step.remarks), [seen]
    if _overflowing(others) - _overflowing([seen]):
        others = [Evidence(one, second_look=SecondLook(one, strict)) for one in step.smaller]
        dtypes = {str(t.dtype).removeprefix("torch.") for t in step.given.values() if t.dtype in HALF}
        remarks.append(OVERFLOWS.format(" or ".join(sorted(dtypes))))
    if all(row.status != "wrong" for row in rows):
        rows, remarks, further = tried_again(rows, seen, others, strict, remarks)
        points += further
        if all(row.status != "wrong" for row in rows):
            rows = _elsewhere(rows, step, strict)
    else:
        again = _differing_at_a_second_call(seen)
        rows = [_second(row, row, row.quantity in again) for row in rows]
    if differences:
        shares = {made.name: _share(seen, made) for made in step.gradients.values()}
        rows = [replace(row, differences=shares.get(row.quantity)) for row in rows]
        before = rows
        rows = third_opinion(rows, dict.fromkeys((row.quantity for row in rows), seen), step.witnesses)
        doubted = [b.quantity for b, row in zip(before, rows, strict=True) if row is not b]
        if doubted and (why := meant_otherwise(step)):
            remarks.append(f"{', '.join(doubted)}: finite differences of forward give another derivative, since {why}")
            rows = [replace(row, differences=None) for row in before]
    if second is not None and all(row.status != "wrong" for row in rows):
        twice = rows_of(Evidence(second, second_look=SecondLook(second, strict)))
        rows += [twice[made.name] for made in second.gradients.values()]
    found = power_of(points) if power and all(row.status != "wrong" for row in rows) else None
    if all(row.status != "wrong" for row in rows) and not (found and found.weakness):
        remarks += [UNSEEN.format(name) for name in unseen_in(points)]
    batch = len(x) if x.ndim else 1
    return Report(
        tuple(rows), batch, x.dtype, x.device, remarks=tuple(remarks), not_compared=step.not_compared, power=found
    )


OVERFLOWS = "with a larger upstream gradient some numbers overflow {}: it was tried with a smaller one instead"


def _in_range(step: Step) -> Step:
    """Return the step with smaller errors, if it has drawn them itself and its gradients overflow half precision."""
    if not step.further or all(t.dtype not in HALF for t in step.given.values()):
        return step
    small = replace(step, errors=lesser(step.errors, LESSER))
    found = [
        {made.name for made in step.makes if not all_finite(one.witnesses[made.name].value)} for one in (step, small)
    ]
    return small if found[0] > found[1] else step


LESSER = 2.0**-5
"""How many times smaller upstream gradients are that are drawn for sums of so many terms that they overflow."""


def _overflowing(points: list[Evidence]) -> set[str]:
    """Return what has an infinity or NaN, on whichever side, where a tensor that is given is in half precision."""
    if all(t.dtype not in HALF for one in points for t in one.step.given.values()):
        return set()
    found = ((name, value.tensor, one) for one in points for name, value in one.values.items())
    return {name for name, t, one in found if not _is_finite(one.step.witnesses[name].value, t)}


def _is_finite(right: Tensor, by_hand: Tensor | None) -> bool:
    return all_finite(right) and (by_hand is None or by_hand.is_meta or all_finite(by_hand))


def tried_again(
    rows: list[Row],
    first: Evidence,
    others: list[Evidence],
    strict: bool,
    remarks: list[str],
    *,
    of_one_formula: bool = True,
) -> tuple[list[Row], list[str], list[Evidence]]:
    """Return the rows after calls with the other upstream gradients and one more with the first, and what was seen.

    What is wrong there takes the place of what was right. A loss may ignore its upstream gradient, but not for some of
    its inputs only; that is seen where all gradients are made by one formula.
    """
    points = []
    for seen in others:
        judged = rows_of(seen)
        wrong = {name: row for name, row in judged.items() if row.status == "wrong"}
        ignoring = _ignoring(first, seen, wrong)
        beside = _following(first, seen, judged) if ignoring and of_one_formula else []
        if ignoring and not strict and not beside:
            remarks = [*remarks, IGNORES.format(", ".join(ignoring))]
            wrong = {name: row for name, row in wrong.items() if name not in ignoring}
        why = ignored_beside(beside) if beside else IGNORED
        wrong |= {name: replace(wrong[name], why=why) for name in ignoring if name in wrong and wrong[name].blame}
        if wrong:
            again = _differing_at_a_second_call(first)
            return [_second(row, wrong.get(row.quantity), row.quantity in again) for row in rows], remarks, []
        if not ignoring:
            points.append(seen)
    return rows, remarks, points


def _elsewhere(rows: list[Row], step: Step, strict: bool) -> list[Row]:
    """Return the rows after one more call, at other inputs of the same shapes, where the reference takes them."""
    other = step.elsewhere
    seen = Evidence(other, second_look=SecondLook(other, strict))
    try:
        right = other.witnesses
    except Exception:  # of a reference that has no number there
        return rows
    values = [value.tensor for value in seen.values.values()]
    if not all_finite(*(w.value for w in right.values()), *(t for t in values if t is not None)):
        return rows
    is_half = any(t.dtype in HALF for t in step.inputs.values())  # where what rounding is depends on the numbers
    least = CEILING if is_half else 0.0
    found = {name: row for name, row in rows_of(seen).items() if row.status == "wrong" and not row.relative <= least}
    wrong = {name: row for name, row in found.items() if not _is_ill_conditioned(row)}
    by_rows = bool(wrong) and _is_by_rows(step, other)
    said = {name: replace(row, why=ELSEWHERE if by_rows else _elsewhere_alone(row)) for name, row in wrong.items()}
    return [said.get(row.quantity, row) for row in rows]


def _is_ill_conditioned(row: Row) -> bool:
    """Tell whether a gradient is off by little more than arithmetic, which is off by much there."""
    bound = row.isolated.bound
    return bound > ILL and row.isolated.relative < LITTLE * bound


ILL, LITTLE = 0.01, 10.0
"""Of the norm, what arithmetic is off, and how many times that: nobody chose the other inputs, so none is convicted."""


def _is_by_rows(step: Step, other: Step) -> bool:
    """Tell whether the function makes its rows in reverse order of rows in reverse order: no number is new then."""
    pairs = [(step.witnesses[made.name].exact, other.witnesses[made.name].exact) for made in step.outputs]
    return all(not y.ndim or is_alike(y.flip(0), z) for y, z in pairs)


def _elsewhere_alone(row: Row) -> Cause:
    """Return the cause at other numbers; where none is known, that these may make the difference."""
    if row.why is None or row.why.code in KEPT_GIVES:
        return OTHER_NUMBERS
    return replace(row.why, text=f"{RIGHT_HERE} {row.why.text}")


KEPT_GIVES = frozenset({"no-pattern", "one-entry", "only-some", "dead-unit", "zero-rows", "wrong-sample", "differs"})
"""Causes that are found as well where something is kept from an earlier call."""

RIGHT_HERE = "right at the inputs given, wrong at others (their rows in reverse order):"

OTHER_NUMBERS = Cause(
    "no-pattern",
    f"{RIGHT_HERE} no known pattern fits; perhaps a condition never holds at the inputs given, or something is kept "
    "from an earlier call",
)


ELSEWHERE = Cause(
    "keeps-state",
    "right at the inputs given, wrong with their rows in reverse order: something is kept from an earlier call, or the "
    "rows are not treated alike",
)


KEPT = Cause(
    "keeps-state",
    "right at the first call, wrong at the next, at other inputs and parameters: something is kept from the first",
)


UNSEEN = "{} is 0 here on both sides: nothing could be seen of its formula"


IGNORES = (
    "backward ignores its upstream gradient ({}): right for a loss as it is, wrong for one that is scaled or part of "
    "another"
)


IGNORED = Cause(
    "upstream-ignored",
    "the upstream gradient is ignored: for a loss that is scaled it gives the same as for the loss",
)


def _ignoring(first: Evidence, seen: Evidence, wrong: Mapping[str, Row]) -> list[str]:
    """Return the gradients of one number, a loss, that are the same whatever the upstream gradient is."""
    if first.step.errors[0].numel() != 1:
        return []
    pairs = {name: (first.values[name].tensor, seen.values[name].tensor) for name in wrong}
    return [name for name, (a, b) in pairs.items() if a is not None and b is not None and same(a, b)]


def _following(first: Evidence, seen: Evidence, rows: Mapping[str, Row]) -> list[str]:
    """Return the gradients that are right at both upstream gradients of a loss, and another one at each."""
    names = [made.name for made in first.step.gradients.values()]
    pairs = {name: (first.values[name].tensor, seen.values[name].tensor) for name in names}
    return [
        name
        for name, (a, b) in pairs.items()
        if a is not None and b is not None and rows[name].status != "wrong" and not same(a, b)
    ]


def ignored_beside(others: Sequence[str]) -> Cause:
    """Return the cause of a gradient of a loss that ignores the upstream gradient, beside others that do not."""
    are = "are" if len(others) > 1 else "is"
    return replace(IGNORED, text=f"the upstream gradient is ignored; {' and '.join(others)} {are} multiplied by it")


def _differing_at_a_second_call(first: Evidence) -> set[str]:
    """Return what comes out otherwise when the same is computed again."""
    again = first.step.compute(first.step, True)
    pairs = {name: (value.tensor, again[name].tensor) for name, value in first.values.items()}
    return {name for name, (a, b) in pairs.items() if (a is None) != (b is None) or not _alike(a, b)}


def _alike(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None or a.is_meta or b.is_meta:  # no numbers
        return True
    return is_alike(b, a)


KEEPS_STATE = Cause("keeps-state", "it gives other numbers at a second call: something is kept from the first")


def _second(row: Row, wrong: Row | None, keeps_state: bool) -> Row:
    """Return the row of the other upstream gradient where that is wrong."""
    if wrong is None:
        return row
    return replace(wrong, why=KEEPS_STATE) if keeps_state and wrong.blame else wrong


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
    if off is None or off <= MARGIN * SURE or row.isolated.reason in ("kink", "tolerance") or witness.is_zero:
        return False
    return off > MARGIN * min(witness.bound, CEILING)


def _is_not_the_derivative(seen: Evidence, name: str) -> bool:
    """Tell whether a gradient by hand surely is not the derivative of the handwritten forward formula."""
    made = next(made for made in seen.step.gradients.values() if made.name == name)
    gradient, slope = seen.gradient(made), seen.slope(made)
    if gradient is None or slope is None or slope.agrees(gradient) is not False:
        return False
    return not _is_inexact_here(seen, made, slope) and seen.confirmed(made, slope)


def _is_inexact_here(seen: Evidence, made: Made, slope: Slope) -> bool:
    """Tell whether autograd agrees with the slope in float64, and rounding explains what the gradient is off here.

    A gradient that is right in float64, where it was looked at, needs no other explanation.
    """
    witness, value = seen.step.witnesses[made.name], seen.values[made.name].tensor
    if value is None or slope.agrees(made.sign * witness.exact) is False:
        return False
    if seen.comparisons[made.name].reason in ("accuracy", "algorithm"):
        return True
    of_roundings = replace(witness, value=witness.exact, unit=witness.eps)  # whatever the reference itself is off
    return not of_roundings.beyond(value)
