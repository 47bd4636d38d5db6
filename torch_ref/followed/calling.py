"""One call of numpy by torch: with every number kept that the backward pass needs, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import as_tensor, has_no_derivative
from torch_ref.followed.functions import FUNCTIONS
from torch_ref.followed.holder import Holder, closed, opened, tensors_in
from torch_ref.followed.moving import Moved
from torch_ref.followed.ufuncs import accumulated, elementwise, has_history, name_of, outer, plain_of, reduced
from torch_ref.followed.writing import add_at, apart, fitting

CALLED: dict[str, Callable[..., Any]] = {
    "__call__": elementwise,
    "reduce": reduced,
    "accumulate": accumulated,
    "outer": outer,
}
"""How a ufunc is computed, by the name of its method."""

UNDERSTOOD = {"where", "dtype", "axis", "keepdims", "initial"}

INTO_PLAIN = "it would write into a plain array, which keeps no history"

NO_TRANSLATION = "there is no translation of it into torch"

NOT_TAKEN = "there is no translation of it into torch with these arguments"


def kept(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Call torch so that the numbers which the backward pass needs are kept, whatever is written over them later."""
    with saved_tensors_hooks(torch.clone, _same):
        return function(*args, **named)


def _same(t: Tensor) -> Tensor:
    return t


def by_ufunc(ufunc: np.ufunc, method: str, inputs: Any, named: dict[str, Any]) -> Any:
    """Return what a ufunc gives, or one of its methods: tensors for what is followed."""
    name = name_of(ufunc) if method == "__call__" else f"{name_of(ufunc)}.{method}"
    if method not in CALLED or not set(named) <= UNDERSTOOD:
        raise CannotFollow(name, NO_TRANSLATION)
    called = CALLED[method]

    def computed(*operands: Any, **given: Any) -> Any:
        return called(ufunc, *operands, **given)

    found = _computed(name, computed, getattr(ufunc, method), inputs, named)
    if method == "__call__" and named.get("where", True) is not True and isinstance(found, Tensor):
        found = torch.where(_mask(named["where"]), found, 0.0)  # numpy leaves there what was in memory
    return found


def by_function(function: Callable[..., Any], args: Any, named: dict[str, Any], out: Any) -> Any:
    """Return what a function of numpy gives: tensors for what is followed."""
    translation = FUNCTIONS.get(function)
    if translation is None:
        return _by_numpy(function, args, named if out is None else {**named, "out": out})
    return _computed(name_of(function), translation, function, args, named)


def _computed(
    name: str, translation: Callable[..., Any], function: Callable[..., Any], args: Any, named: dict[str, Any]
) -> Any:
    """Return what torch computes; where it raises, numpy's own error, or CannotFollow where numpy has none."""
    args, named = opened(args), opened(named)
    try:
        return kept(translation, *args, **named)
    except CannotFollow:
        raise
    except Exception as error:  # torch has errors of its own for what numpy refuses too
        function(*closed(args), **closed(named))
        raise CannotFollow(name, NOT_TAKEN) from error


def _by_numpy(function: Callable[..., Any], args: Any, named: dict[str, Any]) -> Any:
    """Return what numpy computes, where no history is lost: no fractions come out, or none has a history."""
    args, named = opened(args), opened(named)
    is_followed = has_history(*tensors_in(args), *tensors_in(named))
    if is_followed and named.get("out") is not None:
        raise CannotFollow(name_of(function), NO_TRANSLATION)
    try:
        result = function(*closed(args), **closed(named))
    except ValueError as error:
        if "read-only" in str(error):  # it writes into what it is given
            raise CannotFollow(name_of(function), NO_TRANSLATION) from error
        raise
    if is_followed and not _is_without_derivative(result):
        raise CannotFollow(name_of(function), NO_TRANSLATION)
    return result


def _is_without_derivative(result: Any) -> bool:
    if isinstance(result, tuple | list):
        return all(map(_is_without_derivative, result))
    if isinstance(result, np.ndarray | np.generic):
        return has_no_derivative(result.dtype)
    return isinstance(result, bool | int | str | np.dtype | type)


# ------------------------------------------------------------------------------------------------ in place


def written(name: str, found: Any, out: Any, where: Any = True) -> Any:
    """Write what a call gives into ``out``, which is returned."""
    found = found.tensor if isinstance(found, Moved) else found
    if isinstance(out, Holder):
        kept(_write, out.writable, found, where)
        return out
    if has_history(found):
        raise CannotFollow(f"{name} with out=, or in place (+=)", INTO_PLAIN)
    np.copyto(out, plain_of(found), casting="same_kind", where=where)
    return out


def _write(t: Tensor, found: Any, where: Any) -> None:
    value = fitting(as_tensor(found, t.dtype), tuple(t.shape))
    t.copy_(apart(value if where is True else torch.where(_mask(where), value, t), t))


def _mask(where: Any) -> Tensor:
    return torch.from_numpy(np.array(where, bool))


def at(ufunc: np.ufunc, target: Any, index: Any, *values: Any) -> None:
    """Do what ``ufunc.at`` does: ``np.add.at`` and ``np.subtract.at``."""
    name = f"{name_of(ufunc)}.at"
    if not isinstance(target, Holder):
        raise CannotFollow(name, INTO_PLAIN)
    if ufunc not in (np.add, np.subtract):
        raise CannotFollow(name, NO_TRANSLATION)
    kept(add_at, target.writable, index, opened(values[0]), 1 if ufunc is np.add else -1)
