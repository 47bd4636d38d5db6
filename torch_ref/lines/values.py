"""The values of a forward pass under autograd: each with its names, and the place in the graph where its gradient is.

Values that have no name are there, too: backward may compute such a value again, and give it a name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from torch_ref.lines.names import Path, path_of
from torch_ref.lines.places import followed
from torch_ref.lines.trace import RETURNED, Run
from torch_ref.numbers.operands import tensors_in
from torch_ref.steps.graph import Graph, Key, Place, place_of

SAME = 100
"""Roundings by which a value that is computed again may differ."""


@dataclass(frozen=True)
class Named:
    """One value under one of its names."""

    place: Place
    where: tuple[int, int]
    """Line and column of the statement that made it."""
    order: int


class Unnamed(TorchFunctionMode):
    """While it is entered, every result of an operation that has a history is kept."""

    def __init__(self, instead: Callable[[Any, Any], Any] = lambda found, given: found) -> None:
        """Keep nothing yet; ``instead`` returns what takes the place of a result, from that and what was given."""
        super().__init__()
        self._instead = instead
        self._found: list[tuple[Place, int]] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the operation, and keep what comes out."""
        found = self._instead(func(*args, **(kwargs or {})), (args, kwargs))
        for t in tensors_in(found):
            if t.requires_grad and not t.is_leaf:
                alias = t.detach()
                self._found.append((Place(torch.autograd.graph.get_gradient_edge(t), alias), alias._version))
        return found

    @property
    def places(self) -> list[Place]:
        """Return those whose numbers nothing has changed since."""
        return [place for place, version in self._found if place.value._version == version]


def kept_of(value: Any) -> Place | None:
    """Return the place of a tensor or a followed array in the graph of autograd; None where it has none."""
    tensor = followed(value)
    tensor = value if tensor is None else tensor
    if not isinstance(tensor, Tensor) or not tensor.requires_grad:
        return None
    return place_of(tensor)


