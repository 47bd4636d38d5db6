"""Central differences of a function that only reads an array: the last resort where nothing can be followed.

    D(h) = (f(x + h e_i) − f(x − h e_i)) / 2h      for one entry i after the other

Each has its own uncertainty: what half the step changes, a kink within the step (there the one-sided differences do
not halve with h), and rounding, as large as the function shows it to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import Array, is_followed_dtype

MOST = 200
"""So many entries of a large array are looked at."""

ROUNDINGS = 8.0
"""How many units in the last place of the function's value a difference may be off by itself."""

NOISE = 4.0
"""How many times the rounding that the function shows in the median a difference may be off."""


@dataclass(frozen=True)
class Differences:
    """The derivatives by some entries of an array."""

    indices: Array
    """Places in the flattened array, in order."""
    values: Array
    """NaN where the function has no finite number."""
    uncertainties: Array
    """How far each value may be off; inf where nothing is known."""

    @property
    def is_whole(self) -> bool:
        """Tell whether they are those of all entries from the first on."""
        return bool((self.indices == np.arange(len(self.indices))).all())


def differences(loss: Callable[[], Any], array: Array, *, most: int = MOST, seed: int = 0) -> Differences:
    """Return the derivatives of ``loss() -> number``, which reads ``array``, by its entries.

    Of more than ``most`` entries so many are drawn, with a generator of its own. The entries are changed in place and
    put back, also where ``loss`` raises. Raises CannotFollow for an array that has no fractions or cannot be written
    to.
    """
    if not is_followed_dtype(array.dtype) or not array.flags.writeable:
        kind = array.dtype if array.flags.writeable else "an array that cannot be written to"
        raise CannotFollow("central differences", f"they need float16, float32 or float64, got {kind}")
    indices = np.arange(array.size)
    if array.size > most:
        indices = np.sort(np.random.default_rng(seed).choice(array.size, most, replace=False))
    here = _number(loss)
    steps = _steps(array, indices, np.finfo(array.dtype).eps)
    found = _around_all(loss, array, indices, steps)
    relative_noise = float(np.median(_noise(found, here))) / (abs(here) or 1.0) if len(found) else 0.0
    if relative_noise > 1e3 * np.finfo(array.dtype).eps:  # something inside has fewer digits than the array
        steps = _steps(array, indices, relative_noise)
        found = _around_all(loss, array, indices, steps)
    return _judged(indices, found, here, np.finfo(array.dtype).eps)


def _number(loss: Callable[[], Any]) -> float:
    with np.errstate(all="ignore"):
        return float(np.asarray(loss()))


def _steps(array: Array, indices: Array, eps: float) -> Array:
    """Return how far to step from each entry: the third root of the rounding balances it with the step's own error."""
    numbers = array.reshape(-1)[indices].astype(np.float64)
    size = float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) if array.size else 1.0
    return np.float64(eps) ** (1 / 3) * np.maximum(np.abs(numbers), size or 1.0)


def _around_all(loss: Callable[[], Any], array: Array, indices: Array, steps: Array) -> Array:
    found = [_around(loss, array, int(i), float(h)) for i, h in zip(indices, steps, strict=True)]
    return np.array(found).reshape(-1, 6)


def _around(loss: Callable[[], Any], array: Array, i: int, h: float) -> list[float]:
    """Return the loss at x + h, x − h, x + h/2, x − h/2, and the two distances as the array's dtype stores them."""
    place = np.unravel_index(i, array.shape)
    kept = array[place]
    losses, stored = [], []
    try:
        for step in (h, -h, h / 2, -h / 2):
            array[place] = kept + step
            stored.append(float(array[place]))
            losses.append(_number(loss))
    finally:
        array[place] = kept
    return [*losses, stored[0] - stored[1], stored[2] - stored[3]]


def _noise(found: Array, here: float) -> Array:
    """Return how rough the function is: its fourth difference, over the norm of its weights."""
    up, down, half_up, half_down = found[:, :4].T
    rough: Array = np.nan_to_num(np.abs(up - 4 * half_up + 6 * here - 4 * half_down + down) / np.sqrt(70))
    return rough


def _judged(indices: Array, found: Array, here: float, eps: float) -> Differences:
    up, down, half_up, half_down, wide, narrow = found.T
    with np.errstate(all="ignore"):
        values = (half_up - half_down) / narrow
        of_step = np.abs((up - down) / wide - values)
        bend, narrow_bend = (up - here) + (down - here), (half_up - here) + (half_down - here)
        kinks = np.abs(bend - 4 * narrow_bend) / (narrow / 2)
        rounding = ROUNDINGS * eps * abs(here) + NOISE * (np.median(_noise(found, here)) if len(found) else 0.0)
        uncertainties = of_step + kinks + rounding / narrow
    lost = ~np.isfinite(values)
    return Differences(indices, values, np.where(lost | ~np.isfinite(uncertainties), np.inf, uncertainties))
