"""The numbers of a network of the page by an engine of Python's, and their comparison with the page's."""

from __future__ import annotations

import math
import re
from typing import Any

from settings import Plain, in_manual_bp, sample

from torch_ref.lesson.walk.quantities import scalars

BOUND = 1e-13
"""How far a number may be off, as a share of the norm of its tensor. JavaScript's exp and torch's differ by a unit in
the last place, 1e-16, sums are in another order, and small differences t − y magnify both; measured: 7e-15. A wrong
formula is off by a part in a hundred or more; a factor of 1.0005 by 5e-4."""


def numbers_of(engine: Any, plain: Plain) -> dict[str, float]:
    """Return every number of a pass and an update by name."""
    numbers: dict[str, float] = scalars(engine(in_manual_bp(plain), *sample(plain)))
    return numbers


def assert_same(found: list[list[Any]], expected: dict[str, float]) -> None:
    """Compare pairs of name and value with numbers, each relative to its tensor."""
    assert sorted(name for name, _ in found) == sorted(expected)
    assert worst(dict(map(tuple, found)), expected) < BOUND


def worst(found: dict[str, float], expected: dict[str, float]) -> float:
    """Return the largest distance of a number from the expected one, over the norm of its tensor; inf for NaN."""
    if not all(math.isfinite(found[name]) for name in expected):
        return math.inf  # max() would pass over a NaN
    norms: dict[str, float] = {}
    for name, value in expected.items():
        norms[tensor_of(name)] = math.hypot(norms.get(tensor_of(name), 0.0), value)
    return max(abs(found[name] - value) / (norms[tensor_of(name)] or 1.0) for name, value in expected.items())


def tensor_of(name: str) -> str:
    """Return the tensor that a number is an entry of: W^1_21 after is in W^1 after."""
    return re.sub(r"_\d+", "", name)
