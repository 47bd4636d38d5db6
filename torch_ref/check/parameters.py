"""Parameters and their gradients in the containers in which people keep them, under one name for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from manual_bp.layer import described
from torch_ref.numbers.containers import leaves_of
from torch_ref.numbers.witness import is_inexact

Array = Tensor | np.ndarray[Any, Any]

PREFIXES = ("d_", "grad_", "gradient_", "g_", "nabla_", "delta_", "dL_d", "dL", "grad", "nabla", "d")
SUFFIXES = ("_grad", "_gradient", "grad", ".grad")
"""What people put before or behind the name of a parameter to name its gradient."""


NO_PARAMETER = "no parameter that is an array or a number has this name"


class Matched(NamedTuple):
    """The parameters that have a gradient, and what is left over, each with the reason."""

    parameters: dict[str, Array]
    gradients: dict[str, Any]
    left: tuple[tuple[str, str], ...]


def matched(owner: str, parameters: Any, gradients: Any) -> Matched:
    """Return the gradient of each parameter, by name or by order; raise where nothing belongs together."""
    mine, theirs = arrays_of(parameters), arrays_of(gradients, kept=True)
    matrix = next((name for name, p in mine.items() if isinstance(p, np.matrix)), None)
    if matrix:
        raise TypeError(f"{owner} expects arrays, got {matrix} as np.matrix: np.asarray({matrix})")
    if not mine:
        raise TypeError(
            f"{owner} expects parameters that are arrays or tensors of floating-point numbers, in a dict, a list or an "
            f"object, got {described(parameters)}"
        )
    if not theirs:
        raise TypeError(
            f"{owner} expects the gradients in a dict, a list or an object, as the parameters, got "
            f"{described(gradients)}"
        )
    itself = parameters is not gradients or isinstance(parameters, nn.Module)
    keys = _by_name(mine, theirs, itself=itself) or _by_order(mine, theirs, parameters, gradients)
    if not keys:
        raise ValueError(
            f"{owner} expects gradients with the names of the parameters ({', '.join(mine)}), or in their order, got "
            f"{', '.join(theirs)}"
        )
    left = [(f"gradient of {name}", "no gradient was given") for name in mine if name not in keys]
    used = set(keys.values())
    left += [(name, NO_PARAMETER) for name in theirs if name not in used]
    if isinstance(parameters, Mapping | list | tuple | nn.Module):
        shown = left
    else:  # of an object with other arrays besides
        shown = [one for one in left if not one[0].startswith("gradient of ")]
    gradient_of = {name: _copied(theirs[key]) for name, key in keys.items()}  # the loss may fill them once more
    return Matched({name: mine[name] for name in keys}, gradient_of, tuple(shown))


def _copied(gradient: Any) -> Any:
    if isinstance(gradient, Tensor):
        return gradient.detach().clone()
    return gradient.copy() if isinstance(gradient, np.ndarray) else gradient


def arrays_of(value: Any, *, kept: bool = False) -> dict[str, Any]:
    """Return every array and tensor in a value by name; of gradients, ``kept``, also what is none where one belongs."""
    if isinstance(value, nn.Module):
        return {name: p.grad if kept else p for name, p in value.named_parameters()}
    if isinstance(value, Tensor | np.ndarray):
        return {"parameter": value} if _is_array(value) else {}
    if isinstance(value, Mapping):
        parts = [(str(key), part) for key, part in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(f"parameters[{i}]", part) for i, part in enumerate(value)]
    elif hasattr(value, "__dict__") and not callable(value):
        parts = [*vars(value).items()]
    else:
        return {}
    leaves = [leaf for name, part in parts for leaf in leaves_of(part, name)]
    is_kept = kept and isinstance(value, Mapping | list | tuple)
    return {name: leaf for name, leaf in leaves if _is_array(leaf) or is_kept or (kept and is_number(leaf))}


def is_number(value: Any) -> bool:
    """Tell whether a value is a number with a fraction, and no array."""
    return isinstance(value, float | np.floating)


@contextmanager
def numbers_as_arrays(parameters: Any, gradients: Any) -> Iterator[None]:
    """Put an array in the place of every parameter that is a number and has a gradient; put the number back."""
    theirs = arrays_of(gradients, kept=True)
    like = next((p for p in arrays_of(parameters).values() if isinstance(p, Tensor)), None)
    done: list[tuple[Any, Any, Any]] = []

    def look(holder: Any, name: str) -> None:
        is_object = hasattr(holder, "__dict__") and not isinstance(holder, nn.Module) and not callable(holder)
        items = vars(holder) if is_object else holder
        if not isinstance(items, dict | list):
            return
        pairs = items.items() if isinstance(items, dict) else enumerate(items)
        for key, value in [*pairs]:
            path = (f"{name}[{key!r}]" if name else str(key)) if isinstance(items, dict) else f"{name}[{key}]"
            if is_number(value) and any(other in theirs for other in _names_of_gradient(path)):
                done.append((items, key, value))
                items[key] = np.array(value) if like is None else torch.tensor(value, dtype=like.dtype)
            elif isinstance(value, dict | list):
                look(value, path)

    look(parameters, "parameters" if isinstance(parameters, list) else "")
    try:
        yield
    finally:
        for items, key, value in reversed(done):
            items[key] = value


def _is_array(value: Any) -> bool:
    if isinstance(value, Tensor):
        return is_inexact(value)
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def _by_name(mine: Mapping[str, Any], theirs: Mapping[str, Any], *, itself: bool) -> dict[str, str]:
    """Return the name of the gradient of each parameter that has one: the name ``itself`` before one with a prefix."""
    found: dict[str, str] = {}
    for name in mine:
        for key in _names_of_gradient(name):
            if key in theirs and key not in found.values() and (itself or key != name):
                found[name] = key
                break
    return found if not all(name.startswith("parameter") for name in found) else {}


def _names_of_gradient(name: str) -> list[str]:
    """Return the names that the gradient of a parameter may have: W1, dW1, d_W1, grad_W1, W1_grad, ..."""
    base, bracket, rest = name.partition("[")
    tail = bracket + rest
    return [name, *(f"{p}{base}{tail}" for p in PREFIXES), *(f"{base}{s}{tail}" for s in SUFFIXES)]


def _by_order(mine: Mapping[str, Any], theirs: Mapping[str, Any], parameters: Any, gradients: Any) -> dict[str, str]:
    """Return the pairs in order, where there are as many of both and their shapes fit."""
    in_order = (list, tuple, np.ndarray, Tensor)
    if len(mine) != len(theirs) or not (isinstance(parameters, in_order) or isinstance(gradients, in_order)):
        return {}
    pairs = dict(zip(mine, theirs, strict=True))
    return (
        pairs
        if isinstance(parameters, in_order)
        or all(getattr(theirs[key], "shape", None) == mine[name].shape for name, key in pairs.items())
        else {}
    )


def as_tensor(array: Array) -> Tensor:
    """Return the numbers of an array as a tensor, a copy."""
    if isinstance(array, Tensor):
        return array.detach().clone()
    return torch.from_numpy(array.copy()).reshape(array.shape)
