"""What a quantity should be, by a reference, and how exactly arithmetic can say it here.

The reference is computed in the dtype of the pass, in float64, and again several times in float64 with every operation
rounded as in the dtype of the pass (``rounding``). How far these lie from the float64 values is the error that
arithmetic in this dtype has here, whoever does it, number by number: where a sum of large terms is 0 but for rounding,
it is large beside the result and small beside the terms. A tensor, each of its slices along each dimension, and each
of its numbers have to lie within a few times that error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor

from torch_ref.numbers.rounding import rounded_run

Tensors = dict[str, Tensor]

FACTOR = 4.0
"""How many times the error of arithmetic here the norm of a difference may be."""

OWN = 2.0
"""How many times the reference's own error it may be: the criterion of the FlashAttention papers."""

SLICE, ENTRY = 2.0, 10.0
"""How many times more is allowed to one slice among many, and to one entry: their errors are single random numbers."""

LEAST_OF_ROW = {torch.float64: 1e-11, torch.complex128: 1e-11}
"""Of a row's norm: what is always allowed in float64; nothing that a mistake makes is that small."""

LEAST_OF_ALL = 1e-13
"""Of the whole norm: the same of any part, however small it is beside the rest."""

CEILING = 0.1
"""Of the norm: more is decided in float64, however inexact arithmetic is here. Zeros are off by 1."""

CHANCE = 0.25
"""Of the mean error in each slice that an entry lies in: less is by chance, where two or four roundings are drawn."""

ZERO = 1e3
"""A norm of fewer units in the last place of float64 of the terms that were added is 0 but for rounding."""

LEAP = 2.0**-36
"""The least unit by which a rounded run moves; in float64 only a share of its error counts. At a kink or a tie a run
leaps, however small the unit is: a leap must be large beside the units of float64, to be told from rounding."""

COARSER = 2.0**-26
"""A unit that is a thousand times larger."""

LARGE = 1 << 18
"""Entries, of all tensors together: from here on two roundings at random say enough, otherwise four."""


Run = Callable[[], tuple[Tensor, int]]
"""A rounded run of one quantity, and the number of terms of its longest sum."""


class Level(NamedTuple):
    """The norms of a tensor's slices along one dimension; of the whole tensor, or of each entry."""

    name: str
    norms: Tensor
    factor: float


