"""Functions that only move numbers: reshape, concatenate, pad, indexing and many more, all in one way.

numpy itself moves: once the numbers, and once the numbers of their places. What comes out in the same memory is a view
of the tensor, too. Everything else is gathered from where its numbers lie.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from torch_ref.followed.dtypes import Array, constant, is_followed_dtype, numbers_of, torch_dtype

COPIED_FROM = "copied_from"
"""The attribute of a tensor that names what it would be a view of in numpy, where torch has no such view."""


class Moved(NamedTuple):
    """Numbers of a followed array at other places."""

    tensor: Tensor
    is_scalar: bool = False
    """Whether numpy gives a number and no array."""


def moved(function: Callable[..., Any], name: str, data: tuple[Any, ...], *rest: Any, **named: Any) -> Any:
    """Return what ``function(*data, *rest, **named)`` gives: ``Moved`` for each array, and all else as it is.

    ``data`` holds tensors, and plain numbers that get between them.
    """
    result = function(*(_opened(value, numbers_of) for value in data), *rest, **named)
    sources = _Sources([])

    def places() -> Any:
        return function(*(_opened(value, sources.places_of, _nowhere) for value in data), *rest, **named)

    tensors = _tensors_in(data)
    if isinstance(result, np.ndarray | np.generic):
        return _one(result, places, tensors, sources, name)
    if isinstance(result, tuple | list):
        every = cache(places)
        found = [_one(r, partial(_part, every, i), tensors, sources, name) for i, r in enumerate(result)]
        return type(result)(found)
    return result


def _one(result: Any, places: Callable[[], Any], tensors: list[Tensor], sources: _Sources, name: str) -> Any:
    if not isinstance(result, np.ndarray | np.generic) or not is_followed_dtype(result.dtype):
        return result
    dtype = torch_dtype(result.dtype, name)
    if not isinstance(result, np.ndarray):
        return Moved(sources.gathered(result, places(), dtype), is_scalar=True)
    origin = next((t for t in tensors if np.may_share_memory(result, numbers_of(t))), None)
    if origin is not None and all(stride >= 0 for stride in result.strides):
        return Moved(_copied_from(view_of(origin, result), getattr(origin, COPIED_FROM, None)))
    return Moved(_copied_from(sources.gathered(result, places(), dtype), origin))


def _copied_from(t: Tensor, origin: Tensor | None) -> Tensor:
    if origin is not None:
        setattr(t, COPIED_FROM, origin)
    return t


def view_of(t: Tensor, result: Array) -> Tensor:
    """Return the view of a tensor that lies where an array does."""
    size = result.itemsize
    offset = (result.__array_interface__["data"][0] - t.data_ptr()) // size if result.size else 0
    strides = tuple(stride // size for stride in result.strides)
    return t.as_strided(result.shape, strides, t.storage_offset() + offset)


def _part(every: Callable[[], Any], i: int) -> Any:
    return every()[i]


class _Sources:
    """The tensors whose numbers are moved; every number has a place among them, from 1 on."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = tensors

    def places_of(self, t: Tensor) -> Array:
        first = 1 + sum(other.numel() for other in self.tensors)
        self.tensors.append(t)
        return np.arange(first, first + t.numel()).reshape(t.shape)

    def gathered(self, result: Any, places: Any, dtype: torch.dtype) -> Tensor:
        """Return the numbers at some places; where those are 0, the numbers are ``result``'s own.

        They lie in memory as in ``result``, for what is a view of them later depends on that.
        """
        axes = sorted(range(np.ndim(result)), key=lambda axis: -result.strides[axis])
        found = self._in_order(np.transpose(result, axes), np.transpose(places, axes), dtype)
        return found.permute([axes.index(axis) for axis in range(len(axes))])

    def _in_order(self, result: Any, places: Any, dtype: torch.dtype) -> Tensor:
        flat = [t.reshape(-1).to(dtype) for t in self.tensors]
        every = flat[0] if len(flat) == 1 else torch.cat(flat)
        where = np.ascontiguousarray(places).reshape(-1)
        is_own = where == 0
        if not is_own.any():
            return every.index_select(0, torch.from_numpy(where - 1)).view(np.shape(places))
        padded = torch.cat([every.new_zeros(1), every])
        found = padded.index_select(0, torch.from_numpy(where)).view(np.shape(places))
        own = torch.from_numpy(is_own.reshape(np.shape(places)))
        return torch.where(own, constant(result, dtype), found)


def _opened(value: Any, of_tensor: Callable[[Tensor], Any], of_plain: Callable[[Any], Any] = lambda v: v) -> Any:
    """Return data with its tensors replaced, also in lists and tuples."""
    if isinstance(value, Tensor):
        return of_tensor(value)
    if isinstance(value, tuple | list):
        return type(value)(_opened(part, of_tensor, of_plain) for part in value)
    return of_plain(value)


def _nowhere(value: Any) -> Any:
    return np.zeros(np.shape(value), np.int64)


def _tensors_in(data: Any) -> list[Tensor]:
    if isinstance(data, tuple | list):
        return [t for part in data for t in _tensors_in(part)]
    return [data] if isinstance(data, Tensor) else []
