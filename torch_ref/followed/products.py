"""Products and linear algebra of numpy by torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import as_tensor, torch_dtype
from torch_ref.followed.table import Table
from torch_ref.followed.ufuncs import name_of, plain_of, reduced

PRODUCTS = Table()


def _alike(function: Any, *operands: Any) -> list[Tensor]:
    """Return the operands in the dtype of the result; a number of Python counts as an array here."""
    dtype = np.result_type(*(np.asarray(plain_of(one)).dtype for one in operands))
    return [as_tensor(one, torch_dtype(dtype, name_of(function))) for one in operands]


@PRODUCTS.of(np.dot)
def _dot(a: Any, b: Any) -> Any:
    x, y = _alike(np.dot, a, b)
    if not x.ndim or not y.ndim:
        return x * y
    if x.ndim <= 2 and y.ndim <= 2:
        return x @ y
    return torch.tensordot(x, y, dims=([-1], [max(y.ndim - 2, 0)]))


@PRODUCTS.of(np.vdot)
def _vdot(a: Any, b: Any) -> Any:
    x, y = _alike(np.vdot, a, b)
    return x.reshape(-1) @ y.reshape(-1)


@PRODUCTS.of(np.inner)
def _inner(a: Any, b: Any) -> Any:
    x, y = _alike(np.inner, a, b)
    return torch.tensordot(x, y, dims=([-1], [-1])) if x.ndim and y.ndim else x * y


@PRODUCTS.of(np.outer)
def _outer(a: Any, b: Any) -> Any:
    x, y = _alike(np.outer, a, b)
    return x.reshape(-1, 1) * y.reshape(1, -1)


@PRODUCTS.of(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    x, y = _alike(np.tensordot, a, b)
    if isinstance(axes, int | np.integer):
        return torch.tensordot(x, y, dims=int(axes))
    dims = [[int(i) for i in (one if np.ndim(one) else (one,))] for one in axes]
    return torch.tensordot(x, y, dims=(dims[0], dims[1]))


@PRODUCTS.of(np.einsum)
def _einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    if not isinstance(subscripts, str):
        raise CannotFollow("np.einsum", "only subscripts as one string have a translation into torch")
    return torch.einsum(subscripts, *_alike(np.einsum, *operands)).clone()


@PRODUCTS.of(np.kron)
def _kron(a: Any, b: Any) -> Any:
    return torch.kron(*_alike(np.kron, a, b))


@PRODUCTS.of(np.cross)
def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    x, y = _alike(np.cross, a, b)
    if (axisa, axisb, axisc, axis) != (-1, -1, -1, None) or x.shape[-1] != 3 or y.shape[-1] != 3:
        raise CannotFollow("np.cross", "only vectors of three numbers in the last axis have a translation into torch")
    return torch.linalg.cross(*torch.broadcast_tensors(x, y))  # type: ignore[no-untyped-call]


@PRODUCTS.of(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    return reduced(np.add, torch.diagonal(a, offset, axis1, axis2), -1, dtype)


# ------------------------------------------------------------------------------------------------ linear algebra


@PRODUCTS.of(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002 - numpy's name
    if ord == 0:
        raise CannotFollow("np.linalg.norm", "it counts with ord=0, which has no gradient")
    return torch.linalg.norm(x, ord, axis, keepdims)


@PRODUCTS.of(np.linalg.inv)
def _inv(a: Any) -> Any:
    return torch.linalg.inv(a)


@PRODUCTS.of(np.linalg.solve)
def _solve(a: Any, b: Any) -> Any:
    x, y = _alike(np.linalg.solve, a, b)
    return torch.linalg.solve(x, y[..., None])[..., 0] if y.ndim == 1 else torch.linalg.solve(x, y)


@PRODUCTS.of(np.linalg.det)
def _det(a: Any) -> Any:
    return torch.linalg.det(a)


@PRODUCTS.of(np.linalg.slogdet)
def _slogdet(a: Any) -> Any:
    found = torch.linalg.slogdet(a)
    return type(np.linalg.slogdet(np.eye(1)))(*found)


@PRODUCTS.of(np.linalg.pinv)
def _pinv(a: Any) -> Any:
    return torch.linalg.pinv(a)


@PRODUCTS.of(np.linalg.cholesky)
def _cholesky(a: Any) -> Any:
    return torch.linalg.cholesky(a)


@PRODUCTS.of(np.linalg.eigvalsh)
def _eigvalsh(a: Any) -> Any:
    return torch.linalg.eigvalsh(a)


@PRODUCTS.of(np.convolve)
def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    x, y = _alike(np.convolve, a, v)
    return _correlated(x, y, mode, flip=True)


@PRODUCTS.of(np.correlate)
def _correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    x, y = _alike(np.correlate, a, v)
    return _correlated(x, y, mode, flip=False)


def _correlated(a: Tensor, v: Tensor, mode: str, *, flip: bool) -> Tensor:
    """Return the sums of products of two vectors, the shorter one shifted along the other."""
    is_turned = len(v) > len(a)
    long, short = (v, a) if is_turned else (a, v)
    n = len(short)
    found = torch.nn.functional.pad(long, (n - 1, n - 1)).unfold(0, n, 1) @ (short.flip(0) if flip else short)
    found = found.flip(0) if is_turned and not flip else found
    begin = {"full": 0, "same": n // 2 if is_turned and not flip else (n - 1) // 2, "valid": n - 1}[mode]
    return found[begin : begin + {"full": len(found), "same": len(long), "valid": len(long) - n + 1}[mode]]


@PRODUCTS.of(np.linalg.matrix_power)
def _matrix_power(a: Any, n: int) -> Any:
    return torch.linalg.matrix_power(a, n)


@PRODUCTS.of(np.linalg.multi_dot)
def _multi_dot(arrays: Any) -> Any:
    return torch.linalg.multi_dot(_alike(np.linalg.multi_dot, *arrays))