@dataclass(frozen=True)
class Witness:
    """One quantity by the reference; float64 and the rounded runs are computed when somebody asks for them."""

    value: Tensor
    """In the dtype of the pass."""
    in_float64: Callable[[], Tensor]
    rounded: tuple[Run, ...] = ()
    """The rounded runs, each with the number of terms of its longest sum."""
    unit: float = 0.0
    """The unit in the last place of the arithmetic, where it is another than that of ``value``."""
    finer: float = 1.0
    """The share of the rounded runs' error that counts, where the arithmetic is finer than theirs."""
    rounded_by: Callable[[float], tuple[Run, ...]] | None = None
    """The same runs, rounded by another unit."""
    given: float = 0.0
    """The unit in the last place of rounded numbers that it was made of; 0 where they are meant exactly."""
    may_vanish: bool = True
    """Whether it can be 0 but for rounding: what was measured is uncertain for other reasons."""

    @classmethod
    def exactly(cls, value: Tensor, *, exact: Tensor | None = None, others: Sequence[Tensor] = ()) -> Witness:
        """Return the witness of given numbers: of ``value`` itself, or of what it is in float64."""
        runs = tuple(partial(_of_one_term, run) for run in others)
        return cls(value, lambda: doubled_tensor(value if exact is None else exact), runs)

    def in_arithmetic_of(self, dtype: torch.dtype) -> Witness:
        """Return the witness of the float64 values for a calculation at the same numbers in finer arithmetic.

        Its error is the same share of a smaller unit, as long as errors are small; otherwise it is measured anew.
        """
        unit, exact = torch.finfo(dtype).eps, self.exact
        finer = replace(self, value=exact, in_float64=lambda: exact, unit=unit, finer=self.finer * unit / self.eps)
        if self.rounded_by is None or self.bound <= CEILING:
            return finer
        return replace(finer, rounded=self.rounded_by(max(unit, LEAP)), finer=min(1.0, unit / LEAP))

    def of_rows(self, every: int) -> Witness:
        """Return the witness of some rows of the tensor, the first, and every so many from there on, by one run.

        Its own values stand for those in float64 where nobody needed them yet. A number is its only row.
        """
        if not self.value.ndim:
            return replace(self, rounded=self.rounded[:1])
        exact = self.exact if "exact" in vars(self) or self.is_half else doubled_tensor(self.value[::every])
        rows = exact if len(exact) < len(self.value) else exact[::every]
        return replace(
            self,
            value=self.value[::every],
            in_float64=lambda: rows,
            rounded=self._mapped(lambda t: t[::every])[:1],
            rounded_by=None,
        )

    @property
    def is_half(self) -> bool:
        """Tell whether its arithmetic is coarser than that of float32."""
        return self.value.is_floating_point() and self.eps > torch.finfo(torch.float32).eps

    def beside(self, by_hand: Tensor) -> Witness:
        """Return the witness for a result of the same shape in half precision, which may be finite where it is not.

        There the reference has overflowed, and the float64 values are rounded instead.
        """
        value = self.value
        if not self.is_half or all_finite(value):
            return self
        rounded = self.exact.to(value.dtype)
        overflowed = ~torch.isfinite(value) & torch.isfinite(by_hand) & torch.isfinite(rounded)
        return replace(self, value=torch.where(overflowed, rounded, value))

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> tuple[Run, ...]:
        """Return the rounded runs with every tensor changed."""

        def changed(run: Run) -> tuple[Tensor, int]:
            t, terms = run()
            return change(t), terms

        return tuple(partial(changed, run) for run in self.rounded)

    def where(self, finite: Tensor) -> Witness:
        """Return the witness with 0 wherever something is not finite."""

        def put(t: Tensor) -> Tensor:
            return torch.where(finite, t, 0)

        runs, exact = self._mapped(put), partial(put, self.exact)
        return replace(self, value=put(self.value), in_float64=exact, rounded=runs, rounded_by=None)

    @cached_property
    def exact(self) -> Tensor:
        """Return the quantity in float64."""
        return self.in_float64()

    @cached_property
    def scale(self) -> float:
        """Return the largest finite magnitude of the exact values: norms are taken of tensors divided by it."""
        size = self.exact.abs()
        size = size if all_finite(size) else size[torch.isfinite(size)]
        return (size.max().item() if size.numel() else 0.0) or self._scale_of_noise or 1.0

    @cached_property
    def _scale_of_noise(self) -> float:
        return max((float(torch.nan_to_num(run).abs().max()) for run in self._runs if run.numel()), default=0)

    @cached_property
    def norm(self) -> float:
        """Return the norm of the exact values, in units of ``scale``; what is not finite counts as 0."""
        return float(torch.linalg.vector_norm(self.in_units(self.exact)))

    @property
    def eps(self) -> float:
        """Return the unit in the last place of the arithmetic."""
        return self.unit or torch.finfo(self.value.dtype).eps

    @cached_property
    def terms(self) -> int:
        """Return how many terms the longest sum has."""
        return max((run()[1] for run in self.rounded), default=1)

    @property
    def _runs(self) -> list[Tensor]:
        return [run()[0] for run in self.rounded]

    def in_units(self, t: Tensor) -> Tensor:
        """Return a tensor in float64 in units of ``scale``, 0 where it is not finite."""
        t = doubled_tensor(t)
        found = t / self.scale
        return found if all_finite(t) else torch.where(torch.isfinite(t), found, 0.0)

    @cached_property
    def squares(self) -> Tensor:
        """Return the mean square error of arithmetic here, entry by entry, in units of ``scale``."""
        runs = self._runs
        exact = self.in_units(self.exact)
        squares = (self.eps * exact.abs()) ** 2
        for run in runs:
            squares = squares + (self.finer * (self.in_units(run) - exact).abs()) ** 2 / len(runs)
        return _not_by_chance(squares)

    @cached_property
    def own(self) -> Tensor:
        """Return the squares of the reference's own errors in the dtype of the pass, in units of ``scale``."""
        return self._squares_of(self.value)

    def _squares_of(self, other: Tensor) -> Tensor:
        return (self.in_units(other) - self.in_units(self.exact)).abs() ** 2

    def distance(self, other: Tensor) -> float:
        """Return the norm of the difference from the exact values, in units of ``scale``."""
        return float(self._squares_of(other).sum().sqrt())

    @cached_property
    def growth(self) -> float:
        """Return how many times the error may be: more where many terms are added, in whatever order."""
        return FACTOR * max(1.0, math.sqrt(self.terms) / 4)

    @cached_property
    def bound(self) -> float:
        """Return how far the whole tensor may be off, as a share of the norm, or of ``scale`` where that is 0."""
        if not (self.value.is_floating_point() or self.value.is_complex()):
            return 0.0
        allowed = max(self.growth * float(self.squares.sum().sqrt()), OWN * float(self.own.sum().sqrt()))
        return allowed / (self.norm or 1.0)

    @cached_property
    def is_zero(self) -> bool:
        """Tell whether the quantity is 0 in exact arithmetic: as small as the roundings of float64 make it.

        Made of rounded numbers, it is 0 where it is as small as their roundings make it.
        """
        size_of_terms = float(self.squares.sum().sqrt()) / self.eps
        return (
            self.may_vanish
            and self.norm <= max(ZERO * torch.finfo(torch.float64).eps, FACTOR * self.given) * size_of_terms
        )

    @cached_property
    def spread(self) -> float:
        """Return how far one rounding at random moves the quantity, by the unit of that rounding, in units of scale."""
        return max((self.distance(run) for run in self._runs), default=0.0)

    @cached_property
    def is_rounding_alone(self) -> bool:
        """Tell whether one rounding at random, by the least unit, moves the quantity by a hundredth of its norm.

        A rounding that is a thousand times larger has to move it much farther: at a kink the two leap alike. Then it is
        nothing but rounding in float64, too, even where a kernel hides how large its terms are.
        """
        if self.rounded_by is None or self.spread <= 0.01 * self.norm:
            return False
        return replace(self, rounded=self.rounded_by(COARSER)).spread > 100 * self.spread

    @cached_property
    def limits(self) -> tuple[Level, ...]:
        """Return how far off the tensor, each of its slices, and each entry may be, in units of ``scale``."""
        row, found = LEAST_OF_ROW.get(self.value.dtype, 0.0), []
        for (name, allowed, factor), (_, own, _) in zip(levels(self.squares), levels(self.own), strict=True):
            limit = torch.maximum(factor * self.growth * allowed, OWN * own)
            if row:
                limit = torch.maximum(limit, row * self._size_at(name)).clamp(min=LEAST_OF_ALL * self.norm)
            found.append(Level(name, limit, factor))
        return tuple(found)

    def beyond(self, other: Tensor) -> str:
        """Return the first level at which a tensor is farther off than is allowed; '' where it is nowhere.

        The tensor itself comes first, then its slices, then its entries.
        """
        for (name, off, _), (_, limit, _) in zip(levels(self._squares_of(other)), self.limits, strict=True):
            if bool((off > limit).any()):
                return name
        return ""

    def worst_slice(self, other: Tensor) -> tuple[int, int, float] | None:
        """Return the slice beyond its limit that is farthest off, of its own norm: its dimension, its index, how far.

        None where no slice is.
        """
        sizes, found = levels(self.in_units(self.exact).abs() ** 2), None
        for (name, off, _), (_, limit, _), (_, size, _) in zip(
            levels(self._squares_of(other)), self.limits, sizes, strict=True
        ):
            if name.startswith("slice") and bool((off > limit).any()):
                share = torch.where(off > limit, off / size, 0.0)
                i = int(share.argmax())
                if found is None or float(share[i]) > found[2]:
                    found = int(name.split()[1]), i, float(share[i])
        return found

    def _rows(self) -> Tensor:
        """Return the norm of each entry's row."""
        exact = self.in_units(self.exact)
        norms: Tensor = exact.norm(dim=-1, keepdim=True)
        return norms.expand_as(exact)

    def _size_at(self, name: str) -> Tensor:
        """Return the norms of what each slice of a level lies in: of an entry and a column, the rows."""
        in_rows = name in ("entry", f"slice {self.exact.ndim - 1}")
        squares = self._rows() ** 2 if in_rows else self.in_units(self.exact).abs() ** 2
        return next(norms for other, norms, _ in levels(squares) if other == name)

    def entries_off(self, other: Tensor) -> Tensor:
        """Return where single entries are farther off than rounding makes the norm of the whole."""
        limit = torch.maximum(self.growth * self.squares.sqrt() * SLICE, OWN * self.own.sqrt())
        return self._squares_of(other).sqrt() > limit + LEAST_OF_ROW.get(self.value.dtype, 0.0) * self._rows()


