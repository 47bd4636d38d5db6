"""A backward that updates the parameters itself: what each was moved by is the learning rate times its gradient.

``W -= lr * dz.T @ x`` in a layer's own method never shows its gradient. It is (before − after) / lr, whatever the signs
in between are. So it is computed in float64: the difference of two nearly equal numbers has few digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from torch_ref.lines.flow import Flow
from torch_ref.lines.names import RATE, path_of
from torch_ref.lines.pairing import Pair, Pairing
from torch_ref.lines.places import is_array, is_number
from torch_ref.lines.record import Version
from torch_ref.lines.trace import Run
from torch_ref.lines.values import Values

UPDATE = re.compile(r"(?P<place>\S+) (?:[-+]=|= (?P=place) [-+]) (?P<rate>\d*\.?\d+(?:e-?\d+)?)?")
"""A statement that moves something, by a number times something perhaps."""

ALIKE = 1e-3
"""How nearly all entries of all parameters are moved alike by an optimizer that divides by their size, as Adam."""

NEAR = 1e-6
"""Of the largest entry: how near a variable has to be that is multiplied by the learning rate."""


@dataclass(frozen=True)
class Updates:
    """The updates in a run of backward."""

    run: Run
    around: Mapping[str, Any]
    """The global variables of backward, of which one may be the learning rate."""

    def paired(self, pairing: Pairing, values: Values) -> Pairing:
        """Return the pairs, with those of the parameters that were updated where no gradient has a name of its own."""
        found = tuple(self._pairs(values))
        named = {place.key for pair in pairing.pairs for place in pair.places}
        is_named = any(pair.places[0].key in named for pair in found)
        if is_named or all(_is_alike(version.value) for pair in found for (version,) in pair.gradients):
            return pairing
        moved = {version.place for pair in found for (version,) in pair.gradients}
        reasons = {place: reason for place, reason in pairing.reasons.items() if place not in moved}
        return replace(pairing, pairs=(*pairing.pairs, *found), reasons=reasons)

    def _pairs(self, values: Values) -> Iterator[Pair]:
        for key, name in values.leaves.items():
            before = values.given[name]
            after = {v.made: v for v in self.run.places.get(name, []) if not v.given and _may_be_moved(v.value)}
            if len(after) != 1:  # of several steps each begins where the last one ended
                continue
            (version,) = after.values()
            rate = self._rate(version)
            if rate and tuple(np.shape(version.value)) == tuple(before.value.shape):
                moved = (_like(before.value, version.value) - version.value) / rate
                shown = self._shown(version, moved) or replace(version, value=moved)
                yield Pair(name, (values.by_key[key],), ((shown,),), True)

    def _shown(self, version: Version, moved: Any) -> Version | None:
        """Return the variable that an update multiplies by the rate, with all its digits; None where it has none."""
        for one in Flow(self.run).read(version):
            for value in (one.value, -one.value) if _may_be_moved(one.value) else ():
                if _is_near(value, moved):
                    return replace(one, value=value)
        return None

    def _rate(self, version: Version) -> float | None:
        """Return the learning rate of an update; None where nobody can tell."""
        statement = version.where
        update = UPDATE.match(statement.text)
        if update is None or update["place"] != version.place:  # a function that is called does it
            rates = set(self._rates.values())
            return rates.pop() if len(rates) == 1 else None
        named = [name for name in statement.parts if RATE.fullmatch(path_of(name).name)]
        if named:
            rates = {self._rates[name] for name in named if name in self._rates}
            return rates.pop() if len(rates) == 1 else None
        if update["rate"]:
            return float(update["rate"])
        return 1.0 if all(self._is_array(name) for name in statement.parts) else None

    @property
    def _rates(self) -> dict[str, float]:
        last = {place: versions[-1].value for place, versions in self.run.places.items()}
        found = {**{name: value for name, value in self.around.items() if is_number(value)}, **last}
        return {
            place: float(value)
            for place, value in found.items()
            if RATE.fullmatch(path_of(place).name) and isinstance(value, int | float | np.number)
        }

    def _is_array(self, name: str) -> bool:
        """Tell whether a name in a statement is no number, and no function of somebody's own."""
        versions = [v for place in self.run.places for v in self.run.places[place] if _is_in(place, name)]
        return all(np.ndim(v.value) for v in versions) if versions else _is_library(self.around.get(name.split(".")[0]))


def _may_be_moved(value: Any) -> bool:
    """Tell whether something may be a parameter after an update; ``self.b = self.b - ...`` makes a number of one."""
    return is_array(value) or isinstance(value, float | np.floating)


def _is_in(place: str, name: str) -> bool:
    return place == name or name.startswith((f"{place}.", f"{place}[")) or place.startswith((f"{name}.", f"{name}["))


def _is_library(value: Any) -> bool:
    return getattr(value, "__name__", "") in ("numpy", "torch")


def _like(before: Tensor, after: Any) -> Any:
    found = before.detach()
    return found.to(after.dtype) if isinstance(after, Tensor) else found.cpu().numpy().astype(after.dtype)


def _is_near(value: Any, moved: Any) -> bool:
    """Tell whether something is the gradient by which a parameter was moved; that has not lost its last digits."""
    if np.shape(value) != np.shape(moved):
        return False
    return float(abs(value - moved).max()) <= NEAR * float(abs(moved).max())


def _is_alike(moved: Any) -> bool:
    """Tell whether all entries were moved alike, one alone by the rate: that says no more of them than the sign."""
    sizes = abs(moved)[moved != 0]
    if np.size(moved) == 1:
        sizes = np.array([1.0, *map(float, sizes)])
    return len(sizes) == 0 or bool(sizes.max() - sizes.min() < ALIKE * sizes.max())
