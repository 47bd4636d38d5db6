"""A second look at a number that differs by more than rounding: reasons for which it may be right all the same.

The handwritten formula in float64 has the first word: there a mistake stands out, and rounding all but vanishes. Then
come another algorithm (an ε, a cut-off), a kink or a tie, where any value between the one-sided derivatives is right,
and half precision. Each reason has a name, and is told to the reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from torch_ref.numbers.agreement import Comparison, Reason, compare
from torch_ref.numbers.another import below, by_another_algorithm, error_of, limits_of_algorithms, share_off
from torch_ref.numbers.half import HALF, judged, remainder_of
from torch_ref.numbers.power import Room
from torch_ref.numbers.rounding import ordered_run, rounded_run
from torch_ref.numbers.witness import CEILING, OWN, Level, Tensors, Witness, all_finite, doubled, levels
from torch_ref.steps.finest import DOUBLE, MOVED, UNIT, Finest, Narrowest, around, finest
from torch_ref.steps.kinks import Kinks, as_complex, as_real
from torch_ref.steps.step import Made, Outputs, Step, Value, can_flow

ACCURATE = 1e-2
"""Of the norm: what a formula that is right in float64 may be off in float32."""

LOOSE = 1e-5
"""Of the norm: where rounding alone may be more, float64 decides: gates that leap hide mistakes."""

SPREAD = 4.0
"""How many times farther off than a rounding moves it a gradient may be that is rounding alone."""

NEAR = 1e-8
"""Of the size of the inputs: how far beside a kink the one-sided derivatives are taken."""

APART = 1e-13
"""Of the size of the numbers: how far equal ones are moved apart beside a kink; all else changes as little."""

MORE = 100
"""From here on the seeds of further roundings at random, none of which a witness has."""

MANY = 16
"""How many of them there are around a kink."""


class SecondLook:
    """What else is known of one step, each part computed once, and only where something differs."""

    def __init__(self, step: Step, strict: bool) -> None:
        """Take the step; with ``strict`` another algorithm is no reason."""
        self.step, self.strict, self.no_kinks = step, strict, False
        self._finest: dict[str, Finest | None] = {}
        self._decisive: dict[str, Finest | None] = {}
        self._computes_in_float64 = False

    def again(self, made: Made, value: Value, found: Comparison) -> Comparison:
        """Return the comparison as it is after a second look."""
        tensor, witness = value.tensor, self.step.witnesses[made.name]
        if tensor is None or value.failure or self.step.tolerance or tensor.shape != witness.value.shape:
            return found
        if tensor.dtype != witness.value.dtype or tensor.device != witness.value.device:
            return found
        witness = witness.beside(tensor)
        if not can_flow(tensor) or found.skipped:
            return found
        if not all_finite(tensor, witness.value):
            return self._not_finite(made, tensor, found, witness)
        if found.ok and not self.step.again and self._shows_little(made, tensor, found):
            decided = self._in_float64(made, tensor, found)
            if decided is not None:
                return decided
        if witness.is_half:
            return self._in_half(made, tensor, found, witness)
        is_loose = found.reason == "zero" or (found.reason == "rounding" and found.relative > LOOSE)
        return found if found.ok and not is_loose else self._differing(made, tensor, found)

    def _shows_little(self, made: Made, tensor: Tensor, found: Comparison) -> bool:
        """Tell whether a gradient that agrees is 0, zero but for rounding, or so much rounding that it hides mistakes.

        Of half precision, which is judged in float64 anyway, only zeros count.
        """
        if made in self.step.outputs or not tensor.numel():
            return False
        if tensor.dtype in DOUBLE:
            return found.reason == "zero"
        if tensor.dtype in HALF or self.step.is_large or found.reason == "zero":
            return not bool(tensor.any()) or (found.reason == "zero" and tensor.dtype not in HALF)
        return not bool(tensor.any()) or share_off(tensor, self.step.witnesses[made.name]) > LOOSE

    # ------------------------------------------------------------------------------ reasons

    def _differing(self, made: Made, tensor: Tensor, found: Comparison) -> Comparison:
        """Return what float64, another algorithm or a kink make of a difference."""
        witness = self.step.witnesses[made.name]
        inside = self.by_hand_in_float64.get(made.name)
        finest, exact = tensor, witness
        if inside is not None and witness.value.dtype != torch.float64 and inside.shape == tensor.shape:
            finest, exact = inside, witness.in_arithmetic_of(torch.float64)
            in_float64 = compare(inside, exact)
            is_right = in_float64.ok or self._is_rounding(made, inside)
            if is_right or (found.reason == "zero" and exact.is_rounding_alone):
                return found if found.ok else self._less_accurate(made, tensor, found, witness)
            if found.ok:  # as inexact as arithmetic is here, but a mistake all the same
                found = replace(in_float64, remark=f"{in_float64.remark}, where it computes in float64")
        if found.ok:
            return found
        if exact.is_rounding_alone and exact.distance(finest) <= SPREAD * exact.spread:
            zero = replace(found, status="rounding", reason="zero", remark="zero but for rounding")
            return self._in_float64(made, tensor, zero) or zero
        if not self.strict and (agrees := by_another_algorithm(found, finest, exact)):
            return agrees
        if kink := self._at_a_kink(made, finest, exact):
            return kink
        if witness.value.dtype in DOUBLE and self._is_rounding(made, tensor):
            remark = f"as inexact as its own operations make it in float64, off by {found.relative:.1e}"
            return replace(found, status="rounding", reason="accuracy", remark=remark)
        return found

    def _is_rounding(self, made: Made, inside: Tensor) -> bool:
        """Tell whether all that a gradient is off in float64 is rounding, also that of the handwritten formula itself.

        What leaps, at a kink or by a special case, is not: it leaps as far however small the unit is. Where roundings
        may be more than a little, as of 1 − tanh² at numbers whose squares are large, they explain nothing.
        """
        if made in self.step.outputs or made.name not in self.by_hand_in_float64 or not self._computes_in_float64:
            return False
        witness = self.step.witnesses[made.name]
        if witness.distance(inside) > MOVED * witness.norm > 0:  # farther than what is accepted below, at once
            return False
        found = around(self.step, made, inside, UNIT)
        return found is not None and found.bound <= MOVED and not found.beyond(inside)

    def _in_float64(self, made: Made, tensor: Tensor, found: Comparison) -> Comparison | None:
        """Return what float64 makes of a gradient of which its own dtype shows too little; None: nothing."""
        finest = self.finest(made)
        if finest is None:
            return None
        is_zero, dtype = not bool(tensor.any()), str(tensor.dtype).removeprefix("torch.")
        in_float64 = compare(finest.by_hand, finest.witness)
        if not in_float64.ok and not self.strict:
            in_float64 = by_another_algorithm(in_float64, finest.by_hand, finest.witness) or in_float64
        if in_float64.ok:
            seen = replace(found, reason="accuracy", remark=f"right in float64; in {dtype} it is 0 on both sides")
            return seen if is_zero else found
        witness = self.step.witnesses[made.name].in_arithmetic_of(torch.float64)
        remark = f"{in_float64.remark}, where it computes in float64"
        remark += f"; in {dtype} it is 0 on both sides" if is_zero else ""
        kink = self._at_a_kink(made, self.by_hand_in_float64[made.name], witness)
        return kink or replace(in_float64, remark=remark)

    def finest(self, made: Made) -> Finest | None:
        """Return a gradient by hand in float64 with its witness; None where that shows nothing, or it cannot."""
        if made.name not in self._finest:
            exact = self.step.witnesses[made.name].exact
            inside = self.by_hand_in_float64.get(made.name) if exact.any() else None
            fits = inside is not None and inside.shape == exact.shape and self._computes_in_float64
            self._finest[made.name] = finest(self.step, made, inside) if inside is not None and fits else None
        return self._finest[made.name]

    def _not_finite(self, made: Made, tensor: Tensor, found: Comparison, witness: Witness) -> Comparison:
        """Return what float64 makes of numbers of which none is finite, on both sides alike."""
        inside = self.by_hand_in_float64.get(made.name)
        alike = bool(((tensor == witness.value) | (tensor.isnan() & witness.value.isnan())).all())
        if not alike or inside is None or witness.value.dtype == torch.float64 or inside.shape != tensor.shape:
            return found
        dtype = str(tensor.dtype).removeprefix("torch.")
        in_float64 = compare(inside, witness.in_arithmetic_of(torch.float64))
        if not in_float64.ok:
            return replace(in_float64, remark=f"{in_float64.remark} in float64; nothing is finite in {dtype}")
        remark = f"right in float64; in {dtype} no entry is finite, on both sides alike"
        return replace(in_float64, status="rounding", reason="not-finite", remark=remark)

    def _less_accurate(self, made: Made, tensor: Tensor, found: Comparison, witness: Witness) -> Comparison:
        """Return the comparison of what is right in float64, and less exact in the dtype that it has here."""
        dtype = str(next(iter(self.step.inputs.values())).dtype).removeprefix("torch.")
        if witness.distance(tensor) <= OWN * witness.distance(witness.value):
            remark = f"right in float64; in {dtype} it is as inexact as the reference, off by {found.relative:.1e}"
            return replace(found, status="rounding", reason="accuracy", remark=remark)
        if found.relative > ACCURATE and self._is_as_inexact(made, tensor, witness):
            remark = (
                f"right in float64; in {dtype} its own operations make it inexact, off by {found.relative:.1e} of its "
                "norm: another form of the formula would lose fewer digits"
            )
            return replace(found, status="rounding", reason="accuracy", remark=remark)
        if found.relative > ACCURATE:
            remark = (
                f"right in float64, but off by {found.relative:.1e} of its norm in {dtype}: it is numerically unstable"
            )
            return replace(found, remark=remark)
        remark = f"right in float64; in {dtype} it is less exact than the reference, off by {found.relative:.1e}"
        return replace(found, status="rounding", reason="accuracy", remark=remark)

    def _is_as_inexact(self, made: Made, tensor: Tensor, witness: Witness) -> bool:
        """Tell whether the roundings of the handwritten formula move the result as far as it is off."""
        unit = torch.finfo(tensor.dtype).eps
        found = around(self.step, made, self.by_hand_in_float64[made.name], unit, unit)
        return found is not None and not found.beyond(tensor)

    def _at_a_kink(self, made: Made, tensor: Tensor, witness: Witness) -> Comparison | None:
        """Return a comparison that agrees where the gradient is one of those that are right at a kink."""
        name = self.step.input_of(made)
        if name is None or self.no_kinks:
            return None
        value, exact, largest = as_real(tensor), as_real(witness.exact), witness.exact.abs().max()
        noise = witness.scale * witness.growth * witness.squares.sqrt()  # it leaps at a kink, too
        noise = noise.unsqueeze(-1) if tensor.is_complex() else noise
        tolerance = 10 * torch.minimum(noise, 2 * witness.growth * witness.eps * largest) + 1e-6 * largest
        tolerance = tolerance.expand(value.shape)
        off = (value - exact).abs() > tolerance
        if not bool(off.any()):
            return None
        try:
            found = self._kinks(name, made.sign * value, witness.is_half).around(name, off, tolerance)
        except Exception:  # of a reference for one dtype only
            return None
        if found is None or not self._is_right_beside(made):
            return None
        low, high = found if made.sign > 0 else (-found.high, -found.low)
        at = tuple(int(i) for i in off.nonzero()[0])
        where = f"{list(at[:-1])}, {('real', 'imaginary')[at[-1]]} part" if tensor.is_complex() else f"{list(at)}"
        remark = (
            f"at a kink: any value from {low[at].item() + 0.0:.6g} to {high[at].item() + 0.0:.6g} is right at "
            f"{where}, by hand it is {value[at].item() + 0.0:.6g}"
        )
        more = int(off.sum()) - 1
        return replace(
            compare(witness.value, replace(witness, rounded=())),
            status="rounding",
            reason="kink",
            remark=remark + (f" (and at {more} more)" if more else ""),
            relative=share_off(tensor, witness),
        )

    def _in_half(self, made: Made, tensor: Tensor, found: Comparison, witness: Witness) -> Comparison:
        """Return what a difference in half precision is: rounding, rounding in half precision, or a mistake."""
        dtype = self._coarsest(tensor)
        inside = self.by_hand_in_float64.get(made.name)
        off = share_off(tensor, witness)
        if inside is not None and inside.shape == tensor.shape:
            fine = witness.in_arithmetic_of(torch.float32)
            in_float64 = compare(inside, fine)
            if not in_float64.ok:
                kink = self._at_a_kink(made, inside, fine)
                remark = f"{in_float64.remark}, also where it computes in float64"
                return kink or replace(in_float64, remark=remark)
            kind = judged(tensor, witness, lambda: 1.0).kind
            if kind == "wrong" and not found.ok and witness.beyond(tensor):  # more than arithmetic is off here
                remark = f"right in float64, but off by {off:.1e} of its norm in {dtype}"
                return self._at_a_kink(made, tensor, witness) or replace(found, remark=remark)
            kind = "half" if kind == "wrong" else kind
        else:
            kind, allowed = judged(tensor, witness, lambda: self._remainder(made, tensor))
            if kind == "wrong":
                kink = self._at_a_kink(made, tensor, witness)
                count = int(witness.entries_off(tensor).sum())
                wrong = replace(found, status="wrong", reason="", bound=allowed, off=count)
                return kink or replace(wrong, relative=off, remark=f"off by {off:.1e} of its norm")
        if kind == "rounding":
            return found if found.ok else replace(found, status="rounding", reason="rounding", remark="")
        if inside is None:
            still = "it cannot compute in float64, which shows more"
            remark = f"off by {off:.1e} of its norm, as sums in {dtype} are; {still}"
        elif off > CEILING:
            remark = (
                f"off by {off:.1e} of its norm, as arithmetic in {dtype} is here: only float64 says that it is right"
            )
        else:
            remark = f"right, but summed or rounded in {dtype}: off by {off:.1e} of its norm"
        return replace(found, status="rounding", reason="half", remark=remark)

    def _coarsest(self, tensor: Tensor) -> str:
        """Return the name of the dtype with the fewest digits, of a tensor and of what it was made of."""
        given = [t.dtype for t in (tensor, *self.step.given.values()) if can_flow(t)]
        return str(max(given, key=lambda dtype: torch.finfo(dtype).eps)).removeprefix("torch.")

    def of_a_mistake(self) -> SecondLook:
        """Return the same for a result in which a mistake is planted: it has no excuse at a kink."""
        other = SecondLook(self.step, self.strict)
        vars(other).update(by_hand_in_float64=self.by_hand_in_float64, no_kinks=True)
        vars(other).update(_halves=self._halves, _of_parts=self._of_parts)
        return other

    def can_be_solved(self, made: Made) -> bool:
        """Tell whether limits say what is seen: not in half precision, of a formula that cannot use more."""
        witness = self.step.witnesses[made.name]
        is_given = witness.value.dtype in (self.step.tolerance or {})
        return not witness.is_half or is_given or made.name in self.by_hand_in_float64

    def room(self, made: Made, value: Tensor, reason: Reason, every: int = 1, finest: Finest | None = None) -> Room:
        """Return how far a result that agrees may be moved: past the limits here, and past those of algorithms.

        The result may be one row in ``every`` so many of it, and may be what there is in float64.
        """
        witness, tolerance = self.step.witnesses[made.name], (self.step.tolerance or {}).get(value.dtype)
        witness = witness.of_rows(every) if self.step.is_large else witness
        if tolerance is not None:
            limits = [level._replace(norms=torch.full_like(level.norms, torch.inf)) for level in witness.limits]
            limits[0] = Level("tensor", torch.as_tensor(tolerance * witness.norm), 1.0)
            return Room(error_of(value, witness), [limits], witness.scale, every)
        is_half = witness.is_half
        if finest is not None:
            witness, value = finest.of_rows(every)
        elif reason in ("algorithm", "accuracy") or is_half:
            inside = self.by_hand_in_float64.get(made.name)
            if inside is not None:
                value = inside[::every] if every > 1 else inside
                witness = witness.in_arithmetic_of(torch.float32 if is_half else torch.float64)
        error = error_of(value, witness)
        found = [below(witness, CEILING)]
        if finest is not None:
            pass
        elif not is_half and self.step.is_large and LOOSE < witness.bound <= 4 * LOOSE:
            found = [below(witness, 2 * LOOSE)]  # right within a factor of two, whether or not it can use float64
        elif not is_half and witness.bound > LOOSE and made.name in self.by_hand_in_float64:
            found, witness = [below(witness, LOOSE)], witness.in_arithmetic_of(torch.float64)
        if not self.strict and not is_half and reason != "kink":
            found.append([*limits_of_algorithms(witness, rounding=0.5)])  # between that of float64 and all of it
        if reason == "kink":  # there it is right, and as far as it is off a change is not seen
            there = levels(error.abs() ** 2)
            found = [[one._replace(norms=one.norms + off.norms) for one, off in zip(found[0], there, strict=True)]]
            error = torch.zeros_like(error)
        return Room(error, found, witness.scale, every)

    def decisive(self, made: Made, value: Tensor, found: Comparison) -> Finest | None:
        """Return what there is in float64 where that decides about whatever differs from a result that agrees."""
        if made.name not in self._decisive:
            may = found.reason in ("", "rounding", "accuracy") and not self.step.tolerance
            decides = (
                may and self._shows_little(made, value, found) and (found.reason == "accuracy" or bool(value.any()))
            )
            self._decisive[made.name] = self.finest(made) if decides else None
        return self._decisive[made.name]

    # ------------------------------------------------------------------------------ what else is computed

    @cached_property
    def by_hand_in_float64(self) -> Tensors:
        """Return what the handwritten formulas give at the same numbers in float64; empty where they cannot.

        A formula that rounds to half precision inside does not count as one that can.
        """
        watch, wide = Narrowest(), self.step.in_float64  # type: ignore[no-untyped-call]
        try:
            _ = wide.witnesses  # not under watch: they are the reference's
            with watch:
                values = self.step.compute(wide, True)
        except Exception:  # of somebody's formula, which may be for one dtype only
            return {}
        self._computes_in_float64 = watch.in_float64 and not watch.narrowed
        found = {name: v.tensor for name, v in values.items() if v.tensor is not None and not v.failure}
        fits = {n: t for n, t in found.items() if t.dtype in DOUBLE}
        return {} if watch.half else {n: t for n, t in fits.items() if all_finite(t)}

    def _kinks(self, name: str, value: Tensor, is_half: bool) -> Kinks:
        """Return the point with the gradients there by hand, of one input the ``value`` that is given."""
        step, eps = self.step, _eps(self.step)
        fixed, errors = doubled(step.fixed), self._errors_in_float64

        def gradients(inputs: Tensors) -> Tensors:
            whole = {name: as_complex(t) if step.inputs[name].is_complex() else t for name, t in inputs.items()}
            return self._of_inputs(step.by_reference(whole | errors, fixed))

        def more() -> Iterator[Tensors]:
            given = doubled(step.inputs) | errors
            for seed in range(MORE, MORE + MANY):  # half precision can step over a kink anywhere inside
                yield self._of_inputs(rounded_run(step.by_reference, given, fixed, eps, seed)[0])

        def in_order() -> Iterator[Tensors]:
            given = doubled(step.inputs) | errors
            for sign in (1, -1):
                yield self._of_inputs(ordered_run(step.by_reference, given, fixed, near, sign))

        inputs = {name: as_real(t) if can_flow(t) else t for name, t in step.inputs.items()}
        here = gradients(inputs)
        near = 4 * eps if is_half else NEAR
        by_hand = here | self._of_inputs(self._by_hand) | {name: value}
        return Kinks(
            inputs, gradients, by_hand, here, near, step.is_large, more if is_half else lambda: iter(()), in_order
        )

    def _of_inputs(self, found: Mapping[str, Tensor]) -> Tensors:
        """Return what is known of the gradients by input, +∂L/∂input."""
        gradients = self.step.gradients.items()
        return {name: made.sign * as_real(found[made.name]) for name, made in gradients if made.name in found}

    @cached_property
    def _by_hand(self) -> Tensors:
        """Return the gradients by hand, those in float64 where there are any."""
        if self.by_hand_in_float64:
            return self.by_hand_in_float64
        values = {name: value.tensor for name, value in self.step.compute(self.step, True).items()}
        right = {made.name: self.step.witnesses[made.name].value for made in self.step.gradients.values()}
        return {
            name: t for name, t in values.items() if t is not None and name in right and t.shape == right[name].shape
        }

    @property
    def _errors_in_float64(self) -> Tensors:
        return {f"error of output {i}": e for i, e in enumerate(self.step.in_float64.errors)}

    def _is_right_beside(self, made: Made) -> bool:
        """Tell whether the handwritten formula agrees with the reference at points beside a kink."""
        return made.name in self._right_beside

    @cached_property
    def _right_beside(self) -> set[str]:
        able = all(made.name in self.by_hand_in_float64 for made in self.step.gradients.values())
        step, near = (self.step.in_float64, NEAR) if able else (self.step, 64 * _eps(self.step))
        generator = torch.Generator().manual_seed(1)
        names = {made.name for made in self.step.gradients.values()}
        for draw in range(2, 5):
            beside = replace(step, inputs=_beside(step.inputs, generator, draw, near))
            try:
                values = beside.compute(beside, True)
                names = {name for name in names if _agrees_beside(beside, name, values[name])}
            except Exception:  # of a reference or a formula for one dtype only
                return set()
        return names

    def _remainder(self, made: Made, tensor: Tensor) -> float | None:
        """Return what is left of an error when those of two halves of the upstream gradient are subtracted."""
        if made in self.step.outputs or all(e.numel() < 2 for e in self.step.errors):
            return None
        values = [one[made.name].tensor for one in self._of_parts]
        if any(v is None for v in values):
            return None
        whole, *parts = [v for v in values if v is not None]
        exact = [step.witnesses[made.name].exact for step in self._halves]
        return remainder_of(whole, parts, self.step.witnesses[made.name].exact, exact, of=tensor)

    @cached_property
    def _halves(self) -> list[Step]:
        """Return the step at two parts of the upstream gradient."""
        return [self.step.at(part) for part in _parts(self.step.errors)]

    @cached_property
    def _of_parts(self) -> list[dict[str, Value]]:
        """Return what the handwritten formulas give at the whole upstream gradient and at its parts."""
        return [step.compute(step, True) for step in (self.step, *self._halves)]


def _agrees_beside(step: Step, name: str, value: Value) -> bool:
    """Tell whether a value agrees beside a kink.

    Other numbers may still be equal there, as where tanh has come so near to 1 that it does not change any more: then
    it lies between the gradients where the first of them is taken, and where the last is.
    """
    found, witness, tensor = step.compared(name, value), step.witnesses[name], value.tensor
    if found.ok or tensor is None or tensor.shape != witness.value.shape or not all_finite(tensor):
        return found.ok
    given = doubled(step.given)
    runs = [ordered_run(step.by_reference, given, doubled(step.fixed), APART, sign)[name] for sign in (1, -1)]
    there = torch.stack([as_real(t) for t in (*runs, witness.exact)])
    room = (100 * torch.finfo(tensor.dtype).eps + 10 * APART) * float(witness.exact.abs().max())
    seen = as_real(tensor)
    return bool(((seen >= there.amin(0) - room) & (seen <= there.amax(0) + room)).all())


def _beside(given: Tensors, generator: torch.Generator, draw: int, near: float) -> Tensors:
    """Return the inputs moved a little: all up, all down, then at random."""
    moved = {}
    for name, t in given.items():
        if not can_flow(t):
            moved[name] = t
            continue
        size, parts = float(t.norm()) / max(t.numel(), 1) ** 0.5 or 1.0, as_real(t)
        steps = torch.rand(parts.shape, generator=generator, dtype=torch.float64).to(t.device) + 0.5
        if draw > 1:
            steps = steps * (torch.randint(0, 2, parts.shape, generator=generator).to(t.device) * 2 - 1)
        steps = as_complex(steps) if t.is_complex() else steps
        moved[name] = t + ((-1.0 if draw == 1 else 1.0) * near * size * steps).to(t.dtype)
    return moved


def _parts(errors: Outputs) -> list[Outputs]:
    """Return two errors that add up to these without rounding: one has every other row, one the others."""
    kept: list[list[Tensor]] = [[], []]
    for e in errors:
        mask = torch.zeros(e.shape, dtype=torch.bool, device=e.device)
        rows = mask if e.ndim and len(e) > 1 else mask.view(-1)
        rows[::2] = True
        for part, chosen in zip(kept, (mask, ~mask), strict=True):
            part.append(torch.where(chosen, e, 0))
    return [tuple(part) for part in kept]


def _eps(step: Step) -> float:
    return torch.finfo(next(t for t in step.inputs.values() if can_flow(t)).dtype).eps
