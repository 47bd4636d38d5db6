"""The protocol that every layer keeps, its law, and the letters for shapes.

A layer is a frozen holder of its parameters with two handwritten directions:

    forward(x)             -> (y, saved)                  saved: the smallest set that backward reads
    backward(error, saved) -> (error of x, gradients)     gradients: ∂L/∂parameter, under the parameter's name

What flows backward is the *error* of a quantity q, e = −∂L/∂q, as in the lecture: δ^l is the error of net^l.

Law. For every error e of y and every direction v of x, with J = ∂y/∂x at x:

    ⟨e, J v⟩ = ⟨backward(e), v⟩

Letters.  N rows (samples), n_in = n^(l-1) and n_out = n^l units.
    x (N, n_in)   net (N, n_out)   weight (n_out, n_in)   bias (n_out,)   t (N, n^L)   δ^l (N, n^l)

``out=`` takes what an earlier call returned for inputs of the same shapes: the formulas then write into those
tensors and allocate nothing. Shapes and values are checked when ``out`` is not given; the tensors of an earlier
call prove the rest. A layer never keeps what it saw, never updates itself and never changes its inputs: with
``out=`` it runs the same operations at every call, and a step may be recorded and repeated
(``training.engine.recorder``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

ByName = dict[str, Tensor]

NEW: tuple[Tensor | None, Any] = (None, None)
"""What ``out or NEW`` stands for: no tensors of an earlier call yet, allocate."""


@runtime_checkable
class Layer(Protocol):
    """Anything with the two directions: Linear, Sigmoid, Tanh, ReLU, or yours."""

    def forward(self, x: Tensor, out: tuple[Tensor, Any] | None = None) -> tuple[Tensor, Any]:
        """Return y and what backward will read."""

    def backward(
        self, error: Tensor, saved: Any, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return the error of x, then the gradients of the parameters."""


@runtime_checkable
class Parametrised(Layer, Protocol):
    """A layer with parameters can also give its gradients alone: below the first one no error is needed."""

    def gradients(self, error: Tensor, saved: Any, out: ByName | None = None) -> ByName:
        """Return the gradients of the parameters, without the error of x."""


@lru_cache
def constant(value: float, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:
    """Return a number as a tensor without dimensions: torch would make one of a Python number at every call.

    On the CPU it serves operations of two tensors on any device; those of three take it on theirs.
    """
    return torch.tensor(value, dtype=dtype, device=device)


def parameters(layer: Layer) -> dict[str, Tensor]:
    """Return the tensors that a frozen layer holds, by name: for Linear, weight and bias."""
    if not is_dataclass(layer):
        raise TypeError(f"{type(layer).__name__} must be a frozen dataclass that holds its parameters as fields")
    named = ((field.name, getattr(layer, field.name)) for field in fields(layer) if field.init)
    return {name: value for name, value in named if isinstance(value, Tensor)}


def named_parameters(layer: Layer, position: int) -> dict[str, Tensor]:
    """Return the parameters under the names of ``nn.Sequential``: '0.weight', '0.bias', ..."""
    return {f"{position}.{name}": parameter for name, parameter in parameters(layer).items()}


def check_rows(owner: str, name: str, rows: Any, width: int, like: Tensor) -> None:
    """Raise unless ``rows`` is a tensor (N, width) with N >= 1, of the dtype and device of ``like``."""
    if not isinstance(rows, Tensor):
        raise TypeError(f"{owner} expects {name} as a torch.Tensor, got {type(rows).__name__}")
    if rows.ndim != 2 or rows.shape[1] != width:
        raise ValueError(f"{owner} expects {name} of shape (N, {width}), got {tuple(rows.shape)}")
    if rows.shape[0] == 0:
        raise ValueError(f"{owner} expects {name} with at least one row, got an empty batch {tuple(rows.shape)}")
    check_kind(owner, name, rows, like)


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


def positions(mask: Tensor, limit: int = 3) -> str:
    """Name the first true places of ``mask`` for an error message: '(0, 3), (2, 1), ...'."""
    places: Iterator[tuple[int, ...]] = (tuple(place) for place in torch.nonzero(mask)[:limit].tolist())
    more = ", ..." if int(mask.sum()) > limit else ""
    return ", ".join(map(str, places)) + more
