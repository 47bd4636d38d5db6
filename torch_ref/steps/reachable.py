"""What a function can reach and change besides its arguments: attributes of objects, lists and dicts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

LONG = 1000
"""Lists and dicts that are longer hold data: what is inside is not looked at."""


@contextmanager
def reachable_kept(function: Callable[..., Any]) -> Iterator[None]:
    """Put back, at the end, the attributes, lists and dicts that a function reaches by its object or names.

    What they hold is the same as before; the arrays themselves are not copied.
    """
    before = [(one, one.copy()) for one in _holders(_roots(function), set())]
    try:
        yield
    finally:
        for one, copied in before:
            one.clear()
            one.extend(copied) if isinstance(one, list) else one.update(copied)


def _roots(function: Any) -> list[Any]:
    """Return the object of a method, and what a function encloses or reads of its module."""
    function = inspect.unwrap(function)
    if isinstance(function, MethodType):
        return [function.__self__]
    if isinstance(function, FunctionType):
        read = [function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__]
        return read + [content for cell in function.__closure__ or () for content in _content(cell)]
    return [function]


def _content(cell: CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # nothing yet
        return []


def _holders(values: list[Any], seen: set[int]) -> Iterator[Any]:
    """Yield the lists and dicts among values, and those that objects keep their attributes in, at any depth."""
    for value in values:
        if id(value) in seen or isinstance(value, type | ModuleType):
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType | MethodType):
            yield from _holders(_roots(value), seen)
        elif type(value) in (list, dict):
            yield value
            if len(value) <= LONG:
                yield from _holders([*(value.values() if isinstance(value, dict) else value)], seen)
        elif isinstance(value, tuple):
            yield from _holders([*value], seen)
        elif type(getattr(value, "__dict__", None)) is dict:
            yield from _holders([value.__dict__], seen)
