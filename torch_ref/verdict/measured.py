"""Gradients by hand beside central differences of the loss, entry by entry, where autograd cannot follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from torch_ref.known import Cause, Scene
from torch_ref.known.likely import likely_cause
from torch_ref.known.place import NO_PATTERN
from torch_ref.numbers.agreement import Comparison, Tolerance
from torch_ref.numbers.given import agreed
from torch_ref.numbers.witness import CEILING, Witness, all_finite
from torch_ref.steps.chain import Arrived, without_gradient
from torch_ref.steps.step import Failure
from torch_ref.verdict.explain import misfit, of_failure
from torch_ref.verdict.row import Quantity, Row

SURE = 1e-3
"""Of the size of a gradient: what central differences may be off by and still tell something."""

FAR = 0.5
"""How many times what they may be off by something has to be, to be wrong all the same."""

PLACES = ("one-entry", "only-some", "dead-unit", "zero-rows")
"""Causes that name places: of some entries at random they would name others."""


@dataclass(frozen=True)
class Measured:
    """A parameter, its gradient by hand, and the derivatives of the loss by some of its entries."""

    name: str
    parameter: Tensor
    by_hand: Tensor | None
    failure: Failure | None
    indices: Tensor
    """Places in the flattened parameter."""
    values: Tensor
    """In float64."""
    uncertainties: Tensor
    """inf where nothing is known."""

    @property
    def fits(self) -> bool:
        """Tell whether the gradient by hand has the shape of the parameter."""
        return self.by_hand is not None and self.by_hand.shape == self.parameter.shape

    @cached_property
    def off(self) -> Tensor:
        """Return the gradients by hand less the differences, at the entries that were looked at."""
        return self._by_hand - self.values

    @property
    def _by_hand(self) -> Tensor:
        assert self.by_hand is not None
        return self.by_hand.detach().cpu().double().reshape(-1)[self.indices]

    @cached_property
    def is_sure(self) -> Tensor:
        """Return where the differences are sure; at a kink they are not, for any value between both sides is right."""
        finite = self.uncertainties.isfinite() & self.values.isfinite()
        sizes = torch.where(finite, torch.maximum(self.values.abs(), self._by_hand.abs()), 0.0)
        size = float(sizes.norm()) / max(1, int(finite.sum())) ** 0.5
        return finite & (self.uncertainties <= SURE * torch.maximum(sizes, torch.as_tensor(size)))

    @cached_property
    def known(self) -> Tensor:
        """Return where the differences tell something: they are sure, or the gradient by hand is far from them."""
        finite = self.uncertainties.isfinite() & self.values.isfinite()
        return self.is_sure | (finite & ~(self.off.abs() <= FAR * self.uncertainties))

    @property
    def misfit(self) -> Comparison:
        """Return the comparison of a gradient that is none, or has another shape."""
        if self.by_hand is None:
            return without_gradient(self.failure)
        return agreed(self.by_hand, Witness.exactly(torch.full_like(self.parameter, torch.nan)))

    def in_place(self, found: Comparison) -> Comparison:
        """Return a comparison of some entries with the place in the whole parameter."""
        if not found.worst:
            return found
        flat = self.indices[self.known][found.worst[0]]
        place = torch.unravel_index(flat, self.parameter.shape)
        return replace(found, worst=tuple(int(i) for i in place), max_ulp=None)

    def arrived(self, tolerance: float | None, *, strict: bool) -> Arrived | None:
        """Return how the entries compare; None where there is nothing to compare, or the differences cannot tell."""
        if self.by_hand is None or not self.fits or not bool(self.known.any()):
            return None
        kept = self.known
        values, off = self.values[kept], self.off[kept].abs()
        is_far = ~self.is_sure[kept]  # then it is wrong, however little is known
        spread = torch.where(is_far, SURE * off, self.uncertainties[kept])
        chosen = self._by_hand[kept]
        witness = Witness.exactly(values, others=(values + spread, values - spread))
        witness = replace(witness, may_vanish=False)
        if witness.bound > CEILING and all_finite(chosen) and not witness.beyond(chosen):
            return None
        return Arrived(witness, chosen, 0, agreed(chosen, witness, tolerance, strict=strict))


def rows_of_measured(
    measured: Iterable[Measured], tolerance: Tolerance, *, strict: bool
) -> tuple[list[Row], list[Arrived]]:
    """Return a row for each gradient about which the differences can tell, and how those that fit compare."""
    rows, found = [], []
    for one in measured:
        arrived = one.arrived(tolerance.get(one.parameter.dtype), strict=strict)
        if arrived or not one.fits:
            rows.append(_row(one, arrived))
        found += [arrived] if arrived else []
    return rows, found


def _row(measured: Measured, arrived: Arrived | None) -> Row:
    name = f"gradient of {measured.name}"
    isolated = measured.in_place(arrived.found) if arrived else measured.misfit
    is_wrong = not isolated.ok
    return Row(
        of=Quantity(name, text=name),
        shape=tuple(measured.parameter.shape),
        isolated=isolated,
        blame="by hand" if is_wrong else "",
        why=_cause(measured, arrived) if is_wrong else None,
    )


def _cause(measured: Measured, arrived: Arrived | None) -> Cause:
    by_hand, parameter = measured.by_hand, measured.parameter
    if by_hand is None:
        return of_failure(measured.failure or Failure("wrong-return", "is missing"))
    if (cause := misfit(by_hand, parameter, measured.misfit.remark)) is not None:
        return cause
    assert arrived is not None
    is_whole = len(arrived.witness.exact) == parameter.numel()
    shape = parameter.shape if is_whole else arrived.witness.exact.shape
    right = arrived.witness.exact.reshape(shape)
    if not bool(measured.values.any()):
        return Cause("no-pattern", "the loss does not change with it: it reads another array, or a copy")
    cause = likely_cause(
        Scene(
            owner=None,
            makes=measured.name,
            by_hand=by_hand.double() if is_whole else by_hand.double().reshape(-1)[measured.indices][measured.known],
            right=right,
            x=parameter.double() if is_whole else torch.zeros(shape),
            y=torch.zeros(()),
            error=torch.tensor(-1.0, dtype=torch.float64),
            sign=1,
            others={measured.name: parameter.double()} if is_whole else {},
            tolerance=max(1e-6, 30 * arrived.found.bound),
        )
    )
    return NO_PATTERN if not is_whole and cause.code in PLACES else cause
