"""A function that reads arrays it was not given: with others in their place while it runs.

Looked through are the containers that somebody names, the closure, the defaults and the globals of the function, what
it is bound to, and the functions and objects that it reaches through these. What Python keeps elsewhere is not found.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

MOST = 10_000
"""Objects that are looked at: what a function can reach has no end."""


LIBRARIES = ("numpy", "torch", "scipy", "pytest")

OPENED = (dict, list, tuple, functools.partial, staticmethod, classmethod, property)
"""What leads to other objects."""


class Slot(NamedTuple):
    """One place where a value is kept: what it holds, and how something else is put there."""

    value: Any
    put: Callable[[Any], None]


@contextmanager
def swapped(roots: Iterable[Any], instead: Callable[[Any], Any]) -> Iterator[set[int]]:
    """Put ``instead(value)`` in the place of every value that is reached; yield the ids of those for which it differs.

    Everything is put back, whatever happens inside.
    """
    pairs = [(slot, instead(slot.value)) for slot in [*_slots(roots)]]
    pairs = [(slot, other) for slot, other in pairs if other is not slot.value]
    done: list[Slot] = []
    try:
        for slot, other in pairs:
            slot.put(other)
            done.append(slot)
        yield {id(slot.value) for slot, _ in pairs}
    finally:
        for slot in reversed(done):
            slot.put(slot.value)


def _slots(roots: Iterable[Any]) -> Iterator[Slot]:
    """Yield every slot that can be reached from some objects, nearest first."""
    waiting, seen = deque(roots), set[int]()
    while waiting and len(seen) < MOST:
        thing = waiting.popleft()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        for slot in _slots_of(thing):
            yield slot
            if _is_looked_into(slot.value):
                waiting.append(slot.value)
        waiting.extend(part for part in _parts_of(thing) if _is_looked_into(part))


def _slots_of(thing: Any) -> Iterator[Slot]:
    """Yield what an object keeps and can be changed."""
    if isinstance(thing, dict):
        yield from (Slot(value, functools.partial(thing.__setitem__, key)) for key, value in [*thing.items()])
    elif isinstance(thing, list):
        yield from (Slot(value, functools.partial(thing.__setitem__, i)) for i, value in enumerate(thing))
    elif isinstance(thing, FunctionType):
        yield from (_slot_of_cell(cell) for cell in thing.__closure__ or () if _is_full(cell))
        for name in _names_of(thing.__code__):
            if name in thing.__globals__:
                yield Slot(thing.__globals__[name], functools.partial(thing.__globals__.__setitem__, name))
    elif _has_attributes(thing):
        yield from (Slot(value, functools.partial(_set, thing, name)) for name, value in [*vars(thing).items()])


def _parts_of(thing: Any) -> Iterator[Any]:
    """Yield what an object leads to and cannot be changed: a method's function and self, the functions of a class."""
    if isinstance(thing, tuple):
        yield from thing
    elif isinstance(thing, MethodType):
        yield from (thing.__func__, thing.__self__)
    elif isinstance(thing, staticmethod | classmethod):
        yield thing.__func__
    elif isinstance(thing, property):
        yield thing.fget
    elif isinstance(thing, functools.partial):
        yield from (thing.func, *thing.args, thing.keywords)
    elif isinstance(thing, FunctionType):
        yield from (*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values())
        if wrapped := getattr(thing, "__wrapped__", None):
            yield wrapped
    elif _has_attributes(thing):
        for kind in type(thing).__mro__:
            if not _is_of_a_library(kind.__module__):
                yield from vars(kind).values()


def _is_looked_into(value: Any) -> bool:
    if isinstance(value, FunctionType | MethodType):
        return not _is_of_a_library(getattr(value, "__module__", "") or "")
    return isinstance(value, OPENED) or _has_attributes(value)


def _has_attributes(value: Any) -> bool:
    """Tell whether an object is somebody's own, with attributes that are kept in a dict."""
    if isinstance(value, type | ModuleType | BuiltinFunctionType | FunctionType | MethodType | CodeType | CellType):
        return False
    return hasattr(value, "__dict__") and not _is_of_a_library(type(value).__module__)


def _is_of_a_library(module: str) -> bool:
    """Tell whether a module belongs to Python, or to a library that knows nothing of somebody's arrays."""
    first = module.partition(".")[0]
    return first in LIBRARIES or (first in sys.stdlib_module_names and first != "__main__")


def _slot_of_cell(cell: CellType) -> Slot:
    def put(value: Any) -> None:
        cell.cell_contents = value

    return Slot(cell.cell_contents, put)


def _is_full(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # of a variable that has no value yet
        return False
    return True


def _set(thing: Any, name: str, value: Any) -> None:
    vars(thing)[name] = value


def _names_of(code: CodeType) -> set[str]:
    """Return the globals that a function may read, those of functions inside it too."""
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return {*code.co_names}.union(*(_names_of(part) for part in inner))
