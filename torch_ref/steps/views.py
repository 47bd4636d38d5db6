"""One side of a pair of submodules as a function of tensors by name.

What lies inside and is a step itself is not called: the numbers that the reference had there are handed on instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch_ref.numbers.witness import Tensors
from torch_ref.steps.kept import kept
from torch_ref.steps.modules import Bound, Side, Stand, Visit, tensors_in, visited, with_tensors, written
from torch_ref.steps.pairs import Pair
from torch_ref.steps.step import Outputs, plain


@dataclass(frozen=True)
class Part:
    """What lies inside and is not called: what it gave, and what it is given."""

    visit: Visit
    made: dict[str, str]
    """Of its outputs by path, the names under which they are given."""
    given: list[str]


@dataclass(frozen=True)
class View:
    """One side of a pair, that can be called at other numbers by name."""

    side: Side
    path: str
    bound: Bound
    inputs: dict[str, str]
    """Of the tensors among the arguments by path, the names under which they are given."""
    outputs: list[str]
    parts: list[tuple[str, Part]]
    """Each with its path on this side."""

    def __call__(self, tensors: Tensors) -> Outputs:
        """Return the outputs, then what each part is given; raise TypeError where the outputs are others."""
        stands: dict[str, list[Stand]] = {}
        for path, part in self.parts:
            stands.setdefault(path, []).append(Stand(part.visit, {p: tensors[name] for p, name in part.made.items()}))
        bound = with_tensors(self.bound, {path: tensors[name].clone() for path, name in self.inputs.items()})
        with self.side.without(stands) as found:
            output = self.side.call(self.path, bound, tensors)
        count: Counter[str] = Counter()
        handed = []
        for path, part in self.parts:
            if (path, count[path]) not in found:
                raise LookupError(f"it does not call {part.visit.path} here")
            handed += [found[path, count[path]][name] for name in part.given]
            count[path] += 1
        return (*in_order(output, self.outputs), *handed)

    @property
    def forward(self) -> Callable[..., Any]:
        """Return the code of its forward."""
        return type(self.side.module.get_submodule(self.path)).forward


def in_order(output: Any, paths: list[str]) -> Outputs:
    """Return the tensors of an output; raise TypeError where they are not those at these paths."""
    found = tensors_in(output)
    if set(found) != set(paths):
        raise TypeError(f"it returns {len(found)} tensors where {len(paths)} are expected")
    return tuple(found[path] for path in paths)


def views_of(pair: Pair, mine: Side, theirs: Side, paths: Mapping[str, str]) -> tuple[View, View]:
    """Return both sides of a pair, that by hand first; ``paths`` has the reference's path of each submodule."""
    called_alike = pair.inputs.keys() == set(pair.inputs.values())  # then what is no tensor is the reference's, too
    by_hand = View(
        mine,
        pair.mine.path,
        pair.theirs.bound if called_alike and pair.mine.path else pair.mine.bound,
        {path: pair.shown_input(path) for path in pair.inputs},
        [*pair.outputs],
        [(p.mine.path, Part(p.mine, {y: p.shown_output(y) for y in p.outputs}, [*p.inputs])) for p in pair.inside],
    )
    right = View(
        theirs,
        paths[pair.theirs.path] if pair.theirs.path else "",
        pair.theirs.bound,
        {other: pair.shown_input(path) for path, other in pair.inputs.items()},
        [*pair.outputs.values()],
        [
            (
                paths[p.theirs.path],
                Part(p.theirs, {o: p.shown_output(y) for y, o in p.outputs.items()}, [*p.inputs.values()]),
            )
            for p in pair.inside
        ],
    )
    return by_hand, right


@dataclass(frozen=True)
class Second:
    """One side at a second call: what it keeps on itself from the first one is there."""

    view: View
    first: Tensors

    def __call__(self, tensors: Tensors) -> Outputs:
        """Return what the second call gives."""
        view = replace(self.view, side=replace(self.view.side, keeps=True))
        with kept(view.side.module):
            view({name: plain(t) for name, t in self.first.items()})
            return view(tensors)

    @property
    def forward(self) -> Callable[..., Any]:
        """Return the code of its forward."""
        return self.view.forward


@dataclass(frozen=True)
class Whole:
    """One side of the whole, that also gives what each submodule gave in the pass."""

    view: View
    names: Mapping[str, str]
    wanted: list[tuple[tuple[str, int], str]]
    buffers: list[str]

    def __call__(self, tensors: Tensors) -> Outputs:
        """Return the outputs, then those of the submodules and what is written into buffers: nothing flows there."""
        module = self.view.side.module
        with visited(module, self.names) as found, written(module) as buffers:
            outputs = self.view(tensors)
        inside = {(v.path, v.number): tensors_in(v.output) for top in found for v in top.walk()}
        return (*outputs, *(inside[visit][path] for visit, path in self.wanted), *(buffers[n] for n in self.buffers))

    @property
    def forward(self) -> Callable[..., Any]:
        """Return the code of its forward."""
        return self.view.forward
