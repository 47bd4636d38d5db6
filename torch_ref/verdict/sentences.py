"""The sentences of a verdict: what agrees and how, which formula is wrong and how far, and what the check could see."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

from torch_ref.numbers.agreement import Comparison
from torch_ref.numbers.power import Power
from torch_ref.verdict.row import Row

BEYOND_ROUNDING = {
    "zero": "zero but for rounding",
    "kink": "the input lies on a kink, where any value between the one-sided derivatives is right",
    "algorithm": "differs by more than rounding: an ε, a cut-off, another algorithm",
    "accuracy": "right in float64, but less exact here",
    "half": "summed or rounded in half precision",
    "not-finite": "not finite on both sides at the same places, and equal elsewhere",
    "tolerance": "within the tolerance that was given",
}
"""Reasons to agree that a reader should know of, and what to say where the comparison itself says nothing."""

MOST_DIGITS = 17
"""So many distinguish any two numbers of float64."""


def agreement(rows: tuple[Row, ...], agree: float) -> str:
    """Say that all rows agree and how nearly, and how many gradients differ by at most ``agree`` from differences."""
    sure = sum(row.differences is not None and row.differences <= agree for row in rows)
    confirmed = f", and finite differences confirm {sure} gradient{'s' * (sure > 1)}" if sure else ""
    several = "both quantities" if len(rows) == 2 else f"all {len(rows)} quantities"
    head = several if len(rows) > 1 else f"{rows[0].quantity}, the only quantity,"
    are, agrees = ("are", "agree") if len(rows) > 1 else ("is", "agrees")
    differing = [row for row in rows if row.status != "identical"]
    if not differing:
        return f"{head} {are} identical to the last bit{confirmed}"
    rounded = [row for row in differing if remark_of(row) is None]
    if not rounded:
        return f"{head} {agrees}{confirmed}"
    worst = max(rounded, key=lambda row: row.relative)
    return (
        f"{head} {agrees}; {len(rounded)} differ{'s' * (len(rounded) == 1)} by rounding, "
        f"{worst.quantity} most: {worst.relative:.1e} of its norm{confirmed}"
    )


def remark_of(row: Row) -> str | None:
    """Say why a row agrees although it differs by more than rounding; None where it does not."""
    views = (row.isolated, row.end_to_end)
    found = next((view for view in views if view and view.ok and view.reason in BEYOND_ROUNDING), None)
    return None if found is None else f"{row.quantity}: {found.remark or BEYOND_ROUNDING[found.reason]}"


def left_out(not_compared: Iterable[tuple[str, str]]) -> str:
    """Name what was not compared, each with its reason; '' where everything was."""
    named = ", ".join(f"{name} ({reason})" for name, reason in not_compared)
    return f"Not compared: {named}." if named else ""


def seen_by(power: Power) -> str:
    """Say in one sentence which mistakes would have been rejected, and which would not."""
    found = {"a factor": power.factor, "a change of one row": power.row}
    if power.dropped_sample is not None:  # something is summed over the samples
        found["a change of one sample's part"] = power.sample
    found["a change of one entry"] = power.entry
    sizes = {"a change of one row": "row", "a change of one sample's part": "sample's part"}
    seen = [
        f"a factor of {_factor(size)}" if what == "a factor" else f"{_percent(size)} of one {sizes.get(what, 'entry')}"
        for what, size in found.items()
        if size is not None
    ]
    unseen = [what for what, size in found.items() if size is None]
    if power.dropped_sample is not None:
        (seen if power.dropped_sample else unseen).append("one sample left out")
    rejected = f"{_listed(seen)} would have been rejected" if seen else ""
    passed = f"{_listed(unseen)} would not" + (" have been rejected" if not seen else "") if unseen else ""
    return f"Power: {'; '.join(filter(None, (rejected, passed)))}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _factor(size: float) -> str:
    return str(1 + Decimal(f"{size:.1g}")) if size >= 1e-9 else f"1 + {size:.1g}"


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.2g} %" if percent < 99.5 else f"{percent:.0f} %"


def accusations(rows: Iterable[Row]) -> list[str]:
    """Name every guilty formula, and once those of one method that all did the same instead of giving a tensor."""
    failed: dict[tuple[str, ...], list[Row]] = {}
    for i, row in enumerate(rows):
        alone = row.formula != "-" or row.isolated.worst is not None
        failed.setdefault((row.blame, row.cause, row.source, row.method, str(i) if alone else ""), []).append(row)
    return [
        accusation(first, ", ".join([first.of.text, *(other.of.text for other in others)]))
        for first, *others in failed.values()
    ]


def accusation(row: Row, text: str = "") -> str:
    """Name one guilty formula: text, number, layer, method, source; cause; and the two values at the worst place."""
    of = row.of
    number = f" ({of.cited})" if of.cited != "-" else ""
    layer = f", layer {of.layer}" if of.layer is not None else ""
    where = ".".join(filter(None, (of.owner, row.method)))
    source = f"{'' if where else ','} at {row.source}" if row.source else ""
    where = f", {where}" if where else ""
    source += f", called at {' and '.join(row.called)}" if row.called else ""
    source += f", or a line that it is computed from: {row.others}" if row.others else ""
    who = {"reference": "Wrong in the reference", "both": "Wrong on both sides"}.get(row.blame, "Wrong")
    lines = [f"{who}: {text or of.text}{number}{layer}{where}{source}.", f"Likely cause: {row.cause}."]
    if row.isolated.worst is not None:
        lines.append(f"{of.name}{_place(row.isolated)}: {both_values(row.isolated)}{_extent(row.isolated)}.")
    return "\n".join(lines)


def _place(seen: Comparison) -> str:
    of_part = f", {seen.part}" if seen.part else ""
    return (f" at {list(seen.worst)}" if seen.worst else "") + of_part


def both_values(seen: Comparison) -> str:
    """Give the two values at the worst place, in as many digits as it takes to tell them apart, at least 6."""
    assert seen.by_hand is not None
    assert seen.reference is not None
    ours, theirs = seen.by_hand + 0.0, seen.reference + 0.0  # −0 is 0
    for digits in range(6, MOST_DIGITS + 1):
        if (one := f"{ours:.{digits}g}") != (other := f"{theirs:.{digits}g}"):
            return f"by hand {one}, reference {other}"
    return f"by hand and by the reference {ours:.6g}"


def _extent(seen: Comparison) -> str:
    """Say what is off, what was allowed, and how many entries are off."""
    said = [seen.remark] if seen.remark else []
    if math.isfinite(seen.relative) and seen.relative > seen.bound > 0:
        said.append(f"allowed {seen.bound:.1e}")
    if seen.off and seen.count:
        said.append(f"{seen.off:,} of {seen.count:,} entries {'is' if seen.off == 1 else 'are'} off")
    return "".join(f"; {part}" for part in said)


def is_not_finite(first: Row) -> bool:
    """Tell whether a consequence begins with a number that is NaN or infinite, so that nothing can be compared."""
    return math.isnan(first.seen.relative) and first.seen.worst is not None


def unexplained(first: Row) -> str:
    """Say what may be wrong where a quantity of the whole pass is, and no formula is to blame."""
    seen = first.seen
    if is_not_finite(first):
        return (
            f"Not compared: {first.quantity}{_place(seen)} is {seen.by_hand} by hand and {seen.reference} by the "
            "reference. It is the first number of the pass that is not finite; look at what is given there."
        )
    if first.end_to_end is None:
        return f"Wrong: {first.quantity} ({seen.remark}), and there is nothing to compare it with."
    return (
        f"Wrong: {first.quantity} of the whole pass ({seen.remark}), although every formula is right by itself. Likely "
        "cause: the order of the layers, a tensor that is overwritten before it is read, or a formula that gives other "
        "numbers at another call."
    )
