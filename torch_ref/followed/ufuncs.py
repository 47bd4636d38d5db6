"""The ufuncs of numpy by torch: elementwise, as reductions, accumulations and outer products.

All of them take and return tensors, and plain numbers where nothing has a gradient. What gives no fractions
(comparisons, signs as bits, indices) numpy computes itself; ``STEPS`` has the derivative 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import (
    as_tensor,
    constant,
    has_no_derivative,
    is_followed_dtype,
    numbers_of,
    result_dtype,
    torch_dtype,
)

Formula = Callable[..., Tensor]


def _maximum(a: Tensor, b: Tensor) -> Tensor:
    """Return the larger numbers; where a constant is as large, it is taken: the slope of ReLU at 0 is 0."""
    if a.requires_grad == b.requires_grad:
        return torch.maximum(a, b)
    x, bound = (a, b) if a.requires_grad else (b, a)
    return torch.where((x > bound) | x.isnan(), x, bound)


def _minimum(a: Tensor, b: Tensor) -> Tensor:
    """Return the smaller numbers; where a constant is as small, it is taken."""
    if a.requires_grad == b.requires_grad:
        return torch.minimum(a, b)
    x, bound = (a, b) if a.requires_grad else (b, a)
    return torch.where((x < bound) | x.isnan(), x, bound)


def _power(x: Tensor, exponent: Tensor) -> Tensor:
    """Return x to a power: one constant as a number, so that nobody takes it for something that rounding moves."""
    if exponent.numel() == 1 and not exponent.requires_grad and not exponent.ndim:
        return torch.pow(x, exponent.item())
    return torch.pow(x, exponent)


FORMULAS: dict[Any, Formula] = {
    np.add: torch.add,
    np.subtract: torch.sub,
    np.multiply: torch.mul,
    np.divide: torch.div,
    np.negative: torch.neg,
    np.positive: torch.clone,
    np.power: _power,
    np.float_power: _power,
    np.remainder: torch.remainder,
    np.fmod: torch.fmod,
    np.absolute: torch.abs,
    np.fabs: torch.abs,
    np.conjugate: torch.clone,
    np.exp: torch.exp,
    np.exp2: torch.exp2,
    np.expm1: torch.expm1,
    np.log: torch.log,
    np.log2: torch.log2,
    np.log10: torch.log10,
    np.log1p: torch.log1p,
    np.sqrt: torch.sqrt,
    np.square: torch.square,
    np.cbrt: lambda x: torch.sign(x) * torch.abs(x).pow(1 / 3),
    np.reciprocal: torch.reciprocal,
    np.sin: torch.sin,
    np.cos: torch.cos,
    np.tan: torch.tan,
    np.arcsin: torch.asin,
    np.arccos: torch.acos,
    np.arctan: torch.atan,
    np.arctan2: torch.atan2,
    np.hypot: torch.hypot,
    np.sinh: torch.sinh,
    np.cosh: torch.cosh,
    np.tanh: torch.tanh,
    np.arcsinh: torch.asinh,
    np.arccosh: torch.acosh,
    np.arctanh: torch.atanh,
    np.degrees: torch.rad2deg,
    np.rad2deg: torch.rad2deg,
    np.radians: torch.deg2rad,
    np.deg2rad: torch.deg2rad,
    np.maximum: _maximum,
    np.minimum: _minimum,
    np.fmax: torch.fmax,
    np.fmin: torch.fmin,
    np.logaddexp: torch.logaddexp,
    np.logaddexp2: torch.logaddexp2,
    np.copysign: torch.copysign,
    np.matmul: torch.matmul,
}

STEPS = {np.floor, np.ceil, np.rint, np.trunc, np.sign, np.floor_divide, np.heaviside, np.spacing}
"""Constant between their jumps: numpy computes them, and their results have no history."""

OF_OTHERS: dict[str, Formula] = {
    "expit": torch.sigmoid,
    "log_expit": torch.nn.functional.logsigmoid,
    "logit": torch.logit,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "xlogy": torch.xlogy,
}
"""Ufuncs of scipy.special, by name."""


def plain_of(value: Any) -> Any:
    """Return a tensor as an array in the same memory, and all else as it is."""
    return numbers_of(value) if isinstance(value, Tensor) else value


def has_history(*values: Any) -> bool:
    """Tell whether one of some values is a tensor with a gradient."""
    return any(isinstance(value, Tensor) and value.requires_grad for value in values)


def elementwise(ufunc: np.ufunc, *operands: Any, where: Any = True, dtype: Any = None) -> Any:
    """Return what a ufunc gives for tensors and plain numbers; where ``where`` is false, nothing is computed."""
    found = np.dtype(dtype) if dtype is not None else result_dtype(ufunc, *operands)
    formula = FORMULAS.get(ufunc) or OF_OTHERS.get(ufunc.__name__)
    is_step = ufunc in STEPS or (ufunc.nout == 1 and has_no_derivative(found))
    if is_step or not has_history(*operands):
        masked = {} if where is True else {"where": where, "out": None}
        result = ufunc(*map(plain_of, operands), dtype=dtype, **masked)
        if ufunc.nout > 1:
            return result
        return constant(result, torch_dtype(found, name_of(ufunc))) if is_followed_dtype(found) else result
    if formula is None:
        raise CannotFollow(name_of(ufunc), "there is no translation of it into torch")
    into = torch_dtype(found, name_of(ufunc))
    tensors = [as_tensor(t, into) for t in operands]
    if where is not True:
        mask = torch.from_numpy(np.array(where, bool))
        tensors = [torch.where(mask, t, 1.0) for t in tensors]
    return formula(*tensors)


def name_of(function: Any) -> str:
    """Return how somebody calls a function: np.exp, scipy.special.softmax."""
    module = getattr(function, "__module__", None) or "numpy"
    name = str(getattr(function, "__qualname__", None) or getattr(function, "__name__", function))
    if isinstance(function, np.ufunc) and getattr(np, name, None) is function:
        module = "numpy"
    return f"{module}.{name}".replace("numpy.", "np.", 1) if module.startswith("numpy") else f"{module}.{name}"


# ------------------------------------------------------------------------------------------------ reductions


def axes_of(x: Tensor, axis: Any) -> tuple[int, ...]:
    """Return the axes that are meant, counted from the front; raise as numpy does where there are none such."""
    if axis is None:
        return tuple(range(x.ndim))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    for one in axes:
        if not -x.ndim <= one < x.ndim:
            raise np.exceptions.AxisError(one, x.ndim)
    found = tuple(int(one) % x.ndim for one in axes)
    if len(set(found)) < len(found):
        raise ValueError("duplicate value in 'axis'")
    return found


def total(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return the sum along axes, of which there may be none."""
    return x.sum(axes, keepdim=keepdims) if axes else x.clone()


