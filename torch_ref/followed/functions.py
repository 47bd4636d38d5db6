"""The functions of numpy by torch: statistics, products, linear algebra, choices. Those that only move numbers, too.

``FUNCTIONS`` maps each to its translation, which takes numpy's own parameters in their order, with tensors for followed
arrays. What is missing here numpy computes itself, where no fractions come out of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import as_tensor, constant, is_followed_dtype, numbers_of, result_dtype, torch_dtype
from torch_ref.followed.moving import moved
from torch_ref.followed.ufuncs import (
    accumulated,
    axes_of,
    elementwise,
    name_of,
    plain_of,
    reduced,
)

FUNCTIONS: dict[Any, Callable[..., Any]] = {}


def translates(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a translation of functions of numpy."""

    def register(translation: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS.update(dict.fromkeys(functions, translation))
        return translation

    return register


# ------------------------------------------------------------------------------------------------ only moved

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
        FUNCTIONS[_function] = _moving(_function, _count)


def _atleast(*arrays: Any, to: Any) -> Any:
    found = [moved(to, name_of(to), (array,)) for array in arrays]
    return found[0] if len(found) == 1 else tuple(found)


FUNCTIONS |= {function: partial(_atleast, to=function) for function in (np.atleast_1d, np.atleast_2d, np.atleast_3d)}


@translates(np.broadcast_arrays)
def _broadcast_arrays(*arrays: Any, subok: bool = False) -> Any:
    shape = np.broadcast_shapes(*(np.shape(plain_of(array)) for array in arrays))
    return tuple(moved(np.broadcast_to, "np.broadcast_arrays", (array,), shape) for array in arrays)


@translates(np.compress)
def _compress(condition: Any, a: Any, axis: Any = None) -> Any:
    return moved(lambda x: np.compress(plain_of(condition), x, axis), "np.compress", (a,))


@translates(np.extract)
def _extract(condition: Any, a: Any) -> Any:
    return moved(lambda x: np.extract(plain_of(condition), x), "np.extract", (a,))


@translates(np.insert)
def _insert(a: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    return moved(lambda x, v: np.insert(x, obj, v, axis), "np.insert", (a, values))


@translates(np.pad)
def _pad(array: Any, pad_width: Any, mode: Any = "constant", **named: Any) -> Any:
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap") or "reflect_type" in named:
        raise CannotFollow("np.pad", f"there is no translation of mode {mode!r} into torch")
    named = {name: plain_of(value) for name, value in named.items()}

    def padded(x: Any) -> Any:
        of_numbers = is_followed_dtype(x.dtype)
        return np.pad(x, pad_width, mode, **(named if of_numbers else {}))

    return moved(padded, "np.pad", (array,))


@translates(np.sort)
def _sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    if axis is None:
        a, axis = a.reshape(-1), -1
    places = np.argsort(numbers_of(a), axis=axis, kind="stable")
    return moved(np.take_along_axis, "np.sort", (a,), places, axis)


@translates(np.unique)
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


@translates(np.zeros_like, np.empty_like)
def _zeros_like(a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **_: Any) -> Any:
    return _like(a, dtype, shape, 0)


@translates(np.ones_like)
def _ones_like(a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **_: Any) -> Any:
    return _like(a, dtype, shape, 1)


@translates(np.full_like)
def _full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Any:
    return _like(a, dtype, shape, fill_value)


# ------------------------------------------------------------------------------------------------ statistics


@translates(np.sum)
def _sum(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    return reduced(np.add, a, axis, dtype, keepdims, initial, where)


@translates(np.prod)
def _prod(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    return reduced(np.multiply, a, axis, dtype, keepdims, initial, where)


@translates(np.max, np.amax)
def _max(a: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    return reduced(np.maximum, a, axis, None, keepdims, initial, where)


@translates(np.min, np.amin)
def _min(a: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    return reduced(np.minimum, a, axis, None, keepdims, initial, where)


@translates(np.ptp)
def _ptp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _max(a, axis, keepdims=keepdims) - _min(a, axis, keepdims=keepdims)


def _counted(x: Tensor, axes: tuple[int, ...], keepdims: bool, where: Any) -> Tensor:
    """Return how many numbers there are in each mean."""
    mask = torch.ones_like(x) if where is True else torch.from_numpy(np.array(where, bool)).expand(x.shape).to(x.dtype)
    return mask.detach().sum(axes, keepdim=keepdims) if axes else mask.detach()


@translates(np.mean)
def _mean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, where: Any = True) -> Any:
    found = reduced(np.add, a, axis, dtype, keepdims, None, where)
    return found / _counted(a, axes_of(a, axis), keepdims, where).to(found.dtype)


@translates(np.var)
def _var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    ddof: Any = 0,
    *,
    keepdims: bool = False,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    ddof = ddof if correction is None else correction
    a = a if dtype is None else a.to(torch_dtype(dtype, "np.var"))
    center = _mean(a, axis, keepdims=True, where=where) if mean is None else as_tensor(mean, a.dtype)
    squares = reduced(np.add, (a - center).square(), axis, None, keepdims, None, where)
    return squares / (_counted(a, axes_of(a, axis), keepdims, where) - plain_of(ddof)).clamp(min=0)


@translates(np.std)
def _std(a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, **named: Any) -> Any:
    return _var(a, axis, dtype, ddof, **named).sqrt()


@translates(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    if weights is None and not returned:
        return _mean(a, axis, keepdims=keepdims)
    if returned or weights is None or (np.shape(plain_of(weights)) != np.shape(plain_of(a)) and axis is None):
        raise CannotFollow("np.average", "only weights for the numbers or along one axis have a translation into torch")
    if np.shape(plain_of(weights)) != np.shape(plain_of(a)):
        shape = [1] * a.ndim
        shape[axis] = -1
        weights = weights.reshape(shape) if isinstance(weights, Tensor) else np.reshape(weights, shape)
    weights = elementwise(np.multiply, weights, np.ones(np.shape(plain_of(a)), bool))
    weighed = elementwise(np.multiply, a, weights)
    return elementwise(
        np.divide, reduced(np.add, weighed, axis, None, keepdims), reduced(np.add, weights, axis, None, keepdims)
    )


@translates(np.median)
def _median(a: Any, axis: Any = None, *, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    if isinstance(axis, tuple):
        raise CannotFollow("np.median", "along several axes it has no translation into torch")
    shape = np.median(numbers_of(a), axis, keepdims=keepdims).shape
    ranked = a.reshape(-1) if axis is None else a.movedim(axis, -1)
    ranked, n = ranked.sort(-1).values, ranked.shape[-1]
    return ((ranked[..., (n - 1) // 2] + ranked[..., n // 2]) / 2).reshape(shape)


@translates(np.cumsum)
def _cumsum(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    return accumulated(np.add, a.reshape(-1) if axis is None else a, axis or 0, dtype)


@translates(np.cumprod)
def _cumprod(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    return accumulated(np.multiply, a.reshape(-1) if axis is None else a, axis or 0, dtype)


@translates(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if prepend is not None or append is not None:
        raise CannotFollow("np.diff", "prepend and append have no translation into torch")
    return torch.diff(a, n, axis)


# ------------------------------------------------------------------------------------------------ products


def _alike(function: Any, *operands: Any) -> list[Tensor]:
    """Return the operands in the dtype of the result; a number of Python counts as an array here."""
    dtype = np.result_type(*(np.asarray(plain_of(one)).dtype for one in operands))
    return [as_tensor(one, torch_dtype(dtype, name_of(function))) for one in operands]


@translates(np.dot)
def _dot(a: Any, b: Any) -> Any:
    x, y = _alike(np.dot, a, b)
    if not x.ndim or not y.ndim:
        return x * y
    if x.ndim <= 2 and y.ndim <= 2:
        return x @ y
    return torch.tensordot(x, y, dims=([-1], [max(y.ndim - 2, 0)]))


@translates(np.vdot)
def _vdot(a: Any, b: Any) -> Any:
    x, y = _alike(np.vdot, a, b)
    return x.reshape(-1) @ y.reshape(-1)


@translates(np.inner)
def _inner(a: Any, b: Any) -> Any:
    x, y = _alike(np.inner, a, b)
    return torch.tensordot(x, y, dims=([-1], [-1])) if x.ndim and y.ndim else x * y


@translates(np.outer)
def _outer(a: Any, b: Any) -> Any:
    x, y = _alike(np.outer, a, b)
    return x.reshape(-1, 1) * y.reshape(1, -1)


@translates(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    x, y = _alike(np.tensordot, a, b)
    if isinstance(axes, int | np.integer):
        return torch.tensordot(x, y, dims=int(axes))
    dims = [[int(i) for i in (one if np.ndim(one) else (one,))] for one in axes]
    return torch.tensordot(x, y, dims=(dims[0], dims[1]))


@translates(np.einsum)
def _einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    if not isinstance(subscripts, str):
        raise CannotFollow("np.einsum", "only subscripts as one string have a translation into torch")
    return torch.einsum(subscripts, *_alike(np.einsum, *operands)).clone()


@translates(np.kron)
def _kron(a: Any, b: Any) -> Any:
    return torch.kron(*_alike(np.kron, a, b))


@translates(np.cross)
def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    x, y = _alike(np.cross, a, b)
    if (axisa, axisb, axisc, axis) != (-1, -1, -1, None) or x.shape[-1] != 3 or y.shape[-1] != 3:
        raise CannotFollow("np.cross", "only vectors of three numbers in the last axis have a translation into torch")
    return torch.linalg.cross(*torch.broadcast_tensors(x, y))  # type: ignore[no-untyped-call]


@translates(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    return reduced(np.add, torch.diagonal(a, offset, axis1, axis2), -1, dtype)


# ------------------------------------------------------------------------------------------------ linear algebra


@translates(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002 - numpy's name
    if ord == 0:
        raise CannotFollow("np.linalg.norm", "it counts with ord=0, which has no gradient")
    return torch.linalg.norm(x, ord, axis, keepdims)


@translates(np.linalg.inv)
def _inv(a: Any) -> Any:
    return torch.linalg.inv(a)


@translates(np.linalg.solve)
def _solve(a: Any, b: Any) -> Any:
    x, y = _alike(np.linalg.solve, a, b)
    return torch.linalg.solve(x, y[..., None])[..., 0] if y.ndim == 1 else torch.linalg.solve(x, y)


@translates(np.linalg.det)
def _det(a: Any) -> Any:
    return torch.linalg.det(a)


@translates(np.linalg.slogdet)
def _slogdet(a: Any) -> Any:
    found = torch.linalg.slogdet(a)
    return type(np.linalg.slogdet(np.eye(1)))(*found)


@translates(np.linalg.pinv)
def _pinv(a: Any) -> Any:
    return torch.linalg.pinv(a)


@translates(np.linalg.matrix_power)
def _matrix_power(a: Any, n: int) -> Any:
    return torch.linalg.matrix_power(a, n)


@translates(np.linalg.multi_dot)
def _multi_dot(arrays: Any) -> Any:
    return torch.linalg.multi_dot(_alike(np.linalg.multi_dot, *arrays))


# ------------------------------------------------------------------------------------------------ choices


def _mask(condition: Any) -> Tensor:
    return torch.from_numpy(np.array(plain_of(condition), bool))


@translates(np.where)
def _where(condition: Any, *branches: Any) -> Any:
    if not branches:
        return np.where(plain_of(condition))
    dtype = torch_dtype(result_dtype(lambda x, y: np.where(True, x, y), *branches), "np.where")
    return torch.where(_mask(condition), *(as_tensor(branch, dtype) for branch in branches))


@translates(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    found = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        found = _where(condition, choice, found)
    return found


@translates(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:  # noqa: A002
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    found = a
    for limit, bound in ((low, torch.clamp_min), (high, torch.clamp_max)):
        if limit is not None:
            into = torch_dtype(result_dtype(np.maximum, found, limit), "np.clip")
            found = bound(as_tensor(found, into), as_tensor(limit, into))
    return found.clone() if found is a else found


@translates(np.nan_to_num)
def _nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if not copy:
        raise CannotFollow("np.nan_to_num", "copy=False has no translation into torch")
    found = torch.nan_to_num(x, float(nan), posinf, neginf)
    return torch.where(torch.isfinite(x), found, found.detach())


@translates(np.round, np.around)
def _round(a: Any, decimals: int = 0) -> Any:
    found = np.round(numbers_of(a), decimals)
    return constant(found, torch_dtype(found.dtype, "np.round"))


@translates(np.fix)
def _fix(x: Any) -> Any:
    return elementwise(np.trunc, x)


@translates(np.real)
def _real(val: Any) -> Any:
    return moved(np.real, "np.real", (val,))


@translates(np.sinc)
def _sinc(x: Any) -> Any:
    return torch.sinc(x)
