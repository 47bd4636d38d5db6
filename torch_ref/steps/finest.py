"""What a step gives in float64, where its own dtype shows nothing but rounding, or 0 on both sides.

There the roundings of the handwritten formula count as well as the reference's: 1 − tanh² cancels, 1 / cosh² does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from torch_ref.numbers.half import HALF
from torch_ref.numbers.operands import tensors_in
from torch_ref.numbers.rounding import is_exact, rounded_run
from torch_ref.numbers.witness import Tensors, Witness
from torch_ref.steps.step import Made, Step, same

EPS = torch.finfo(torch.float64).eps

DOUBLE = (torch.float64, torch.complex128)

UNIT = 2.0**-44
"""By which the calculations are rounded: so little that whatever moves with it is linear, or is rounding alone."""

MOVED = 0.01
"""Of a number: what such a rounding may move it. A kernel hides how large its terms are; where they cancel, its result
moves by all of it, however small the unit is."""

OTHER_UNITS = (1.37, 2.11, 3.29)
"""As multiples of a unit, no power of two of each other."""

SEEDS = range(200, 204)
"""Of the roundings of the handwritten formula, none of which a witness has."""


class Narrowest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, it notes in what the operations compute."""

    half = False
    """Whether some operation gave a tensor in half precision."""
    narrowed = False
    """Whether some operation made less of a tensor in float64."""
    in_float64 = False
    """Whether some operation computed in float64: an array's leave no trace."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Tell torch that nobody compiles this: it would load its compiler, which takes more than a second."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operation, and look at its dtype."""
        found = func(*args, **(kwargs or {}))
        dtypes = {t.dtype for t in tensors_in(found)}
        given = {t.dtype for t in tensors_in((args, kwargs))}
        self.half = self.half or any(dtype in HALF for dtype in dtypes)
        lesser = any(t.is_floating_point and t not in DOUBLE for t in dtypes)
        self.narrowed = self.narrowed or (lesser and any(dtype in DOUBLE for dtype in given))
        computes = any(dtype in DOUBLE for dtype in dtypes) and not is_exact(func)
        self.in_float64 = self.in_float64 or computes
        return found


def is_in_float64(step: Step) -> bool:
    """Tell whether the reference computes in float64, too, and casts nothing to a lesser dtype inside."""
    watch, wide = Narrowest(), step.in_float64  # type: ignore[no-untyped-call]
    try:
        with watch:
            wide.by_reference(wide.given, wide.fixed)
    except Exception:  # of a reference for one dtype only
        return False
    return not watch.narrowed


class Finest(NamedTuple):
    """A gradient in float64, 0 where that is nothing but rounding: by its reference and by hand."""

    witness: Witness
    by_hand: Tensor

    def of_rows(self, every: int) -> Finest:
        """Return the same of some rows: the first, and every so many from there on."""
        return Finest(self.witness.of_rows(every), self.by_hand[::every]) if every > 1 else self


def finest(step: Step, made: Made, by_hand: Tensor) -> Finest | None:
    """Return a gradient by hand in float64 beside its witness; None where float64 shows nothing of it either.

    What moves too far by ``UNIT`` is rounded by the unit of float64 itself.
    """
    exact = step.witnesses[made.name].exact
    for unit in (UNIT, EPS) if is_in_float64(step) else ():
        witness = around(step, made, by_hand, unit)
        if witness is None:
            return None
        known = (exact != 0) & (moved_by(witness) <= MOVED * exact.abs())
        if known.any():
            known &= _moves_little(step.witnesses[made.name], unit)
        if known.any():
            return Finest(replace(witness.where(known), may_vanish=False), torch.where(known, by_hand, 0))
    return None


def moved_by(witness: Witness) -> Tensor:
    """Return the farthest that a rounded run moves each number."""
    return torch.stack([(run()[0] - witness.exact).abs() for run in witness.rounded]).amax(0)


def _moves_little(witness: Witness, unit: float) -> Tensor:
    """Tell which numbers roundings by other units move as little.

    The last bit of large terms that cancel inside a kernel is one of a few numbers, so that a few runs may by chance
    give it again and again.
    """
    little = torch.ones_like(witness.exact, dtype=torch.bool)
    if witness.rounded_by is None:
        return little
    for more in OTHER_UNITS:
        for run in witness.rounded_by(more * unit):
            little &= (run()[0] - witness.exact).abs() <= more * MOVED * witness.exact.abs()
    return little


def around(step: Step, made: Made, by_hand: Tensor, unit: float, of: float = EPS) -> Witness | None:
    """Return the float64 values, with the roundings of the reference and of what is ``by_hand`` in float64 by a unit.

    Their error counts as that of arithmetic with the unit ``of`` another. None where there are no roundings, or where
    the handwritten formula gives other numbers at every call: what it keeps is no rounding.
    """
    witness = step.witnesses[made.name]
    exact = witness.exact
    if witness.rounded_by is None:
        return None
    try:
        again = step.compute(step.in_float64, True)[made.name].tensor
        if again is None or not same(again, by_hand):
            return None
        runs = [_rounded(step.in_float64, made, seed, unit) for seed in SEEDS]
    except Exception:  # of somebody's formula, at other numbers
        return None
    rounded = [run() for run in witness.rounded_by(unit)]
    rounded += [(exact + (run - by_hand), terms) for run, terms in runs]  # about the same numbers
    return replace(
        witness,
        value=exact,
        in_float64=lambda: exact,
        unit=of,
        rounded=tuple(partial(_given, *run) for run in rounded),
        finer=of / unit,
    )


def _rounded(step: Step, made: Made, seed: int, unit: float) -> tuple[Tensor, int]:
    """Return a gradient by hand at a random rounding of everything, and the length of its longest sum."""

    def computed(given: Tensors, fixed: Tensors) -> Mapping[str, Tensor]:
        inputs = {name: given[name] for name in step.inputs}
        errors = tuple(t for name, t in given.items() if name not in step.inputs)
        values = step.compute(replace(step, inputs=inputs, errors=errors), True)
        return {name: value.tensor for name, value in values.items() if value.tensor is not None}

    found, terms = rounded_run(computed, step.given, step.fixed, unit, seed)
    return found[made.name], terms


def _given(run: Tensor, terms: int) -> tuple[Tensor, int]:
    return run, terms
