"""Tensors in lists, tuples, dicts and dataclasses, each with its path: ``p['w']``, ``weights[0]``, ``config.scale``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from torch import Tensor


class Part(NamedTuple):
    """One part of a container."""

    path: str
    """From there."""
    key: Any
    value: Any


def parts_of(value: Any) -> list[Part] | None:
    """Return the parts of a container; None for what is none."""
    if isinstance(value, Mapping):
        return [Part(f"[{key!r}]", key, part) for key, part in value.items()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [Part(f".{key}", key, getattr(value, key)) for key in value._fields]
    if isinstance(value, tuple | list):
        return [Part(f"[{i}]", i, part) for i, part in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type):
        return [Part(f".{field.name}", field.name, getattr(value, field.name)) for field in fields(value)]
    return None


def leaves_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield everything in a value that is no container, with its path."""
    parts = parts_of(value)
    if parts is None:
        yield path, value
        return
    for part in parts:
        yield from leaves_of(part.value, path + part.path)


def mapped(
    value: Any, change: Callable[[str, Any], Any], path: str = "", kind: type | tuple[type, ...] = Tensor
) -> Any:
    """Return a value with everything of a kind put through ``change(path, it)``; the very value where none is another.

    It is opened wherever it is a container.
    """
    if isinstance(value, kind):
        return change(path, value)
    parts = parts_of(value)
    if parts is None:
        return value
    found = {part.key: mapped(part.value, change, path + part.path, kind) for part in parts}
    if all(found[part.key] is part.value for part in parts):
        return value
    return _rebuilt(value, found)


def _rebuilt(value: Any, found: dict[Any, Any]) -> Any:
    """Return a container of the same kind with other parts."""
    if isinstance(value, tuple):
        return type(value)(**found) if hasattr(value, "_fields") else tuple(found.values())
    if isinstance(value, list):
        return [*found.values()]
    if isinstance(value, Mapping) and not isinstance(value, MutableMapping):
        return found
    other = copy.copy(value)
    for key, part in found.items():
        if isinstance(value, Mapping):
            other[key] = part
        else:
            object.__setattr__(other, key, part)  # of a dataclass, frozen or not
    return other


def part_at(value: Any, found: Any, wanted: str, path: str = "") -> Any:
    """Return what stands in ``found`` where ``wanted`` is the path of a tensor in ``value``; raise LookupError if none.

    None stands for None in all that a container holds.
    """
    if path == wanted or found is None:
        return found
    for part in parts_of(value) or []:
        inside = path + part.path
        if wanted == inside or wanted.startswith((f"{inside}[", f"{inside}.")):
            is_subscripted = isinstance(found, Mapping) or isinstance(part.key, int)
            try:
                there = found[part.key] if is_subscripted else getattr(found, part.key)
            except (TypeError, AttributeError) as error:
                raise LookupError(wanted) from error
            return part_at(part.value, there, wanted, inside)
    raise LookupError(wanted)
