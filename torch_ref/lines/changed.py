"""Which of the arrays that somebody gave a backward changed in place: who called it may still need them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.lines.places import copied, is_array, values_in
from torch_ref.lines.record import Version
from torch_ref.lines.trace import Run

UPDATED = 1e-5
"""Of the norm of a change: how near it has to be to a multiple of something to be a step along that."""


class Watched:
    """Arrays by name, and what they hold now."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        """Take the arrays in something."""
        found = {place: part for name, value in given.items() for place, part in values_in(value, name)}
        self._arrays = {place: part for place, part in found.items() if is_array(part)}
        self._before = {place: copied(part) for place, part in self._arrays.items()}

    def changed(self, made: Iterable[Version] = ()) -> tuple[str, ...]:
        """Return the names of those that hold something else now.

        What was updated on purpose is none: it was moved by a multiple of something that was ``made``, its gradient.
        """
        found = {name: _step(self._before[name], array) for name, array in self._arrays.items()}
        moved = {name: step for name, step in found.items() if step is not None}
        if not moved:
            return ()
        others = [v for v in made if not v.given and is_array(v.value) and v.place not in moved]
        directions = [_flat(v.value) for v in others]
        return tuple(n for n, step in moved.items() if not any(_is_along(step, along) for along in directions))


def _step(before: Any, now: Any) -> Tensor | None:
    """Return by what an array was moved; None where it is what it was."""
    equal = torch.equal if isinstance(now, Tensor) else np.array_equal
    if equal(before, now):  # quick, of what is large
        return None
    a, b = _flat(before), _flat(now)
    if a.shape != b.shape:
        return b
    is_same = bool(((a == b) | ((a != a) & (b != b))).all())
    return None if is_same else b - a


def _flat(value: Any) -> Tensor:
    found = value.detach() if isinstance(value, Tensor) else torch.as_tensor(np.array(value))
    return found.flatten().to("cpu", torch.complex128 if found.is_complex() else torch.float64)


def _is_along(step: Tensor, along: Tensor) -> bool:
    if step.shape != along.shape or step.numel() < 2 or along.dtype != step.dtype:
        return False
    size = float(along.norm()) ** 2
    factor = torch.vdot(along, step) / size if size else 0.0
    return float((step - factor * along).norm()) <= UPDATED * float(step.norm())


def said_of_changes(run: Run, updated: Container[str] = ()) -> str | None:
    """Say which arrays that it was given backward changed, but for those that it updated; None where there are none."""
    changed = [name for name in run.changed if name not in updated]
    if not changed:
        return None
    return f"backward changes {' and '.join(changed)} in place: whoever calls it loses what was there"