def product(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return the product along axes."""
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keepdims)
    return x if axes else x.clone()


def _highest(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    return x.amax(axes, keepdim=keepdims) if axes else x.clone()


def _lowest(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    return x.amin(axes, keepdim=keepdims) if axes else x.clone()


def _log_of_sum(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    return torch.logsumexp(x, axes, keepdim=keepdims) if axes else x.clone()


REDUCTIONS: dict[Any, tuple[Callable[[Tensor, tuple[int, ...], bool], Tensor], float]] = {
    np.add: (total, 0.0),
    np.multiply: (product, 1.0),
    np.maximum: (_highest, -np.inf),
    np.minimum: (_lowest, np.inf),
    np.logaddexp: (_log_of_sum, -np.inf),
}
"""Each with what changes nothing in it."""

ACCUMULATIONS: dict[Any, Callable[[Tensor, int], Tensor]] = {
    np.add: torch.cumsum,
    np.multiply: torch.cumprod,
    np.maximum: lambda x, axis: torch.cummax(x, axis).values,
    np.minimum: lambda x, axis: torch.cummin(x, axis).values,
    np.logaddexp: torch.logcumsumexp,
}


def reduced(
    ufunc: np.ufunc,
    x: Any,
    axis: Any = 0,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return what ``ufunc.reduce`` gives."""
    if not isinstance(x, Tensor) or ufunc not in REDUCTIONS:
        return _by_numpy(ufunc.reduce, f"{name_of(ufunc)}.reduce", x, axis=axis, dtype=dtype, keepdims=keepdims)
    formula, neutral = REDUCTIONS[ufunc]
    x = x if dtype is None else x.to(torch_dtype(dtype, f"{name_of(ufunc)}.reduce"))
    if where is not True:
        x = torch.where(torch.from_numpy(np.array(where, bool)), x, neutral)
    found = formula(x, axes_of(x, axis), keepdims)
    return found if initial is None else FORMULAS[ufunc](found, as_tensor(initial, found.dtype))


def accumulated(ufunc: np.ufunc, x: Any, axis: int = 0, dtype: Any = None) -> Any:
    """Return what ``ufunc.accumulate`` gives."""
    name = f"{name_of(ufunc)}.accumulate"
    if not isinstance(x, Tensor) or ufunc not in ACCUMULATIONS:
        return _by_numpy(ufunc.accumulate, name, x, axis=axis, dtype=dtype)
    return ACCUMULATIONS[ufunc](x if dtype is None else x.to(torch_dtype(dtype, name)), axis)


def outer(ufunc: np.ufunc, a: Any, b: Any, dtype: Any = None) -> Any:
    """Return what ``ufunc.outer`` gives: every entry of a with every one of b."""
    a = a if isinstance(a, Tensor) else np.asarray(a)
    return elementwise(ufunc, a.reshape((*a.shape, *(1,) * np.ndim(plain_of(b)))), b, dtype=dtype)


def _by_numpy(function: Callable[..., Any], name: str, *given: Any, **named: Any) -> Any:
    """Return what numpy computes where no fractions come out or nothing has a history."""
    result = function(*map(plain_of, given), **named)
    if has_history(*given) and not has_no_derivative(result.dtype):
        raise CannotFollow(name, "there is no translation of it into torch")
    return result
