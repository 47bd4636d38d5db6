"""Two modules side by side: which call of a submodule is which, and one pass of each that is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from torch_ref.numbers.containers import mapped
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.modules import Bound, Side, Visit, tensors_in, tensors_of, visited, with_tensors, written
from torch_ref.steps.step import can_flow, gradients_of, negative, plain


@dataclass(frozen=True)
class Pair:
    """One call of a submodule of the reference, and the same of the handwritten one."""

    theirs: Visit
    mine: Visit
    inside: tuple[Pair, ...] = ()
    """In the order of the reference's calls."""

    @property
    def label(self) -> str:
        """Return how it is named; '' for the whole module."""
        return self.mine.label

    def walk(self) -> Iterator[Pair]:
        """Yield what lies inside, innermost first, then the pair itself."""
        for pair in self.inside:
            yield from pair.walk()
        yield self

    @property
    def inputs(self) -> dict[str, str]:
        """Return the paths of the tensors among the arguments: of each by hand that of the reference's."""
        return by_place(tensors_of(self.mine.bound), tensors_of(self.theirs.bound)) or {}

    @property
    def outputs(self) -> dict[str, str]:
        """Return the same of the outputs."""
        return by_place(tensors_in(self.mine.output), tensors_in(self.theirs.output)) or {}

    def shown_input(self, path: str) -> str:
        """Return the name of a tensor that it is given."""
        return f"{path} of {self.label}" if self.label else path

    def shown_output(self, path: str) -> str:
        """Return the name of a tensor that it makes."""
        return f"output{path} of {self.label}" if self.label else f"output{path}"


def by_place(mine: Iterable[str], theirs: Iterable[str]) -> dict[str, str] | None:
    """Return which path is which: by the names where they are the same ones, else in order; None where one is left."""
    mine, theirs = list(mine), list(theirs)
    if set(mine) == set(theirs):
        return {path: path for path in mine}
    return dict(zip(mine, theirs, strict=True)) if len(mine) == len(theirs) else None


ELSEWHERE = "the reference calls it elsewhere, or another number of times"

OTHERWISE = "it takes or returns other tensors than the reference's"

NO_GRADIENT = "nothing flows back through it"


def paired(theirs: Visit, mine: Visit, reasons: dict[str, str]) -> Pair:
    """Return two visits with what lies inside; what does not correspond there goes into ``reasons``, by path."""
    calls = {path: [v for v in mine.inside if v.path == path] for path in (v.path for v in mine.inside)}
    count = Counter(v.path for v in theirs.inside)
    reasons |= {path: ELSEWHERE for path in {*calls, *count} if len(calls.get(path, [])) != count[path]}
    pairs = []
    for visit in theirs.inside:
        if visit.path not in reasons:
            pair = paired(visit, calls[visit.path].pop(0), reasons)
            if _lacks(pair.mine, visit):
                reasons[visit.path] = OTHERWISE
            elif not visit.flowing_out:
                reasons[visit.path] = NO_GRADIENT
            pairs.append(pair)
    return Pair(theirs, mine, tuple(pairs))


def _lacks(mine: Visit, theirs: Visit) -> bool:
    """Tell whether two calls take or return another number of tensors."""
    of_inputs = by_place(tensors_of(mine.bound), tensors_of(theirs.bound))
    return of_inputs is None or by_place(tensors_in(mine.output), tensors_in(theirs.output)) is None


def passed(
    side: Side,
    paths: Mapping[str, str],
    bound: Bound,
    given: Tensors,
    flowing: Collection[str],
    errors: Callable[[Tensors], Tensors] | None = None,
) -> tuple[Visit, Tensor]:
    """Return the visit of a whole module, with those inside, and the state of the random generator after it.

    ``given`` are the inputs by path, and the parameters; ``errors`` makes of the outputs what they get in the backward
    pass, which is left out without it.
    """
    with as_it_was(), torch.inference_mode(mode=False), torch.enable_grad():
        leaves = {name: plain(t).requires_grad_(name in flowing and can_flow(t)) for name, t in given.items()}
        inputs = {path: leaves[path].clone() for path in tensors_of(bound)}
        with visited(side.module, paths) as found, written(side.module) as buffers:
            output = side.call("", with_tensors(bound, inputs), leaves)
        state = torch.get_rng_state()
        outputs = tensors_in(output)
        visit = Visit("", 0, bound, mapped(output, lambda _, t: t.detach().clone()), inside=found, buffers=buffers)
        visit.flowing = {path for path in inputs if leaves[path].requires_grad}
        visit.flowing_out = {path for path, y in outputs.items() if y.requires_grad}
        if errors:
            visit.upstream = {path: negative(e) for path, e in errors(outputs).items()}
            d_outputs = [visit.upstream[path] for path in outputs]
            gradients_of([*outputs.values()], {n: t for n, t in leaves.items() if t.requires_grad}, d_outputs)
    return visit, state