def _not_by_chance(squares: Tensor) -> Tensor:
    """Return mean square errors of which none is small by chance: beside those of its slices along every dimension."""
    if squares.ndim < 2:
        return squares
    dims = range(squares.ndim)
    means = [squares.mean([d for d in dims if d != kept], keepdim=True) for kept in dims]
    least = means[0]
    for mean in means[1:]:
        least = torch.minimum(least, mean)
    return torch.maximum(squares, CHANCE**2 * least)


def levels(squares: Tensor) -> Iterator[Level]:
    """Yield the norms of the whole tensor, of its slices along each dimension, of its rows, and of its entries."""
    for name, sums, factor in sums_of(squares):
        yield Level(name, sums.sqrt(), factor)


def sums_of(t: Tensor) -> Iterator[Level]:
    """Yield the sum of the whole tensor, those of its slices along each dimension and of its rows, and its entries."""
    yield Level("tensor", t.sum(), 1.0)
    if t.ndim > 1:
        for dim in range(t.ndim):
            yield Level(f"slice {dim}", t.sum([d for d in range(t.ndim) if d != dim]), SLICE)
    if t.ndim > 2:
        yield Level("row", t.sum(-1), SLICE)
    yield Level("entry", t, ENTRY)


def witnesses(
    evaluate: Callable[[Tensors, Tensors], Mapping[str, Tensor]],
    given: Tensors,
    fixed: Tensors,
    *,
    again: bool = False,
) -> dict[str, Witness]:
    """Return a witness for everything that ``evaluate(given, fixed)`` returns by name.

    ``given`` and ``fixed`` are taken in float64 too; ``given`` is also moved by a unit in the last place, while
    ``fixed`` (targets) is meant exactly. The second time, ``again``, one rounding at random of large tensors has to do.
    """
    values = evaluate(given, fixed)
    eps = max(
        (torch.finfo(t.dtype).eps for t in given.values() if is_inexact(t)), default=torch.finfo(torch.double).eps
    )
    unit = max(eps, LEAP)
    large = are_large(*given.values(), *values.values())

    @cache
    def exact() -> Mapping[str, Tensor]:
        try:
            return evaluate(doubled(given), doubled(fixed))
        except Exception:  # of a reference for one dtype only: its own numbers have to do
            return values

    @cache
    def rounded(seed: int, by: float) -> tuple[Mapping[str, Tensor], int]:
        if large and eps == by == torch.finfo(torch.float32).eps:  # in float32 itself, which takes half the time
            return rounded_run(evaluate, given, fixed, by, seed)
        try:
            return rounded_run(evaluate, doubled(given), doubled(fixed), by, seed)
        except Exception:  # of a reference for one dtype only: its own operations are rounded
            return rounded_run(evaluate, given, fixed, by, seed)

    def run(name: str, by: float, seed: int) -> tuple[Tensor, int]:
        found, terms = rounded(seed, by)
        return found[name], terms

    def runs(name: str, by: float) -> tuple[Run, ...]:
        return tuple(partial(run, name, by, seed) for seed in range(4 if not large else 1 if again else 2))

    def witness(name: str, value: Tensor) -> Witness:
        in_float64, rounded_by = (lambda: doubled_tensor(exact()[name])), partial(runs, name)
        coarser = eps if is_inexact(value) and eps > torch.finfo(value.dtype).eps else 0.0  # what it was made of
        return Witness(value, in_float64, runs(name, unit), coarser, eps / unit, rounded_by)

    return {name: witness(name, value) for name, value in values.items()}


