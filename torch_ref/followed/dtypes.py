"""Dtypes and numbers of numpy as torch has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.followed.cannot import CannotFollow

Array = np.ndarray[Any, Any]

TORCH: dict[np.dtype[Any], torch.dtype] = {
    np.dtype(np.float16): torch.float16,
    np.dtype(np.float32): torch.float32,
    np.dtype(np.float64): torch.float64,
}
"""The dtypes that can have a gradient."""

NUMPY: dict[torch.dtype, np.dtype[Any]] = {of_torch: of_numpy for of_numpy, of_torch in TORCH.items()}


OF_PYTHON = (bool, int, float, complex)
"""The types of numbers that take the dtype of what stands beside them."""


def is_followed_dtype(dtype: np.dtype[Any]) -> bool:
    """Tell whether numbers of a dtype can have a gradient."""
    return dtype.newbyteorder("=") in TORCH


def has_no_derivative(dtype: np.dtype[Any]) -> bool:
    """Tell whether numbers of a dtype have no fractions: truth values, integers, text."""
    return dtype.kind in "biuUS"


def torch_dtype(dtype: Any, operation: str) -> torch.dtype:
    """Return the torch dtype for one of numpy; raise CannotFollow where there is none."""
    found = TORCH.get(np.dtype(dtype).newbyteorder("="))
    if found is None:
        raise CannotFollow(operation, f"torch follows float16, float32 and float64, got {np.dtype(dtype)}")
    return found


def constant(value: Any, dtype: torch.dtype) -> Tensor:
    """Return a tensor of somebody's numbers; it may share their memory."""
    array: Array = np.asarray(value, NUMPY[dtype])
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array)


def as_tensor(value: Any, dtype: torch.dtype) -> Tensor:
    """Return a tensor or plain numbers in this dtype."""
    return value.to(dtype) if isinstance(value, Tensor) else constant(value, dtype)


def numbers_of(t: Tensor) -> Array:
    """Return the numbers of a tensor as an array in the same memory, which nobody may write to."""
    array: Array = t.detach().numpy()
    array.flags.writeable = False
    return array


def result_dtype(function: Callable[..., Any], *operands: Any) -> np.dtype[Any]:
    """Return the dtype in which numpy gives the result of a function of numbers, found by small stand-ins.

    A tensor stands for an array of its dtype, and a number of Python for itself.
    """
    found: np.dtype[Any] = _dtype_of(function, *(_kind(operand) for operand in operands))
    return found


@lru_cache(maxsize=4096)
def _dtype_of(function: Callable[..., Any], *kinds: Any) -> Any:
    with np.errstate(all="ignore"):
        found = function(*(_stand_in(kind) for kind in kinds))
    return (found[0] if isinstance(found, tuple) else found).dtype


def _kind(operand: Any) -> Any:
    if isinstance(operand, Tensor):
        return NUMPY[operand.dtype], operand.ndim == 0
    if type(operand) in OF_PYTHON:
        return type(operand)
    array = np.asarray(operand)
    return array.dtype, array.ndim == 0


def _stand_in(kind: Any) -> Any:
    if isinstance(kind, type):
        return kind(1)
    dtype, is_scalar = kind
    return np.ones((), dtype) if is_scalar else np.ones((1,), dtype)
