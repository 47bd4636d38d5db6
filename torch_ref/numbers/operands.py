"""The tensors that an operation is given and gives: they come in tuples, lists and dicts.

``torch.utils._pytree`` knows every kind of container, and takes ten times as long; here each operation is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors in tuples, lists and dicts, in order."""
    found: list[Tensor] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[Tensor]) -> None:
    if isinstance(value, Tensor):
        found.append(value)
    elif isinstance(value, tuple | list):
        for part in value:
            _collect(part, found)
    elif isinstance(value, dict):
        for part in value.values():
            _collect(part, found)


def each_changed(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return plain tuples, lists and dicts with all else in them changed."""
    kind = type(value)
    if kind is tuple:
        return tuple([each_changed(part, change) for part in value])
    if kind is list:
        return [each_changed(part, change) for part in value]
    if kind is dict:
        return {key: each_changed(part, change) for key, part in value.items()}
    return change(value)
