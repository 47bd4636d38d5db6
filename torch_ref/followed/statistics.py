"""Sums, means and what else of numpy goes over the entries along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import as_tensor, numbers_of, torch_dtype
from torch_ref.followed.table import Table
from torch_ref.followed.ufuncs import accumulated, axes_of, elementwise, plain_of, reduced

STATISTICS = Table()


@STATISTICS.of(np.sum)
def _sum(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    return reduced(np.add, a, axis, dtype, keepdims, initial, where)


@STATISTICS.of(np.prod)
def _prod(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    return reduced(np.multiply, a, axis, dtype, keepdims, initial, where)


@STATISTICS.of(np.max, np.amax)
def _max(a: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    return reduced(np.maximum, a, axis, None, keepdims, initial, where)


@STATISTICS.of(np.min, np.amin)
def _min(a: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    return reduced(np.minimum, a, axis, None, keepdims, initial, where)


@STATISTICS.of(np.ptp)
def _ptp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _max(a, axis, keepdims=keepdims) - _min(a, axis, keepdims=keepdims)


def _counted(x: Tensor, axes: tuple[int, ...], keepdims: bool, where: Any) -> Tensor:
    """Return how many numbers there are in each mean."""
    mask = torch.ones_like(x) if where is True else torch.from_numpy(np.array(where, bool)).expand(x.shape).to(x.dtype)
    return mask.detach().sum(axes, keepdim=keepdims) if axes else mask.detach()


@STATISTICS.of(np.mean)
def _mean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, where: Any = True) -> Any:
    found = reduced(np.add, a, axis, dtype, keepdims, None, where)
    return found / _counted(a, axes_of(a, axis), keepdims, where).to(found.dtype)


def _numbers(a: Any) -> Any:
    """Return where numbers stand and not NaN, to sum over those alone."""
    return ~np.isnan(numbers_of(a))


@STATISTICS.of(np.nansum)
def _nansum(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    return _sum(a, axis, dtype, keepdims=keepdims, where=_numbers(a))


@STATISTICS.of(np.nanmean)
def _nanmean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    return _mean(a, axis, dtype, keepdims=keepdims, where=_numbers(a))


@STATISTICS.of(np.nanmax)
def _nanmax(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return reduced(np.maximum, a, axis, None, keepdims, -np.inf, _numbers(a))


@STATISTICS.of(np.nanmin)
def _nanmin(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return reduced(np.minimum, a, axis, None, keepdims, np.inf, _numbers(a))


@STATISTICS.of(np.var)
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


@STATISTICS.of(np.std)
def _std(a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, **named: Any) -> Any:
    return _var(a, axis, dtype, ddof, **named).sqrt()


@STATISTICS.of(np.average)
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


@STATISTICS.of(np.median)
def _median(a: Any, axis: Any = None, *, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    if isinstance(axis, tuple):
        raise CannotFollow("np.median", "along several axes it has no translation into torch")
    shape = np.median(numbers_of(a), axis, keepdims=keepdims).shape
    ranked = a.reshape(-1) if axis is None else a.movedim(axis, -1)
    ranked, n = ranked.sort(-1).values, ranked.shape[-1]
    return ((ranked[..., (n - 1) // 2] + ranked[..., n // 2]) / 2).reshape(shape)


@STATISTICS.of(np.cumsum)
def _cumsum(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    return accumulated(np.add, a.reshape(-1) if axis is None else a, axis or 0, dtype)


@STATISTICS.of(np.cumprod)
def _cumprod(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    return accumulated(np.multiply, a.reshape(-1) if axis is None else a, axis or 0, dtype)


@STATISTICS.of(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if prepend is not None or append is not None:
        raise CannotFollow("np.diff", "prepend and append have no translation into torch")
    return torch.diff(a, n, axis)
