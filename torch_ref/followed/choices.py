"""Functions of numpy that choose between numbers, bound or round them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import as_tensor, constant, numbers_of, result_dtype, torch_dtype
from torch_ref.followed.moving import moved
from torch_ref.followed.table import Table
from torch_ref.followed.ufuncs import elementwise, plain_of

CHOICES = Table()


def _mask(condition: Any) -> Tensor:
    return torch.from_numpy(np.array(plain_of(condition), bool))


@CHOICES.of(np.where)
def _where(condition: Any, *branches: Any) -> Any:
    if not branches:
        return np.where(plain_of(condition))
    dtype = torch_dtype(result_dtype(lambda x, y: np.where(True, x, y), *branches), "np.where")
    return torch.where(_mask(condition), *(as_tensor(branch, dtype) for branch in branches))


@CHOICES.of(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    found = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        found = _where(condition, choice, found)
    return found


@CHOICES.of(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:  # noqa: A002
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    found = a
    for limit, bound in ((low, torch.clamp_min), (high, torch.clamp_max)):
        if limit is not None:
            into = torch_dtype(result_dtype(np.maximum, found, limit), "np.clip")
            found = bound(as_tensor(found, into), as_tensor(limit, into))
    return found.clone() if found is a else found


@CHOICES.of(np.nan_to_num)
def _nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if not copy:
        raise CannotFollow("np.nan_to_num", "copy=False has no translation into torch")
    found = torch.nan_to_num(x, float(nan), posinf, neginf)
    return torch.where(torch.isfinite(x), found, found.detach())


@CHOICES.of(np.round, np.around)
def _round(a: Any, decimals: int = 0) -> Any:
    found = np.round(numbers_of(a), decimals)
    return constant(found, torch_dtype(found.dtype, "np.round"))


@CHOICES.of(np.fix)
def _fix(x: Any) -> Any:
    return elementwise(np.trunc, x)


@CHOICES.of(np.real)
def _real(val: Any) -> Any:
    return moved(np.real, "np.real", (val,))


@CHOICES.of(np.sinc)
def _sinc(x: Any) -> Any:
    return torch.sinc(x)
