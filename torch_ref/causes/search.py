"""The mistake in one operation of the reference that gives just the numbers that were seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from torch_ref.causes.factors import of_factor, of_foreign_factor
from torch_ref.causes.half_sums import of_half_sum
from torch_ref.causes.loops import Changes, in_every_step, of_ways, rounds_of
from torch_ref.causes.masks import THRESHOLDS, of_mask
from torch_ref.causes.operands import of_product, stale
from torch_ref.causes.parts import Numbers, Part, claims, numbers_of, parts_of
from torch_ref.causes.projections import of_projection
from torch_ref.causes.slopes import FACTOR_MISSING, Change, of_function, of_power, of_slope
from torch_ref.causes.sums import of_sum
from torch_ref.causes.tape import Operation, Tape, expanded, same
from torch_ref.causes.upstream import of_upstream
from torch_ref.causes.whole import Slope, of_stretch, of_whole
from torch_ref.known.cause import Cause
from torch_ref.known.scene import Scene
from torch_ref.steps.graph import Key

SAME = 1e-6

SMALL = 1e-3
"""Of what an operation hands on: a mistake that makes less of it leaves it out."""

MOST_WORK = 1.2e8
"""Numbers that all tries of one check may compute together; what a try costs besides counts as some, too."""

LARGEST, LARGE = 2e7, 1e6
"""Numbers that go through a reference in which nothing is looked for, or not all values are compared."""

OF_A_TRY, OF_AN_OPERATION = 1e4, 3e3


DOUBTFUL = frozenset({"another-tensor", "input-too-often", "term-missing", "wrong-power", "another-gradient"})
"""Causes that give way to a plainer one."""


class Reference(NamedTuple):
    """What a gradient comes from, with its history."""

    outputs: Sequence[Tensor]
    upstream: Sequence[Tensor]
    target: Tensor
    """The value whose gradient is asked for."""
    gradients: Mapping[str, Tensor] = {}  # of a NamedTuple: nobody writes into it
    """Those of other values, by name."""
    inputs: Sequence[Tensor] = ()
    values: Sequence[Tensor] = ()
    """What was computed on the way."""
    share: float = 1.0
    """Of all work that may be done: several gradients of one check have the rest."""
    slope: Slope = lambda x: None
    """The derivative at another value of the target, where the function works entry by entry."""
    edge: GradientEdge | None = None
    """Where the gradient of a target arrives that is on the way."""
    stops: Mapping[Key, Tensor] = {}
    """What goes on from other places in place of what arrives there."""
    values_at: Mapping[Key, Tensor] = {}
    """The values at these places."""
    is_run_again: bool = False
    """Whether mistakes that are made in every step of a loop are looked for elsewhere."""


class Causes:
    """Looks for the mistake in one operation that gives the numbers seen; nothing is computed before it is called."""

    def __init__(
        self,
        looked_for: Callable[[], tuple[Reference, Scene] | None],
        again: Callable[[], Cause | None] = lambda: None,
    ) -> None:
        """Take in what to look, the numbers that it has to give, and what looks in the reference run again."""
        self.looked_for, self.again = looked_for, again

    @cached_property
    def _search(self) -> Search | None:
        found = self.looked_for()
        if found is None:
            return None
        reference, scene = found
        tape = Tape(reference.outputs, reference.upstream, reference.target, reference.edge, reference.stops)
        if not tape.operations or tape.total.is_complex() or any(d.is_complex() for d in tape.upstream):
            return None
        return Search(tape, reference, scene) if tape.size <= LARGEST else None

    def __call__(self, last: bool) -> Cause | None:
        """Return the first mistake that gives the numbers; None where there is none.

        The ``last`` are those that come after all that is known otherwise, of a factor from anywhere, say.
        """
        try:
            with torch.inference_mode(mode=False), torch.autograd.set_multithreading_enabled(False):
                found = self._search.cause(last=last) if self._search else None
        except Exception:  # of an operation of somebody's reference, called by itself
            found = None
        if last or (found and found.code not in DOUBTFUL):
            return found
        other = self.again()
        return other if other and (found is None or other.code not in DOUBTFUL) else found


def _factor(by_hand: Tensor, right: Tensor) -> float | None:
    """Return how many times the right gradient is seen; None where it is no multiple."""
    if by_hand.numel() < 2:
        return None
    square = float((right * right).sum())
    factor = float((by_hand * right).sum()) / square if square else 0.0
    return factor if factor and float((by_hand - factor * right).norm()) <= SAME * float(by_hand.norm()) else None


def _of_factor(factor: float, upstream: Sequence[Tensor]) -> Cause | None:
    """Return what is wrong where the gradient is a multiple; None where that is not known."""
    d = float(upstream[0]) if len(upstream) == 1 and upstream[0].numel() == 1 else 1.0
    if d != 1 and abs(factor - d) <= SAME * abs(d):
        return Cause("upstream-twice", "the upstream gradient is multiplied in twice")
    if d != 1 and abs(factor * d - 1) <= SAME:
        return Cause("upstream-ignored", "the upstream gradient is ignored")
    return None


class Search:
    """Tries what is known, the plainest first."""

    def __init__(self, tape: Tape, reference: Reference, scene: Scene) -> None:
        """Begin with all work to be done."""
        self.tape, self.reference, self.scene = tape, reference, scene
        self.left = MOST_WORK * reference.share
        self.cost = tape.size + OF_A_TRY + OF_AN_OPERATION * len(tape.operations)

    def cause(self, *, last: bool) -> Cause | None:
        """Return the first mistake that gives the numbers seen."""
        if not last and (cause := next(of_half_sum(self.tape, self.scene), None)) is not None:
            return cause
        if (factor := _factor(self.scene.by_hand, self.tape.total)) is not None:
            return None if last else _of_factor(factor, self.reference.upstream)
        return next(self.last() if last else self.found(), None)

    def found(self) -> Iterator[Cause]:
        """Yield the causes that give the numbers seen."""
        values = self._values

        def products(one: Operation) -> Iterator[Change]:
            yield from of_power(one, values)
            yield from of_product(one, values)

        yield from self._sign_alone()
        yield from self._other_gradients()
        yield from self._given(of_stretch(self.tape, self.reference.values_at))
        yield from self._parts(plain=True)
        yield from self._given(of_whole(self.tape, self.reference.slope))
        yield from self._changed(of_sum)
        yield from self._changed(of_function)
        yield from self._given(of_factor(self.tape, values, self.reference.inputs))
        yield from self._parts()
        yield from self._given(of_projection(self.tape, values))
        yield from self._given(self._from_others())
        yield from self._given(of_upstream(self.tape))
        yield from self._given(of_mask(self.tape, values))
        yield from self._changed(products)
        yield from self._changed(of_slope)
        yield from self._stale()
        if not self.reference.is_run_again:
            for changes in (of_slope, of_ways, of_sum, lambda one: of_product(one, [])):
                yield from self._in_every_step(changes)

    def last(self) -> Iterator[Cause]:
        """Yield what is tried in the end."""
        values = self._values
        yield from self._given(of_foreign_factor(self.tape, values, self.reference.inputs))
        yield from self._at_a_threshold(values)

    def _sign_alone(self) -> Iterator[Cause]:
        seen, right = self.scene.by_hand, self.tape.total
        has_signs = bool((seen > 0).any()) and bool((seen < 0).any())
        if has_signs and seen.numel() > 3 and _is_of_one_size(seen) and not _is_of_one_size(right):
            yield Cause("sign-alone", "only a sign is left: every entry has the same size")

    def _at_a_threshold(self, values: Sequence[Tensor]) -> Iterator[Cause]:
        """Yield that it is wrong just where a value is above a natural threshold: that is no matter of place."""
        off = (self.scene.by_hand - self.tape.total).abs() > self.scene.tolerance * float(self.tape.total.abs().max())
        for v in values:
            for threshold in THRESHOLDS:
                for where in (v > threshold, v < threshold, v.abs() > threshold):
                    if 1 < int(where.sum()) < where.numel() - 1 and _is_expanded(where, off):
                        text = f"it is wrong just where a value of the forward pass lies on one side of {threshold:g}"
                        yield Cause("no-pattern", f"no known pattern fits; {text}")

    def _in_every_step(self, changes: Changes) -> Iterator[Cause]:
        for group in rounds_of(self.tape.operations) if self.left > 0 else ():
            for change, gradient in in_every_step(self.tape, group, changes) if self.left > 0 else ():
                self.left -= 2 * self.cost * len(group)
                if self.left < 0:
                    return
                if self.scene.fits(gradient.double()):
                    change = change.in_words()
                    yield Cause(change.code, f"{change.text}, in every step", {"operation": group[0].name})

    def _given(self, candidates: Iterator[tuple[str, str, Tensor]]) -> Iterator[Cause]:
        for code, text, gradient in candidates:
            self.left -= self.cost
            if self.left < 0:
                return
            if self.scene.fits(gradient.double()):
                yield Cause(code, text)

    def _other_gradients(self) -> Iterator[Cause]:
        for name, d in self.reference.gradients.items():
            if self.scene.fits(d.double()):
                yield Cause("another-gradient", f"it is the gradient of {name}", {"of": name})

    def _from_others(self) -> Iterator[tuple[str, str, Tensor]]:
        """Yield what comes out where an operation goes on with the gradient of another value than its own."""
        for one in self.tape.operations:
            for name, d in self.reference.gradients.items():
                if d.shape == one.came.shape and (found := self.tape.instead(one, d)) is not None:
                    yield "another-gradient", f"the gradient of {name} is used in place of another one", found

    def _changed(self, changes: Changes) -> Iterator[Cause]:
        for one in self.tape.operations:
            for change in changes(one) if self.left > 0 else ():
                moved = self._moved(one, change)
                if moved is None or not self.scene.fits((self.tape.total + moved).double()):
                    continue
                change = change.in_words()
                if not self._is_of_a_part(one, change):
                    is_input = change.text == FACTOR_MISSING and self._is_of_input(one, change)
                    yield Cause("weights-missing" if is_input else change.code, change.text, {"operation": one.name})

    def _is_of_a_part(self, one: Operation, change: Change) -> bool:
        """Tell whether nothing of what an operation hands on would give the same numbers: then a part is missing."""
        went = one.went[change.position]
        part = None if went is None else self.tape.through(one, change.position, went)
        return part is not None and self.scene.fits((self.tape.total - part).double())

    def _is_of_input(self, one: Operation, change: Change) -> bool:
        """Tell whether the factor that is missing is one of the inputs."""
        slope = one.slopes[change.position]
        leaves = [t.detach() for t in self.reference.inputs if t is not self.tape.target]
        return one.name == "mul" and slope is not None and any(_is_expanded(t, slope) for t in leaves)

    def _moved(self, one: Operation, change: Change) -> Tensor | None:
        """Return by how much a change moves the gradient; None where it does not, or all work is done."""
        went = one.went[change.position]
        self.left -= self.cost
        if self.left < 0 or went is None or change.gradient.shape != went.shape:
            return None
        if not bool(torch.isfinite(change.gradient).all()) or float(change.gradient.norm()) < SMALL * float(
            went.norm()
        ):
            return None
        return self.tape.through(one, change.position, change.gradient - went)

    @cached_property
    def _all_parts(self) -> list[Part]:
        self.left -= self.cost * len(self.tape.operations) / 2
        return parts_of(self.tape) if self.left > 0 else []

    def _parts(self, *, plain: bool = False) -> Iterator[Cause]:
        """Yield what is wrong with a part; ``plain`` that one is missing alone, which explains much by little."""
        numbers = Numbers() if plain else numbers_of(self.tape)
        for claim in claims(self._all_parts, numbers):
            is_plain = [share for _, share in claim.shares] == [-1.0] and "where" not in claim.text
            if plain and not is_plain:
                continue
            off = sum((share * part.gradient for part, share in claim.shares), torch.zeros_like(self.tape.total))
            if self.scene.fits((self.tape.total + off).double()):
                yield Cause(claim.code, claim.text, {"through": [part.through for part, _ in claim.shares]})

    @cached_property
    def _values(self) -> list[Tensor]:
        """Return the values that the reference was given or kept, each once; of large ones those that it was given."""
        found: list[Tensor] = []
        if self.tape.size > LARGE:
            return [t.detach() for t in self.reference.inputs if t.dtype == self.tape.total.dtype]
        kept = [t for one in self.tape.operations for t in _kept(one.node)]
        for t in [*self.reference.inputs, *self.reference.values, *kept]:
            for value in (t.detach(), t.detach().transpose(-1, -2)) if t.ndim > 1 else (t.detach(),):
                if value.dtype == self.tape.total.dtype and not any(same(value, other) for other in found):
                    found.append(value)
        return found

    def _stale(self) -> Iterator[Cause]:
        gradients = [*self.reference.gradients.values()]
        for one in self.tape.operations:
            for change in stale(one, gradients):
                self.left -= self.cost
                moved = self.tape.through(one, change.position, change.gradient) if self.left > 0 else None
                share = _share(self.scene, self.tape.total, moved)
                if share is not None and share < 0:
                    yield Cause(change.code, change.text.format(share=-share), {"share": share})


def _is_of_one_size(t: Tensor) -> bool:
    size = t.abs()
    return bool(((size - size.max()).abs() <= SAME * size.max()).all())


def _is_expanded(t: Tensor, to: Tensor) -> bool:
    found = expanded(t, to)
    return found is not None and torch.equal(found, to)


def _kept(node: object) -> Iterator[Tensor]:
    for name in dir(node):
        if name.startswith("_saved_") and isinstance(found := getattr(node, name), Tensor):
            yield found


def _share(scene: Scene, total: Tensor, direction: Tensor | None) -> float | None:
    if direction is None or direction.shape != scene.by_hand.shape or direction.numel() < 2:
        return None
    square = float((direction * direction).sum())
    share = float(((scene.by_hand - total) * direction).sum()) / square if square else 0.0
    return share if share and scene.fits((total + share * direction).double()) else None