def _of_one_term(run: Tensor) -> tuple[Tensor, int]:
    return run, 1


def is_inexact(t: Tensor) -> bool:
    """Tell whether a tensor holds numbers that rounding can move."""
    return t.is_floating_point() or t.is_complex()


def check_device(name: str, t: Tensor) -> None:
    """Raise TypeError for a tensor without numbers, or on a device without float64, on which every verdict rests."""
    if t.is_meta:
        raise TypeError(f"a gradient check expects dense tensors with numbers, got {name}, which is on the meta device")
    if not has_float64(t.device):
        raise TypeError(
            f"a gradient check expects a device that computes in float64, got {name} on {t.device}: give it on the CPU"
        )


def has_float64(device: torch.device) -> bool:
    """Tell whether a device computes in float64: Apple's GPUs do not."""
    return device.type != "mps"


def are_large(*tensors: Tensor) -> bool:
    """Tell whether tensors have so many entries together that each further calculation takes its time."""
    return sum(t.numel() for t in tensors) > LARGE


def all_finite(*tensors: Tensor) -> bool:
    """Tell whether tensors hold no infinity and no NaN."""
    return all(_is_finite(part) for t in tensors for part in _parts_of(t))


def _is_finite(t: Tensor) -> bool:
    """Tell whether real numbers are finite: their sum tells at once, but where it overflows itself."""
    return math.isfinite(t.sum().item()) or bool(torch.isfinite(torch.stack(torch.aminmax(t))).all())


def _parts_of(t: Tensor) -> list[Tensor]:
    """Return the tensors of real numbers that a tensor consists of; none where it has no fractions, or no numbers."""
    parts = [t.real, t.imag] if t.is_complex() else [t] if t.is_floating_point() else []
    return [part for part in parts if part.numel()]


def doubled_tensor(t: Tensor) -> Tensor:
    """Return a tensor in float64, or complex128 where it is complex."""
    return t.to(torch.complex128) if t.is_complex() else t.double()


def doubled(tensors: Tensors) -> Tensors:
    """Return the floating-point tensors in float64, the complex ones in complex128, the others as they are."""
    return {name: doubled_tensor(t) if is_inexact(t) else t for name, t in tensors.items()}
