"""Numbers written into a followed array in place, with their history."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.followed.dtypes import Array, as_tensor, numbers_of
from torch_ref.followed.moving import view_of


def write(t: Tensor, index: Any, value: Any) -> None:
    """Write a tensor or plain numbers into ``t[index]``, as numpy does: the last of several at one place stays."""
    target = numbers_of(t)[index]
    if not isinstance(target, np.ndarray):  # one number: the array without dimensions where it lies
        target = numbers_of(t)[(*index, ...) if isinstance(index, tuple) else (index, ...)]
    value = fitting(as_tensor(value, t.dtype), target.shape)
    if np.may_share_memory(target, numbers_of(t)) and all(stride >= 0 for stride in target.strides):
        view_of(t, target).copy_(apart(value, t))
        return
    places = _places(t)[index]
    value = value.expand(places.shape).reshape(-1)
    flat, last = np.unique(places.reshape(-1)[::-1], return_index=True)
    chosen = value if _is_in_order(flat, places) else value[torch.from_numpy(places.size - 1 - last)]
    t.index_put_(_indices(t, flat), chosen)


def add_at(t: Tensor, index: Any, value: Any, sign: int = 1) -> None:
    """Add numbers to ``t[index]``, several at one place one after the other: ``np.add.at``."""
    places = _places(t)[index]
    value = fitting(as_tensor(value, t.dtype), np.shape(places)).expand(np.shape(places)).reshape(-1)
    t.index_put_(_indices(t, np.reshape(places, -1)), sign * value, accumulate=True)


def apart(value: Tensor, t: Tensor) -> Tensor:
    """Return a value that does not lie in the memory that it is written to."""
    is_inside = value.untyped_storage().data_ptr() == t.untyped_storage().data_ptr()
    return value.clone() if is_inside else value


def fitting(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a value without dimensions of one in front, which numpy drops; raise ValueError where it does not fit."""
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = value[0]
    if value.ndim > len(shape) or np.broadcast_shapes(tuple(value.shape), shape) != tuple(shape):
        raise ValueError(f"could not broadcast input array from shape {tuple(value.shape)} into shape {shape}")
    return value


def _places(t: Tensor) -> Array:
    return np.arange(t.numel()).reshape(t.shape)


def _is_in_order(flat: Array, places: Array) -> bool:
    return flat.size == places.size and bool((flat == places.reshape(-1)).all())


def _indices(t: Tensor, flat: Array) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(i) for i in np.unravel_index(flat, tuple(t.shape)))
