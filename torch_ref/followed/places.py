"""Functions of numpy that put numbers elsewhere, or make arrays alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import constant, is_followed_dtype, numbers_of, torch_dtype
from torch_ref.followed.moving import moved
from torch_ref.followed.table import Table
from torch_ref.followed.ufuncs import name_of, plain_of

PLACES = Table()


MOVING = {
    1: (
        np.reshape, np.ravel, np.transpose, np.swapaxes, np.moveaxis, np.rollaxis, np.expand_dims, np.squeeze,
        np.broadcast_to, np.tile, np.repeat, np.roll, np.flip, np.fliplr, np.flipud, np.rot90, np.take,
        np.take_along_axis, np.diag, np.diagonal, np.diagflat, np.tril, np.triu, np.split, np.array_split, np.vsplit,
        np.hsplit, np.dsplit, np.delete, np.resize, np.concatenate, np.stack, np.vstack, np.hstack, np.dstack,
        np.column_stack, np.block, np.copy, np.lib.stride_tricks.sliding_window_view,
    ),
    2: (np.append,),
}  # fmt: skip
"""By how many of their first arguments are numbers to move."""


def _moving(function: Any, count: int) -> Callable[..., Any]:
    def translation(*args: Any, dtype: Any = None, **named: Any) -> Any:
        if len(args) < count:
            raise CannotFollow(name_of(function), "give its arrays by position, not by name")
        found = moved(function, name_of(function), args[:count], *args[count:], **named)
        return found if dtype is None else found._replace(tensor=found.tensor.to(torch_dtype(dtype, name_of(function))))

    return translation


for _count, _functions in MOVING.items():
    for _function in _functions:
        PLACES[_function] = _moving(_function, _count)


def _atleast(*arrays: Any, to: Any) -> Any:
    found = [moved(to, name_of(to), (array,)) for array in arrays]
    return found[0] if len(found) == 1 else tuple(found)


PLACES |= {function: partial(_atleast, to=function) for function in (np.atleast_1d, np.atleast_2d, np.atleast_3d)}


@PLACES.of(np.broadcast_arrays)
def _broadcast_arrays(*arrays: Any, subok: bool = False) -> Any:
    shape = np.broadcast_shapes(*(np.shape(plain_of(array)) for array in arrays))
    return tuple(moved(np.broadcast_to, "np.broadcast_arrays", (array,), shape) for array in arrays)


@PLACES.of(np.compress)
def _compress(condition: Any, a: Any, axis: Any = None) -> Any:
    return moved(lambda x: np.compress(plain_of(condition), x, axis), "np.compress", (a,))


@PLACES.of(np.extract)
def _extract(condition: Any, a: Any) -> Any:
    return moved(lambda x: np.extract(plain_of(condition), x), "np.extract", (a,))


@PLACES.of(np.insert)
def _insert(a: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    return moved(lambda x, v: np.insert(x, obj, v, axis), "np.insert", (a, values))


@PLACES.of(np.pad)
def _pad(array: Any, pad_width: Any, mode: Any = "constant", **named: Any) -> Any:
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap") or "reflect_type" in named:
        raise CannotFollow("np.pad", f"there is no translation of mode {mode!r} into torch")
    named = {name: plain_of(value) for name, value in named.items()}

    def padded(x: Any) -> Any:
        of_numbers = is_followed_dtype(x.dtype)
        return np.pad(x, pad_width, mode, **(named if of_numbers else {}))

    return moved(padded, "np.pad", (array,))


@PLACES.of(np.sort)
def _sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    if axis is None:
        a, axis = a.reshape(-1), -1
    places = np.argsort(numbers_of(a), axis=axis, kind="stable")
    return moved(np.take_along_axis, "np.sort", (a,), places, axis)


@PLACES.of(np.unique)
def _unique(ar: Any, *args: Any, **named: Any) -> Any:
    if args or any(named.values()):
        raise CannotFollow("np.unique", "only the values alone have a translation into torch")
    first = np.unique(numbers_of(ar), return_index=True)[1]
    return moved(lambda x: x.reshape(-1)[first], "np.unique", (ar,))


# ------------------------------------------------------------------------------------------------ made alike


def _like(value: Any, dtype: Any, shape: Any, fill: Any) -> Any:
    found = np.full_like(plain_of(value), plain_of(fill), dtype=dtype, shape=shape)
    if not is_followed_dtype(found.dtype):
        return found
    made = constant(found, torch_dtype(found.dtype, "np.full_like"))
    return made.copy_(fill) if isinstance(fill, Tensor) else made


@PLACES.of(np.zeros_like, np.empty_like)
def _zeros_like(a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **_: Any) -> Any:
    return _like(a, dtype, shape, 0)


@PLACES.of(np.ones_like)
def _ones_like(a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **_: Any) -> Any:
    return _like(a, dtype, shape, 1)


@PLACES.of(np.full_like)
def _full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Any:
    return _like(a, dtype, shape, fill_value)
