"""The numbers of a network of the page by an engine of Python's, and their comparison with the page's."""

from __future__ import annotations

from typing import Any

from settings import Plain, in_manual_bp, sample

from torch_ref.lesson.quantities import scalars

ROUNDING = 1e-12
"""Of a tensor's largest entry: exp and ln of a browser and of torch differ by a unit in the last place (1e-16), and
small differences t − y magnify that."""


def numbers_of(engine: Any, plain: Plain) -> dict[str, float]:
    """Return every number of a pass and an update by name."""
    numbers: dict[str, float] = scalars(engine(in_manual_bp(plain), *sample(plain)))
    return numbers


def assert_same(found: list[list[Any]], expected: dict[str, float]) -> None:
    """Compare pairs of name and value with numbers, relative to the largest of their tensor."""
    assert sorted(name for name, _ in found) == sorted(expected)
    largest: dict[str, float] = {}
    for name, value in expected.items():
        largest[_tensor_of(name)] = max(largest.get(_tensor_of(name), 0.0), abs(value))
    for name, value in found:
        assert abs(value - expected[name]) <= ROUNDING * largest[_tensor_of(name)], (name, value, expected[name])


def _tensor_of(name: str) -> str:
    return name.split("_")[0] + " after" * name.endswith(" after")
