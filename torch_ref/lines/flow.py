"""What each statement of a run was given: the statements that a value was computed from, one after the other."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch_ref.lines.record import Version
from torch_ref.lines.trace import RETURNED, Run


@dataclass(frozen=True)
class Flow:
    """The values of a run, each with those that its statement read."""

    run: Run

    def behind(self, version: Version, stops: Callable[[Version], bool], *, surely: bool = False) -> dict[int, Version]:
        """Return the values that one was computed from, and itself, by ``made``, each where it was made first.

        Beyond what ``stops`` nothing is looked for, nor is that returned. A statement that reads a dict may have read
        all that it holds; with ``surely`` only what it names itself counts.
        """
        first = self.run.origin(version)
        found, waiting = {first.made: first}, [first]
        while waiting:
            for one in self.read(waiting.pop(), surely=surely):
                if one.made not in found and not one.given and not stops(one):
                    found[one.made] = one
                    waiting.append(one)
        return found

    def read(self, version: Version, *, surely: bool = True) -> Iterator[Version]:
        """Yield what the statement of a value read, where that was made first."""
        begin = self._begins[version.order]
        before = {version.place} if _is_read(version) else set()
        for name in _parts(version) | before:
            for orders in self._orders_of(name, surely):
                k = bisect_left(orders, begin)
                if k:
                    yield self.run.origin(self.run.versions[orders[k - 1]])

    @cached_property
    def _begins(self) -> list[int]:
        """Return for each value the first that the same run of the same statement made."""
        begins: list[int] = []
        places: set[str] = set()
        before: Version | None = None
        for k, version in enumerate(self.run.versions):
            is_same = before is not None and before.where is version.where and version.place not in places
            places = {*places, version.place} if is_same else {version.place}
            begins.append(begins[-1] if is_same else k)
            before = version
        return begins

    @cached_property
    def _places(self) -> dict[tuple[str, bool], list[list[int]]]:
        return {}

    def _orders_of(self, name: str, surely: bool) -> Sequence[list[int]]:
        """Return for each place that a name may mean the values that it had."""
        if (name, surely) not in self._places:
            self._places[name, surely] = [
                [version.order for version in versions]
                for place, versions in self.run.places.items()
                if _is_meant(place, name) or (not surely and _is_held(place, name))
            ]
        return self._places[name, surely]


def _parts(version: Version) -> frozenset[str]:
    """Return what the statement of a value read for it: of what is returned, what that part of it is made of."""
    index = re.fullmatch(rf"{RETURNED}\[(\d+)\].*", version.place)
    elements = version.where.elements
    return elements[int(index[1])] if index and int(index[1]) < len(elements) else version.where.parts


def _is_read(version: Version) -> bool:
    """Tell whether a statement goes on with what was at the same place before."""
    return version.place.partition("[")[0] in version.where.reads


def _is_meant(place: str, name: str) -> bool:
    return place == name or name.startswith((f"{place}.", f"{place}["))  # dz.T reads dz


def _is_held(place: str, name: str) -> bool:
    return name != "self" and place.startswith((f"{name}.", f"{name}["))  # self.split(dz) reads dz
