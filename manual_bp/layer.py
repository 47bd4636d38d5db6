"""The protocol that every layer keeps, its law, and the letters for shapes.

A layer holds its parameters and has two handwritten directions:

    forward(x)             -> (y, saved)                  saved: the smallest set that backward reads
    backward(error, saved) -> (error of x, gradients)     gradients: ∂L/∂parameter, under the parameter's name

What flows backward is the *error* of a quantity q, e = −∂L/∂q, as in the lecture: δ^l is the error of net^l.

Law. For every error e of y and every direction v of x, with J = ∂y/∂x at x:

    ⟨e, J v⟩ = ⟨backward(e), v⟩

Letters.  N rows (samples), n_in = n^(l-1) and n_out = n^l units.
    x (N, n_in)   net (N, n_out)   weight (n_out, n_in)   bias (n_out,)   t (N, n^L)   δ^l (N, n^l)

Parameters are the floating-point tensors that a layer has as public attributes: those that a dataclass or a NamedTuple
is made from, or, where it is made from none or is of another class, all its attributes and slots. A name that begins
with an underscore is no parameter.

Two things are there for speed, and a layer may leave both out. ``out=`` takes what an earlier call returned for inputs
of the same shapes: the formulas then write into those tensors and allocate nothing. ``gradients(error, saved)`` gives
the gradients alone, for the lowest layer, where nobody needs the error of x. Our own layers check shapes and values
when ``out`` is not given; with ``out`` the tensors of the earlier call prove the rest.

A layer never keeps what it saw, never updates itself and never changes its inputs. With ``out=`` it runs the same
operations at every call, so that a step may be recorded and repeated (``training.engine.recorder``).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from inspect import signature
from typing import Any, Protocol, TypeGuard, TypeVar, runtime_checkable

import torch
from torch import Tensor

from manual_bp.transforms import check_untransformed

ByName = dict[str, Tensor]
AnyLayer = TypeVar("AnyLayer", bound="Layer")

NEW: tuple[Tensor | None, Any] = (None, None)
"""What ``out or NEW`` stands for: no tensors of an earlier call yet, allocate."""


# ---------------------------------------------------------------------------------------------------- the protocol


@runtime_checkable
class Layer(Protocol):
    """Anything with the two directions: Linear, Sigmoid, Tanh, ReLU, or yours. Each may also take ``out``."""

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return y and what backward will read."""

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, ByName]:
        """Return the error of x, then the gradients of the parameters."""


@runtime_checkable
class Parametrised(Layer, Protocol):
    """A layer that can also give its gradients alone."""

    def gradients(self, error: Tensor, saved: Any) -> ByName:
        """Return the gradients of the parameters, without the error of x."""


# -------------------------------------------------------------------------------------------------- its parameters


def parameters(layer: Layer) -> dict[str, Tensor]:
    """Return the parameters of a layer by name: its floating-point tensors in public attributes."""
    named = ((name, getattr(layer, name, None)) for name in _attributes(layer) if not name.startswith("_"))
    return {name: value for name, value in named if _is_floating(value)}


def holding(layer: AnyLayer, tensors: Mapping[str, Tensor]) -> AnyLayer:
    """Return a copy of the layer that holds those of the tensors which bear the names of its parameters."""
    mine = {name: tensors[name] for name in parameters(layer) if name in tensors}
    if _is_made_from_fields(layer) and mine.keys() <= set(_fields_to_make(layer)):
        return replace(layer, **mine)  # type: ignore[type-var]
    if isinstance(layer, tuple):
        changed: AnyLayer = layer._replace(**mine)
        return changed
    other = copy.copy(layer)
    for name, tensor in mine.items():
        object.__setattr__(other, name, tensor)
    return other


def own_copy(layer: AnyLayer) -> AnyLayer:
    """Return a copy with the same parameters, so that what its methods keep stays in it; a frozen layer itself."""
    return layer if is_frozen(layer) else holding(layer, parameters(layer))


def is_frozen(layer: Layer) -> bool:
    """Tell whether the attributes of a layer cannot be assigned to: a frozen dataclass or a NamedTuple.

    A class that inherits from a frozen dataclass, without being one, can assign to attributes of its own.
    """
    made = vars(type(layer)).get("__dataclass_params__")
    return isinstance(layer, tuple) or (made is not None and made.frozen)


def _attributes(layer: Layer) -> Iterator[str]:
    """Yield the names of what a layer holds."""
    if isinstance(layer, tuple):
        yield from layer._fields  # type: ignore[attr-defined]
    elif _is_made_from_fields(layer) and any(_is_floating(getattr(layer, name)) for name in _fields_to_make(layer)):
        yield from _fields_to_make(layer)
    else:
        slots = (vars(kind).get("__slots__", ()) for kind in reversed(type(layer).__mro__))
        yield from (name for names in slots for name in ([names] if isinstance(names, str) else names))
        yield from getattr(layer, "__dict__", {})