@dataclass(frozen=True)
class Values:
    """All values of a forward pass from which its outputs were made."""

    run: Run
    given: Mapping[str, Place]
    """Inputs and parameters, by place; the same value may have several."""
    unnamed: Iterable[Place]
    roots: tuple[Tensor, ...]
    graph: Graph = field(repr=False)

    @cached_property
    def leaves(self) -> dict[Key, str]:
        """Return the inputs and parameters that the outputs were made of, with their first names."""
        return {p.key: name for name, p in reversed(list(self.given.items())) if self.graph.reaches(p)}

    @cached_property
    def by_place(self) -> dict[str, list[Named]]:
        """Return the values at each place, in the order in which they were made; inputs come first."""
        found: defaultdict[str, list[Named]] = defaultdict(list)
        for name, place in self.given.items():
            if self.graph.reaches(place):
                found[name].append(Named(place, (0, 0), -1))
        named: set[Key] = set()
        for version in self.run.versions:
            place = version.value
            if place is None or not self.graph.reaches(place) or path_of(version.place).name == "return":
                continue
            if version.place.startswith(f"{RETURNED}[") and place.key in named:
                continue  # it has another name already
            named.add(place.key)
            if all(other.place.key != place.key for other in found[version.place]):
                found[version.place].append(Named(place, (version.where.line, version.where.column), version.order))
        return {name: several for name, several in found.items() if several}

    @cached_property
    def _paths(self) -> dict[tuple[str, str], list[str]]:
        found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for place in self.by_place:
            path = path_of(place)
            found[path.name, path.behind].append(place)
        return dict(found)

    @cached_property
    def _folded(self) -> dict[tuple[str, str], list[str]]:
        found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for (name, behind), places in self._paths.items():
            found[name.casefold(), behind] += places
        return dict(found)

    def where(self, key: Key) -> tuple[int, int]:
        """Return line and column of the statement that made a value."""
        return self._where.get(key, (0, 0))

    @cached_property
    def _where(self) -> dict[Key, tuple[int, int]]:
        named = [n for several in self.by_place.values() for n in several]
        return {n.place.key: n.where for n in sorted(named, key=lambda n: -n.order)}  # where it was made first

    def called(self, path: Path) -> list[str]:
        """Return the places that a path may mean, one of each value; those that lie in the same object alone."""
        for places in (
            self._paths.get((path.name, path.behind)),
            self._folded.get((path.name.casefold(), path.behind)),
        ):
            if places:
                beside = [place for place in places if path.before and path_of(place).before == path.before]
                holder = path_of(path.before).name
                beside = beside or [p for p in places if holder and path_of(path_of(p).before).name == holder]
                return self._different(beside or places)
        return []

    def each_in(self, name: str) -> list[Named]:
        """Return the values that a list holds, one for each step of a loop, in the order in which they were made."""
        return self.holders.get(self._holder_of(name), [])

    def _holder_of(self, name: str) -> str:
        names = (f"{name}s", f"{name}_list", f"{name}_seq", f"all_{name}", name)
        return next((holder for holder in names if holder in self.holders), "")

    def steps_in(self, name: str, count: int) -> list[Named]:
        """Return what a list holds, with the input that it begins with where there are that many."""
        own, holder = self.each_in(name), self._holder_of(name)
        held = [n for (of, behind), places in self._paths.items() if of == holder and behind for n in self._all(places)]
        given = list({n.place.key: n for n in held if n.place.key in self.leaves}.values())
        return [*given, *own] if own and len(given) == 1 and len(own) + 1 == count else own

    def numbered(self, name: str) -> list[Named]:
        """Return the last value of each variable whose name is one and a number: A1, A2, ... for A."""
        found: dict[int, Named] = {}
        for (of, behind), places in self._paths.items():
            number = re.fullmatch(rf"{re.escape(name)}_?(\d+)", of)
            if number and not behind:
                found[int(number[1])] = self.by_place[places[-1]][-1]
        return [found[n] for n in sorted(found)]

    def _all(self, places: Iterable[str]) -> list[Named]:
        return [n for place in places for n in self.by_place[place]]

    def step(self, path: Path, count: int) -> tuple[str, Named] | None:
        """Return a value that a variable had in one of so many steps, and its name: the second W for dW[1]."""
        index = re.fullmatch(r"\[(\d+)\]", path.behind)
        names = self.called(path._replace(behind="")) if index else []
        several = self.by_place[names[0]] if len(names) == 1 else []
        return (names[0], several[int(index[1])]) if index and len(several) == count > int(index[1]) else None

    @cached_property
    def holders(self) -> dict[str, list[Named]]:
        """Return what each list or dict of computed values holds, in the order in which it was made."""
        found: defaultdict[str, dict[Key, Named]] = defaultdict(dict)
        for (name, behind), places in self._paths.items():
            for n in (n for place in places for n in self.by_place[place] if behind):
                if n.place.key not in self.leaves:
                    found[name][n.place.key] = n
        return {name: sorted(own.values(), key=lambda n: n.order) for name, own in found.items()}

    def _different(self, places: list[str]) -> list[str]:
        """Return one place for each series of values."""
        found = {tuple(n.place.key for n in self.by_place[place]): place for place in reversed(places)}
        return list(found.values())

    @cached_property
    def all_places(self) -> list[Place]:
        """Return the places of all values, in an order that is the same in another pass of the same steps."""
        named = [n.place for several in self.by_place.values() for n in several]
        return [*named, *(place for place in self.unnamed if self.graph.reaches(place))]

    @cached_property
    def by_key(self) -> dict[Key, Place]:
        """Return every value by its place in the graph."""
        return {place.key: place for place in self.all_places}

    def equal_to(self, t: Tensor) -> Place | None:
        """Return the place of the value with these numbers, which backward computed again; None where there is none."""
        for place in self.all_places:
            value = place.value
            if value.shape == t.shape and value.is_floating_point() and _is_near(value, t.to(value.dtype)):
                return place
        return None


def _is_near(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a, b) or float((a - b).norm()) <= SAME * torch.finfo(a.dtype).eps * float(a.norm())
