"""The reference run again with one operation computed otherwise, for all gradients that are wrong at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from torch_ref.causes.comparisons import of_comparison
from torch_ref.causes.entrywise import of_slope_of_site
from torch_ref.causes.instead import of_layout, of_other_values, of_turned
from torch_ref.causes.inverses import of_inverse
from torch_ref.causes.largest import of_largest, of_other_mask
from torch_ref.causes.left_out import of_left_out, of_ways
from torch_ref.causes.otherwise import of_another_function, of_axis, of_constant
from torch_ref.causes.reductions import of_reduction, of_softmax_of_site
from torch_ref.causes.rewrites import Candidate, Mistake, Site, in_three_ways
from torch_ref.known.cause import Cause
from torch_ref.known.scene import Scene
from torch_ref.numbers.witness import all_finite
from torch_ref.steps.program import Program

FAMILIES: tuple[Callable[[Site], Iterator[Mistake]], ...] = (
    of_inverse,
    of_left_out,
    of_ways,
    of_slope_of_site,
    of_axis,
    of_reduction,
    of_softmax_of_site,
    of_comparison,
    of_another_function,
    of_constant,
    of_largest,
    of_other_mask,
    of_turned,
    of_layout,
    of_other_values,
)
"""The plainest first."""

MOST_WORK = 1e8
"""Numbers that all tries of one check may compute together; what a try costs besides counts as some, too."""

OF_A_TRY, OF_AN_OPERATION = 3e4, 3e3

LARGEST = 2e6
"""Numbers in a reference that is not run again."""


AS_BEFORE = 1e-8
"""Of the norm: by how much a mistake may move a gradient that it leaves right."""


class Fit(NamedTuple):
    """A mistake, and the gradients that it explains."""

    candidate: Candidate
    names: frozenset[str]
    keeps_others: bool
    """Whether it leaves those right that are."""

    @property
    def worth(self) -> tuple[int, bool]:
        """Return what makes one better than another: how much it explains, then that it does nothing else."""
        return len(self.names), self.keeps_others


class Sweep:
    """Tries mistakes in a program until one explains all that is wrong, or the work is done."""

    def __init__(
        self,
        program: Program,
        outputs: Sequence[Tensor],
        upstream: Sequence[Tensor],
        leaves: Mapping[str, Tensor],
        scenes: Mapping[str, Scene],
        others: Mapping[str, Tensor],
    ) -> None:
        """Take the reference, the numbers of all gradients that are wrong, and the others, which are right."""
        self.program, self.outputs, self.upstream = program, outputs, upstream
        self.leaves, self.scenes, self.others = leaves, scenes, others
        self._fits: list[Fit] | None = None

    def cause(self, name: str) -> Cause | None:
        """Return the mistake that explains most of what is wrong, this gradient too; None where there is none."""
        mine = [fit for fit in self.fits if name in fit.names]
        if not mine:
            return None
        best = max(mine, key=lambda fit: fit.worth)
        return Cause(best.candidate.code, best.candidate.text)

    @property
    def fits(self) -> list[Fit]:
        """Return what explains something, computed once."""
        if self._fits is None:
            self._fits = []
            with (
                torch.inference_mode(mode=False),
                torch.enable_grad(),
                torch.autograd.set_multithreading_enabled(False),
            ):
                self._look()
        return self._fits

    def _look(self) -> None:
        program, found = self.program, self._fits
        size = sum(t.numel() for t in program.values)
        if found is None or not program.is_complete or size > LARGEST:
            return
        left, cost = MOST_WORK, 3 * size + OF_A_TRY + OF_AN_OPERATION * len(program.calls)
        for candidate in candidates(program):
            left -= cost
            if left < 0:
                return
            fit = self._fit(candidate)
            if fit.names:
                found.append(fit)
                if fit.keeps_others and fit.names == self.scenes.keys():
                    return

    def _fit(self, candidate: Candidate) -> Fit:
        """Return of which gradients a candidate gives the numbers seen, and not the right ones."""
        nothing = Fit(candidate, frozenset(), keeps_others=False)
        try:
            outputs = self.program.run(candidate.changes, self.outputs)
            if any(a.shape != b.shape for a, b in zip(outputs, self.outputs, strict=True)):
                return nothing
            given = self._gradients(outputs, [*self.scenes])
            names = frozenset(
                name
                for name, scene in self.scenes.items()
                if (d := given[name]) is not None and scene.fits(_real(d)) and all_finite(d)
            )
            if not names:
                return nothing
            others = self._gradients(outputs, [*self.others]) if self.others else {}
        except Exception:  # of an operation that cannot be computed so
            return nothing
        return Fit(candidate, names, all(self._is_kept(name, d) for name, d in others.items()))

    def _gradients(self, outputs: Sequence[Tensor], names: Sequence[str]) -> dict[str, Tensor | None]:
        found = torch.autograd.grad(
            outputs, [self.leaves[name] for name in names], self.upstream, retain_graph=True, allow_unused=True
        )
        return dict(zip(names, found, strict=True))

    def _is_kept(self, name: str, d: Tensor | None) -> bool:
        right = self.others[name]
        return d is not None and bool((_real(d) - right).norm() <= AS_BEFORE * right.norm())


def _real(t: Tensor) -> Tensor:
    return torch.view_as_real(t.resolve_conj()) if t.is_complex() else t.double()


def candidates(program: Program) -> Iterator[Candidate]:
    """Yield the mistakes in a program, the plainest first; of a loop in every step, then in one."""
    sites = [Site(program, indices) for indices in reversed(program.sites())]
    for family in FAMILIES:
        for site in sites:
            for mistake in _of(family, site):
                yield from in_three_ways(site, mistake)


def _of(family: Callable[[Site], Iterator[Mistake]], site: Site) -> list[Mistake]:
    """Return the mistakes of one operation; none where its arguments are of other kinds than are known."""
    try:
        return [*family(site)]
    except Exception:  # of an operation called in a way that is not foreseen: its cause is missing, no more
        return []
