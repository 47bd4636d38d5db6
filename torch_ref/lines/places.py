"""What a variable holds: tensors, arrays and numbers, also in lists, dicts and attributes, each with its place.

A place is what one would write: ``dW1``, ``grads['W1']``, ``hs[0]``, ``self.layers[2].dW``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torch_ref.numbers.containers import Part, parts_of

DEEPEST = 5
"""Containers in containers that are looked into."""

LONGEST = 2000
"""Parts of a container that are looked at."""

NOT_THEIRS = frozenset({*sys.stdlib_module_names, "builtins", "torch", "numpy"})
"""Packages whose objects are not looked into: only those of classes that somebody wrote are."""


def is_value(value: Any) -> bool:
    """Tell whether something can be a quantity or a gradient: a tensor, an array, one that is followed, or a number."""
    return isinstance(value, Tensor | np.ndarray | np.number | float) or is_number(value) or followed(value) is not None


def is_number(value: Any) -> bool:
    """Tell whether something is a number of Python's own, of which equal ones may be one object."""
    return type(value) in (int, float)


def is_array(value: Any) -> bool:
    """Tell whether something is a tensor or an array of numbers that can have a gradient."""
    if isinstance(value, Tensor):
        return value.is_floating_point() or value.is_complex()
    return issubclass(type(value), np.ndarray) and value.dtype.kind in "fc"


def is_complex(value: Any) -> bool:
    """Tell whether a tensor or an array is of complex numbers."""
    return value.is_complex() if isinstance(value, Tensor) else bool(np.iscomplexobj(value))


def followed(value: Any) -> Tensor | None:
    """Return the tensor behind an object that takes the place of a numpy array; None for all else.

    Such an object may say that it is an array.
    """
    if issubclass(type(value), Tensor | np.ndarray) or not hasattr(type(value), "__array_function__"):
        return None
    tensor = getattr(value, "tensor", None)
    return tensor if isinstance(tensor, Tensor) else None


def values_in(value: Any, place: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield every value in something, with its place."""
    if is_value(value):
        yield place, value
        return
    if depth < DEEPEST:
        for part in parts_held(value)[:LONGEST]:
            yield from values_in(part.value, place + part.path, depth + 1)


def parts_held(value: Any) -> list[Part]:
    """Return the parts of a container, or of an object of somebody's own class; none of anything else."""
    if isinstance(value, nn.Module):
        held = value._parameters | value._buffers | value._modules
        return _attributes(held | {name: part for name, part in vars(value).items() if not name.startswith("_")})
    found = parts_of(value)
    if found is not None:
        more = (
            vars(value) if is_dataclass(value) and hasattr(value, "__dict__") else {}
        )  # what is set beside its fields
        return found + _attributes({name: part for name, part in more.items() if all(name != p.key for p in found)})
    theirs = isinstance(value, SimpleNamespace) or type(value).__module__.split(".")[0] not in NOT_THEIRS
    if isinstance(value, type) or not theirs or not hasattr(value, "__dict__"):
        return []
    return _attributes(vars(value))


def put(holder: Any, part: Part, new: Any) -> None:
    """Put something in the place of a part; what cannot be changed, as a tuple, stays as it is."""
    if isinstance(holder, dict | list):
        holder[part.key] = new
    elif hasattr(holder, "__dict__"):
        vars(holder)[part.key] = new


def _attributes(held: dict[str, Any]) -> list[Part]:
    return [Part(f".{name}", name, part) for name, part in held.items()]


def memory_of(value: Any) -> int:
    """Return a number that views of the same memory share."""
    tensor = followed(value)
    value = value if tensor is None else tensor
    if isinstance(value, Tensor):
        return id(value) if value.layout is not torch.strided else value.untyped_storage().data_ptr()
    while isinstance(value, np.ndarray) and isinstance(value.base, np.ndarray):
        value = value.base
    return id(value)


def copied(value: Any) -> Any:
    """Return a value that stays as it is now."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return value.copy() if issubclass(type(value), np.ndarray) else value


def state_of(value: Any) -> Any:
    """Return what tells later whether a value was changed in place: a counter, or its numbers."""
    tensor = followed(value)
    if tensor is not None:
        return tensor, tensor._version
    if isinstance(value, Tensor) and not value.is_inference():
        return value._version
    return copied(value)


def is_changed(value: Any, state: Any) -> bool:
    """Tell whether a value was changed in place since that state."""
    tensor = followed(value)
    if tensor is not None:
        return tensor is not state[0] or tensor._version != state[1]
    if isinstance(value, Tensor):
        now: bool = value._version != state if not value.is_inference() else not torch.equal(value, state)
        return now
    return isinstance(value, np.ndarray) and not _same_numbers(value, state)


def _same_numbers(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two arrays hold the same; NaN counts as a number here."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return bool(np.array_equal(a, b)) or bool(((a == b) | ((a != a) & (b != b))).all())
