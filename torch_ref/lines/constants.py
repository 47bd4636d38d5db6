"""Variables of backward that only look like gradients: forward's own, computed again, and numbers of the program."""

from __future__ import annotations

from collections.abc import Sequence

from torch_ref.lines.names import path_of
from torch_ref.lines.places import is_number
from torch_ref.lines.record import Version
from torch_ref.lines.trace import Run

CONSTANT = (
    "it is a number of the program, which nothing was computed for; if it is a gradient, give it by "
    "mapping={'value': 'gradient'}"
)


def is_forwards(place: str, versions: Sequence[Version], forward: Run) -> bool:
    """Tell whether forward has a plain number of that name that is equal: dt = 0.25 in both is a time step."""
    mine, other = versions[-1].value, forward.variables.get(place)
    return is_number(mine) and is_number(other) and bool(mine == other)


def is_constant(versions: Sequence[Version]) -> bool:
    """Tell whether a variable has only numbers that stand in the code, but for 0 and 1, which gradients begin with.

    Where there is no source nobody knows.
    """
    return all(
        is_number(v.value) and v.value not in (0, 1) and v.where.mentions == frozenset({path_of(v.place).name})
        for v in versions
    )
