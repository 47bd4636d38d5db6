"""What an object holds: its arrays by path, and which of them are gradients of which, by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

DEEPEST = 4
"""Objects in objects that are looked into: a network, its list, a layer, its dict."""

FORMS = ("d{}", "d_{}", "grad_{}", "{}_grad", "g{}", "{}_gradient", "gradient_{}", "delta_{}", "nabla_{}")
"""How people call the gradient of what they call so."""

OF_CONTAINERS = {
    "params": ("grads", "gradients", "grad"),
    "parameters": ("gradients", "grads", "grad"),
    "weights": ("gradients", "grads", "nabla_w"),
    "biases": ("nabla_b",),
}
"""What the gradients of all parameters are called."""


def arrays_of(value: Any) -> dict[str, Any]:
    """Return the floating-point arrays and tensors that an object holds, by path: 'W', 'layers.0.W', 'params.W'."""
    return dict(_walk(value, "", set()))


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if is_floating(value):
        yield path, value
    elif path.count(".") < DEEPEST and id(value) not in seen:
        seen.add(id(value))
        for key, inner in _parts(value):
            if "." not in key:
                yield from _walk(inner, f"{path}.{key}" if path else key, seen)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((key, inner) for key, inner in value.items() if isinstance(key, str))
    elif isinstance(value, list):
        yield from ((str(i), inner) for i, inner in enumerate(value))
    elif not isinstance(value, type) and type(value).__module__.split(".")[0] not in ("torch", "numpy", "builtins"):
        slots = (vars(kind).get("__slots__", ()) for kind in type(value).__mro__)
        named = [name for names in slots for name in ([names] if isinstance(names, str) else names)]
        yield from ((name, getattr(value, name)) for name in named if hasattr(value, name))
        yield from getattr(value, "__dict__", {}).items()


def is_floating(value: Any) -> bool:
    """Tell whether something is an array or tensor that can have a gradient."""
    if isinstance(value, Tensor):
        return value.is_floating_point()
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def gradients_by_name(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Return where the gradient of each array lies, by the names: {'W': 'dW', 'params.0': 'grads.0'}.

    ``before`` is what an object held when it was made, ``after`` what it holds after its backward.
    """
    found: dict[str, str] = {}
    for path, array in before.items():
        for candidate in _candidates(path):
            if candidate in after and after[candidate].shape == array.shape:
                found[path] = candidate
                break
    return {path: gradient for path, gradient in found.items() if path not in found.values()}


def _candidates(path: str) -> Iterator[str]:
    """Yield the paths at which the gradient of a path may lie."""
    keys = path.split(".")
    for i in reversed(range(len(keys))):
        for form in FORMS:
            yield ".".join([*keys[:i], form.format(keys[i]), *keys[i + 1 :]])
        for other in OF_CONTAINERS.get(keys[i], ()):
            yield ".".join([*keys[:i], other, *keys[i + 1 :]])
            yield ".".join([*keys[:i], other, *keys[i + 1 : -1], f"d{keys[-1]}"])


def same(a: Any, b: Any) -> bool:
    """Tell whether two arrays or tensors hold the same numbers."""
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    return a.shape == b.shape and torch.equal(a, b)
