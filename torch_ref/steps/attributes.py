"""What an object holds, by a path: 'W', 'layers.0.W', 'params.W1'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def at_path(layer: Any, path: str) -> Any:
    """Return what lies at a path: 'W', 'layers.0.W'."""
    for key in path.split("."):
        layer = _inside(layer, key)
    return layer


def _inside(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value[key]
    return value[int(key)] if isinstance(value, list | tuple) else getattr(value, key)


def put_at_path(layer: Any, path: str, value: Any) -> None:
    """Put a value at a path."""
    *owners, key = path.split(".")
    for owner in owners:
        layer = _inside(layer, owner)
    if isinstance(layer, dict):
        layer[key] = value
        return
    setattr(layer, key, value)
