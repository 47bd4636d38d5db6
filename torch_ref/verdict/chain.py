"""From a chain of claims to a report: which gradient is wrong by itself, the likely cause, and what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import torch
from torch import Tensor

from torch_ref.causes.search import Causes, Reference
from torch_ref.known import Cause, Scene
from torch_ref.known.likely import likely_cause
from torch_ref.numbers.agreement import Tolerance
from torch_ref.numbers.given import room_of
from torch_ref.numbers.power import At, Power, Room
from torch_ref.numbers.witness import CEILING, all_finite, doubled_tensor
from torch_ref.steps.beside import judged as judged_at
from torch_ref.steps.chain import Arrived, Chain, Claim
from torch_ref.steps.graph import Place
from torch_ref.verdict.explain import misfit, of_failure, real, tolerance_of
from torch_ref.verdict.power import MOST, shares_of, weakest
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Quantity, Row

MOST_PARTS = 6
"""How many ways a value may be used for the parts of its gradient to be tried together."""

ADDS_UP = "right by itself; in the whole pass the roundings add up to {:.1e} of its norm"


BEHIND_A_KINK = "right by itself; in the whole pass it is another, since a value at a kink lies behind it"


@dataclass(frozen=True)
class Written:
    """Where a gradient was computed by hand, as far as it is known."""

    text: str = ""
    """The statement."""
    source: str = ""
    """File and line."""


def report_of_chain(
    chain: Chain,
    *,
    power: bool,
    written: Mapping[str, tuple[Written, ...]] | None = None,
    remarks: tuple[str, ...] = (),
    not_compared: tuple[tuple[str, str], ...] = (),
) -> Report:
    """Return the report of a chain, its rows in the order of the backward pass.

    ``written`` says for each claim, place by place, where its gradient was computed.
    """
    judged = judged_of(chain)
    rows = rows_of_chain(chain, judged, written)
    right = all(row.status != "wrong" for row in rows)
    root, _ = chain.roots[0]
    found = power_of_chain(chain, judged) if power and right else None
    return Report(
        tuple(rows),
        0,  # which dimension the samples are nobody says
        root.dtype,
        root.device,
        remarks=remarks,
        not_compared=not_compared,
        alone="given what is by hand behind it",
        power=found,
    )


Judged = Mapping[str, tuple[Arrived, ...]]
"""How each claim compares at each of its places, at kinks too."""


def judged_of(chain: Chain) -> Judged:
    """Return how each claim compares by itself, where the values at a kink agree that may."""
    return {c.name: tuple(judged_at(chain, c, i) for i in range(len(c.places))) for c in chain.claims}


def rows_of_chain(
    chain: Chain, judged: Judged, written: Mapping[str, tuple[Written, ...]] | None = None, *, whole: bool = True
) -> list[Row]:
    """Return a row for each claim.

    Without ``whole`` there is no plain pass beside the other: where all claims are about parameters, the two are one.
    """
    written = written or {}
    rows = [
        _row(chain, claim, judged[claim.name], written.get(claim.name, ()), whole=whole) for claim in chain.in_order
    ]
    if any(row.blame for row in rows):
        return rows
    at_a_kink = any(row.isolated.reason == "kink" for row in rows)
    return [_without_consequences(row, at_a_kink) for row in rows]


def _row(chain: Chain, claim: Claim, several: tuple[Arrived, ...], written: tuple[Written, ...], *, whole: bool) -> Row:
    """Return the row of a claim: of several places the first that is wrong by itself, or that which is farthest off."""
    i = _which(several)
    arrived = several[i]
    is_wrong = not arrived.found.ok and not _nothing_to_compare(arrived)
    place = written[i] if written else Written()
    steps = f" ({len(claim.places)} steps)" if len(claim.places) > 1 else ""
    name = f"gradient of {claim.name}"
    return Row(
        of=Quantity(f"{name}{steps}", text=(place.text if is_wrong else "") or name),
        shape=tuple(arrived.witness.value.shape),
        isolated=arrived.found,
        end_to_end=chain.whole[claim.name][i].found if whole else None,
        blame="by hand" if is_wrong else "",
        why=_cause(chain, claim, i) if is_wrong else None,
        source=place.source if is_wrong else "",
    )


def _which(arrived: Sequence[Arrived]) -> int:
    """Return the index of the place that stands for all: backward the first that is wrong, or that farthest off."""
    wrong = [i for i, one in enumerate(arrived) if not one.found.ok]
    return wrong[-1] if wrong else max(range(len(arrived)), key=lambda i: arrived[i].found.relative)


def _nothing_to_compare(arrived: Arrived) -> bool:
    """Tell whether the reference is not finite here, so that nobody is to blame."""
    by_hand, right = arrived.chosen, arrived.witness.value
    fits = by_hand is not None and by_hand.shape == right.shape
    return fits and not all_finite(right) and arrived.found.relative != arrived.found.relative


def _without_consequences(row: Row, at_a_kink: bool) -> Row:
    """Return a row that is right by itself as right, where nothing that is wrong lies behind it.

    ``at_a_kink`` says that what is right in several ways does.
    """
    whole = row.end_to_end
    if whole is None or whole.ok or not row.isolated.ok:
        return row
    if at_a_kink:
        return replace(row, end_to_end=replace(whole, status="rounding", reason="kink", remark=BEHIND_A_KINK))
    if whole.relative > CEILING:  # as every formula is right, nothing but rounding is left of it
        return replace(row, end_to_end=replace(whole, status="rounding", reason="zero", remark=""))
    remark = ADDS_UP.format(whole.relative)
    return replace(row, end_to_end=replace(whole, status="rounding", reason="accuracy", remark=remark))


# ---------------------------------------------------------------------------------------- the likely cause


def _cause(chain: Chain, claim: Claim, i: int) -> Cause:
    arrived = chain.alone[claim.name][i]
    by_hand, right = arrived.chosen, arrived.witness.value
    if by_hand is None or claim.failure:
        failure = claim.failure
        return of_failure(failure) if failure else Cause("wrong-return", arrived.found.remark)
    return misfit(by_hand, right, arrived.found.remark) or _of_parts(chain, claim, i) or _of_numbers(chain, claim, i)


def _lead_to_one(chain: Chain, place: Place) -> bool:
    """Tell whether all operations that use a value lead to the same value behind it: then they are one function."""
    behind = {chain.key_behind(use) for use in chain.graph.uses[place.key]}
    return len(behind) == 1 and None not in behind


def _of_parts(chain: Chain, claim: Claim, i: int) -> Cause | None:
    """Return that what arrives through some of the operations that use the value is missing, or is there twice."""
    arrived, place = chain.alone[claim.name][i], claim.places[i]
    uses = chain.graph.uses[place.key]
    if not 1 < len(uses) <= MOST_PARTS or arrived.chosen is None or _lead_to_one(chain, place):
        return None
    parts = [(part.use, doubled_tensor(part.gradient)) for part in chain.parts(claim, i)]
    error = doubled_tensor(arrived.chosen) - arrived.witness.exact
    allowed = min(tolerance_of(arrived.chosen.dtype, arrived.found.bound), 0.05) * float(error.norm())
    for some in _some_of(len(parts)):
        sum_of = sum((parts[k][1] for k in some), torch.zeros_like(error))
        through = " and ".join(dict.fromkeys(chain.through(parts[k][0]) for k in some))
        numbers = {"through": [chain.through(parts[k][0]) for k in some]}
        if float((error + sum_of).norm()) <= allowed:
            text = f"the part that comes through {through} is missing (= where += is meant, or a path left out)"
            return Cause("part-missing", text, numbers)
        if len(some) == 1 and float((error - sum_of).norm()) <= allowed:
            return Cause("part-twice", f"the part that comes through {through} is added twice", numbers)
    return None


def _some_of(count: int) -> Iterator[tuple[int, ...]]:
    """Yield the ways to leave out some of the parts, but not all: one, then two."""
    for size in range(1, count):
        yield from combinations(range(count), size)


def _of_numbers(chain: Chain, claim: Claim, i: int) -> Cause:
    arrived, place = chain.alone[claim.name][i], claim.places[i]
    assert arrived.chosen is not None
    behind = next((key for use in chain.graph.uses[place.key] if (key := chain.key_behind(use))), None)
    values = chain.values
    others = {chain.names[key]: real(t) for key, t in values.items() if key not in (place.key, behind)}
    y = values[behind] if behind else chain.roots[0][0].detach()
    d_y = (chain.handed_on(behind) if behind else None) if behind else chain.roots[0][1]
    x = place.value
    if place.is_leaf:  # of a parameter: the value that it is used with
        rows = [t for key, t in values.items() if key != place.key and t.ndim == y.ndim and t.shape[:1] == y.shape[:1]]
        x = next((t for t in reversed(rows) if t is not y), x)
    scene = Scene(
        owner=None,
        makes=claim.name if place.is_leaf else "error",
        by_hand=real(arrived.chosen),
        right=real(arrived.witness.exact),
        x=real(x),
        y=real(y),
        error=-real(torch.zeros_like(y) if d_y is None else d_y),
        sign=1,
        others=others,
        tolerance=tolerance_of(arrived.chosen.dtype, arrived.found.bound),
    )
    return likely_cause(scene, Causes(lambda: _looked_for(chain, place, scene)))


def _looked_for(chain: Chain, place: Place, scene: Scene) -> tuple[Reference, Scene] | None:
    """Return in what a cause is looked for: the operations between a value and those behind it; None for nothing."""
    if place.value.is_complex() or scene.by_hand.shape != place.value.shape:
        return None
    stops = {key: d for key in chain.names if key != place.key and (d := chain.handed_on(key)) is not None}
    leaves = {c.name: c.places[0] for c in chain.claims if c.places[0].is_leaf and c.places[0].key != place.key}
    gradients = {chain.names[key]: d for key, d in stops.items() if not chain.graph.leads_to(key, place.key)}
    outputs, upstream = zip(*chain.roots, strict=True)
    wrong = sum(not one.found.ok for several in chain.alone.values() for one in several)
    reference = Reference(
        outputs,
        upstream,
        place.value,
        gradients,
        [one.value for one in leaves.values()],
        [*chain.values.values()],
        share=1 / max(wrong, 1),
        edge=place.edge,
        stops=stops,
        values_at=chain.values,
    )
    return reference, scene


# ---------------------------------------------------------------------------------------- what was seen


@dataclass(frozen=True)
class Held:
    """A gradient that agrees, and how far it may be moved before it is refused."""

    arrived: Arrived
    tolerance: float | None
    strict: bool

    @property
    def every(self) -> int:
        """Return of how many rows one is looked at."""
        t = self.arrived.witness.value
        return -(-t.numel() // MOST) if t.ndim else 1

    @property
    def value(self) -> Tensor:
        """Return the gradient by hand, or some of its rows."""
        assert self.arrived.chosen is not None
        at_kink = self.arrived.found.reason == "kink"  # there it is right, however far from the reference
        value = self.arrived.witness.value if at_kink else self.arrived.chosen
        return value[:: self.every] if self.every > 1 else value

    def smallest(self, change: Tensor, at: At | None = None) -> float | None:
        """Return the smallest share of a change at a place that would be rejected; None: not all of it."""
        return self._room.smallest(change, at)

    @cached_property
    def _room(self) -> Room:
        return room_of(self.value, self.arrived.witness, self.tolerance, strict=self.strict, every=self.every)


def power_of_chain(chain: Chain, judged: Judged) -> Power:
    """Return the smallest mistakes that would have been rejected in every gradient of a chain."""
    return power_of_all([several[-1] for several in judged.values()], chain.tolerance, strict=chain.strict)


def power_of_all(arrived: Iterable[Arrived], tolerance: Tolerance, *, strict: bool) -> Power:
    """Return the smallest mistakes that would have been rejected in each of several gradients."""
    held = [Held(one, tolerance.get(one.witness.value.dtype), strict) for one in arrived if _can_be_changed(one)]
    if not held:
        return Power(None, None, None, None, None, "every gradient is 0 here, whatever the formula is")
    found = [shares_of([one]) for one in held]
    with_rows = [share for share, one in zip(found, held, strict=True) if one.value.ndim > 1]
    return Power(
        weakest([share[0] for share in found]),
        weakest([share[1] for share in with_rows or found]),
        None,
        weakest([share[2] for share in found]),
        None,
    )


def _can_be_changed(arrived: Arrived) -> bool:
    """Tell whether a gradient has numbers of which a share could be wrong."""
    value = arrived.chosen
    if value is None or arrived.found.reason == "not-finite" or arrived.witness.is_zero:
        return False
    return bool(value.any()) and all_finite(value)