def _fields_to_make(layer: Any) -> tuple[str, ...]:
    """Return the names of the fields that a dataclass is made from."""
    kind: type = type(layer)
    return _made_from(kind)


@lru_cache
def _made_from(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.init)


def _is_made_from_fields(layer: Any) -> bool:
    """Tell whether a layer is a dataclass that is made from its fields alone, not by an ``__init__`` of its own."""
    kind: type = type(layer)
    return is_dataclass(kind) and _takes(kind) == set(_fields_to_make(layer))


@lru_cache
def _takes(kind: type) -> set[str]:
    """Return the names of what a class is made from: to read a signature takes as long as a small product."""
    return set(signature(kind).parameters)


def _is_floating(value: Any) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.is_floating_point()


def named_parameters(layer: Layer, position: int) -> dict[str, Tensor]:
    """Return the parameters under the names of ``nn.Sequential``: '0.weight', '0.bias', ..."""
    return {f"{position}.{name}": parameter for name, parameter in parameters(layer).items()}


# ------------------------------------------------------------------------------------------------ checks and numbers


@lru_cache
def constant(value: float, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:
    """Return a number as a tensor without dimensions: torch would make one of a Python number at every call.

    On the CPU it serves operations of two tensors on any device; those of three take it on theirs.
    """
    return torch.tensor(value, dtype=dtype, device=device)


def check_rows(owner: str, name: str, rows: Any, width: int, like: Tensor) -> None:
    """Raise unless ``rows`` is a tensor (N, width) with N >= 1, of the dtype and device of ``like``."""
    if not isinstance(rows, Tensor):
        raise TypeError(f"{owner} expects {name} as a torch.Tensor, got {type(rows).__name__}")
    if rows.ndim != 2 or rows.shape[1] != width:
        raise ValueError(f"{owner} expects {name} of shape (N, {width}), got {tuple(rows.shape)}")
    if rows.shape[0] == 0:
        raise ValueError(f"{owner} expects {name} with at least one row, got an empty batch {tuple(rows.shape)}")
    check_kind(owner, name, rows, like)


def check_first_parameter(owner: str, name: str, tensor: Any, letters: str) -> None:
    """Raise unless a parameter is of a floating-point dtype, with a dimension for each letter of '(n_out, n_in)'."""
    if not isinstance(tensor, Tensor) or tensor.ndim != len(letters.strip("(,)").split(",")) or 0 in tensor.shape:
        raise ValueError(f"{owner} expects {name} of shape {letters}, each at least 1, got {_shape(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"{owner} expects a floating-point {name.removeprefix('a ')}, got {tensor.dtype}")
    check_untransformed(owner, name, tensor)


def check_parameter(owner: str, name: str, tensor: Any, shape: tuple[int, ...], like: Tensor) -> None:
    """Raise unless a further parameter has a shape, and the dtype and device of the first one."""
    if not isinstance(tensor, Tensor) or tensor.shape != shape:
        raise ValueError(f"{owner} expects {name} of shape {tuple(shape)}, got {_shape(tensor)}")
    check_kind(owner, name.removeprefix("a "), tensor, like)
    check_untransformed(owner, name, tensor)


def _shape(value: Any) -> object:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__


def check_like(owner: str, name: str, tensor: Any, like: Tensor) -> None:
    """Raise unless ``tensor`` has the shape, dtype and device of ``like``: nothing broadcasts by accident."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{owner} expects {name} as a torch.Tensor, got {type(tensor).__name__}")
    if tensor.shape != like.shape:
        raise ValueError(f"{owner} expects {name} of shape {tuple(like.shape)}, got {tuple(tensor.shape)}")
    check_kind(owner, name, tensor, like)


def check_kind(owner: str, name: str, tensor: Tensor, like: Tensor) -> None:
    """Raise unless ``tensor`` has the dtype and device of ``like``."""
    if tensor.dtype != like.dtype:
        raise TypeError(f"{owner} expects {name} of dtype {like.dtype}, got {tensor.dtype}")
    if tensor.device != like.device:
        raise ValueError(f"{owner} expects {name} on device {like.device}, got {tensor.device}")


def described(value: object) -> str:
    """Say what came where something else was expected: 'a tuple of 3', 'a Tensor', "<class 'int'>", 'None'."""
    if isinstance(value, type):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"


def positions(mask: Tensor, limit: int = 3) -> str:
    """Name the first true places of ``mask`` for an error message: '(0, 3), (2, 1), ...'."""
    places: Iterator[tuple[int, ...]] = (tuple(place) for place in torch.nonzero(mask)[:limit].tolist())
    more = ", ..." if int(mask.sum()) > limit else ""
    return ", ".join(map(str, places)) + more
