"""An array that knows where its numbers come from: numpy's functions work on it, and torch keeps the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.lib.mixins import NDArrayOperatorsMixin
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import NUMPY, Array, as_tensor, is_followed_dtype, numbers_of, torch_dtype
from torch_ref.followed.functions import FUNCTIONS
from torch_ref.followed.moving import COPIED_FROM, Moved, moved
from torch_ref.followed.ufuncs import accumulated, elementwise, has_history, name_of, outer, plain_of, reduced
from torch_ref.followed.writing import add_at, apart, fitting, write

METHODS: dict[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in (
        "all", "any", "argmax", "argmin", "argpartition", "argsort", "clip", "compress", "conj", "cumprod", "cumsum",
        "diagonal", "dot", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "round", "searchsorted",
        "squeeze", "std", "sum", "swapaxes", "take", "trace", "var",
    )
}  # fmt: skip
"""Methods of an array that are functions of numpy with the array in front."""

CALLED: dict[str, Callable[..., Any]] = {
    "__call__": elementwise,
    "reduce": reduced,
    "accumulate": accumulated,
    "outer": outer,
}
"""How a ufunc is computed, by the name of its method."""

INTO_PLAIN = "it would write into a plain array, which keeps no history"

NO_TRANSLATION = "there is no translation of it into torch"


class Followed(NDArrayOperatorsMixin):
    """A numpy array whose numbers are a torch tensor's, under autograd.

        x = Followed(torch.ones(3, 2, requires_grad=True))
        loss = np.tanh(x @ W).sum()
        loss.tensor.backward()

    It behaves as an array does: dtype, shape, views, writing in place. Comparisons, indices and integers that come out
    of it are plain. Where an operation would lose the history, ``CannotFollow`` is raised.
    """

    tensor: Tensor
    leaf: Tensor | None
    """By what one differentiates, where ``tensor`` is a copy of it that may be written to."""

    def __init__(
        self,
        tensor: Tensor,
        *,
        is_scalar: bool = False,
        leaf: Tensor | None = None,
    ) -> None:
        """Wrap a tensor; it is taken as it is, not copied."""
        if tensor.dtype not in NUMPY:
            raise TypeError(f"Followed expects a tensor of float16, float32 or float64, got {tensor.dtype}")
        self.tensor, self.is_scalar, self.leaf = tensor, is_scalar, leaf
        self._copied_from: Tensor | None = getattr(tensor, COPIED_FROM, None)
        self._version = 0 if self._copied_from is None else self._copied_from._version

    # -------------------------------------------------------------------------------------- numpy's own protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
        """Compute a ufunc, or one of its methods, by torch."""
        out = (named.pop("out", None) or (None,))[0]
        called = CALLED.get(method)
        if method == "at":
            return _at(ufunc, *inputs)
        for without_meaning in ("casting", "order", "subok"):
            named.pop(without_meaning, None)
        name = name_of(ufunc) if method == "__call__" else f"{name_of(ufunc)}.{method}"
        if called is None or not set(named) <= {"where", "dtype", "axis", "keepdims", "initial"}:
            raise CannotFollow(name, NO_TRANSLATION)
        where = named.get("where", True) if method == "__call__" else True
        found = _computed(name, partial(called, ufunc), getattr(ufunc, method), inputs, named)
        return _returned(name, found, out, where)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, named: Any) -> Any:
        """Compute a function of numpy by torch."""
        name, named = name_of(function), dict(named)
        out = named.pop("out", None)
        if function is np.copyto:
            return _copied_to(*args, **named)
        translation = FUNCTIONS.get(function)
        if translation is None:
            return _by_numpy(function, name, args, named if out is None else {**named, "out": out})
        return _returned(name, _computed(name, translation, function, args, named), out)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        """Return the numbers, where they have no history to lose."""
        if self.tensor.requires_grad:
            raise CannotFollow(
                "making a plain array (np.array, np.asarray, writing into np.zeros, a function of scipy)",
                "a plain array keeps no history",
            )
        return np.array(numbers_of(self._current), dtype)

    # -------------------------------------------------------------------------------------- what it is

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Answer ``isinstance(x, np.ndarray)`` as the array would that stands here in somebody's code."""
        return self.dtype.type if self.is_scalar else np.ndarray

    @property
    def _current(self) -> Tensor:
        """Return the tensor; raise CannotFollow where it is a copy, and what numpy would look at has changed."""
        if self._copied_from is not None and self._copied_from._version != self._version:
            raise CannotFollow(
                "a view with a negative step (x[::-1], np.flip) of an array that is written to afterwards",
                "torch copies there",
            )
        return self.tensor

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return numpy's dtype."""
        return NUMPY[self.tensor.dtype]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape; it can be set, as an array's."""
        return tuple(self.tensor.shape)

    @shape.setter
    def shape(self, shape: Any) -> None:
        self.tensor = self._current.view(shape)

    @property
    def ndim(self) -> int:
        """Return the number of dimensions."""
        return self.tensor.ndim

    @property
    def size(self) -> int:
        """Return the number of entries."""
        return self.tensor.numel()

    @property
    def T(self) -> Any:  # noqa: N802 - numpy's name
        """Return the transpose, a view."""
        return np.transpose(self)

    @property
    def flat(self) -> Any:
        """Return all entries in a row, a view where there is one."""
        return self.reshape(-1)

    def __getattr__(self, name: str) -> Any:
        """Return what an array has under a name: methods that are functions of numpy, and what tells of its memory."""
        if name in METHODS:
            return partial(METHODS[name], self)
        if name in ("strides", "itemsize", "nbytes", "flags"):
            return getattr(numbers_of(self.tensor), name)
        if hasattr(np.ndarray, name) and not name.startswith("__"):
            raise CannotFollow(f"x.{name} of an array", NO_TRANSLATION)
        raise AttributeError(f"a followed array has no attribute {name!r}")

    # -------------------------------------------------------------------------------------- reading and writing

    def __getitem__(self, index: Any) -> Any:
        """Return what an array returns for an index: a view, a copy or one number."""
        t = self._current
        if not self.is_scalar and not isinstance(numbers_of(t)[index], np.ndarray):
            index = (*index, ...) if isinstance(index, tuple) else (index, ...)
            return Followed(moved(lambda x: x[index], "indexing", (t,)).tensor.clone(), is_scalar=True)
        return _returned("indexing", _kept(moved, lambda x: x[index], "indexing", (t,)))

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write numbers in place, with their history."""
        if self.is_scalar:
            raise TypeError(f"'numpy.{self.dtype}' object does not support item assignment")
        _kept(write, self._writable, index, _opened(value))

    @property
    def _writable(self) -> Tensor:
        if self._copied_from is not None:
            raise CannotFollow("writing into a view with a negative step (x[::-1], np.flip)", "torch copies there")
        return self.tensor

    def __len__(self) -> int:
        """Return the length of the first dimension."""
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return len(self.tensor)

    def __iter__(self) -> Iterator[Any]:
        """Yield the parts along the first dimension."""
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        """Tell whether a number is in it."""
        return bool((numbers_of(self._current) == plain_of(_opened(value))).any())

    # -------------------------------------------------------------------------------------- methods

    def reshape(self, *shape: Any, **named: Any) -> Any:
        """Return it with another shape."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **named)

    def transpose(self, *axes: Any) -> Any:
        """Return it with other axes; their order is one tuple, or several numbers."""
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def copy(self, order: str = "C") -> Followed:
        """Return a copy."""
        return Followed(_kept(self._current.clone), is_scalar=self.is_scalar)

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Followed:
        """Return a copy with the same history."""
        return self.copy()

    def flatten(self, order: Any = "C") -> Any:
        """Return a copy in one row."""
        return np.ravel(self, order).copy()

    def astype(self, dtype: Any, *_: Any, copy: bool = True, **__: Any) -> Any:
        """Return it in another dtype; plain where that has no fractions."""
        if not is_followed_dtype(np.dtype(dtype)):
            return numbers_of(self._current).astype(dtype)
        found = self._current.to(torch_dtype(dtype, "astype"))
        return Followed(found.clone() if copy and found is self.tensor else found, is_scalar=self.is_scalar)

    def item(self, *index: Any) -> Any:
        """Return one number, which keeps its history."""
        return (
            self.reshape(-1)[index[0] if len(index) == 1 and not isinstance(index[0], tuple) else 0]
            if (len(index) < 2)
            else self[index]
        )

    def tolist(self) -> Any:
        """Return the numbers in nested lists; each keeps its history."""
        return [part.tolist() for part in self] if self.ndim else self

    def fill(self, value: Any) -> None:
        """Write one number everywhere."""
        self[...] = value

    def sort(self, axis: int = -1, **named: Any) -> None:
        """Sort in place."""
        self[...] = np.sort(self, axis, **named)

    # -------------------------------------------------------------------------------------- as a plain number

    def __float__(self) -> float:
        """Return the number, where it has no history to lose."""
        if self.tensor.requires_grad:
            raise CannotFollow(
                "float() (also math.log, '%f' % x, writing x into a plain array)", "a float keeps no history"
            )
        return float(numbers_of(self._current))

    def __int__(self) -> int:
        """Return the number without its fraction, whose derivative is 0."""
        return int(numbers_of(self._current))

    def __bool__(self) -> bool:
        """Tell whether the number is not 0."""
        return bool(numbers_of(self._current))

    def __round__(self, digits: int | None = None) -> Any:
        """Return the number rounded, whose derivative is 0."""
        return int(np.rint(numbers_of(self._current))) if digits is None else np.round(self, digits)

    def __repr__(self) -> str:
        """Return what an array shows."""
        return repr(self._shown)

    def __str__(self) -> str:
        """Return what an array shows."""
        return str(self._shown)

    def __format__(self, form: str) -> str:
        """Return the number as text."""
        return format(self._shown, form)

    @property
    def _shown(self) -> Any:
        return numbers_of(self.tensor)[()] if self.is_scalar else numbers_of(self.tensor)


# ---------------------------------------------------------------------------------------------- how torch is called


def _kept(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Call torch so that the numbers which the backward pass needs are kept, whatever is written over them later."""
    with saved_tensors_hooks(torch.clone, _same):
        return function(*args, **named)


def _same(t: Tensor) -> Tensor:
    return t


def _computed(
    name: str, translation: Callable[..., Any], function: Callable[..., Any], args: Any, named: dict[str, Any]
) -> Any:
    """Return what torch computes; where it raises, numpy's own error, or CannotFollow where numpy has none."""
    args, named = _opened(args), _opened(named)
    try:
        return _kept(translation, *args, **named)
    except CannotFollow:
        raise
    except Exception as error:  # torch has errors of its own for what numpy refuses too
        function(*_plain(args), **_plain(named))
        raise CannotFollow(name, f"torch does not take its arguments ({error})") from error


def _by_numpy(function: Callable[..., Any], name: str, args: Any, named: dict[str, Any]) -> Any:
    """Return what numpy computes, where no history is lost: no fractions come out, or none has a history."""
    args, named = _opened(args), _opened(named)
    is_followed = has_history(*_tensors(args), *_tensors(named))
    if is_followed and named.get("out") is not None:
        raise CannotFollow(name, NO_TRANSLATION)
    result = function(*_plain(args), **_plain(named))
    if is_followed and (result is None or _has_fractions(result)):
        raise CannotFollow(name, NO_TRANSLATION)
    return result


def _has_fractions(result: Any) -> bool:
    if isinstance(result, tuple | list):
        return any(_has_fractions(part) for part in result)
    if isinstance(result, np.ndarray | np.generic):
        return result.dtype.kind in "fcO"
    return not isinstance(result, bool | int | str | np.dtype | type)


def _opened(value: Any) -> Any:
    """Return a value with the tensors of followed arrays, in tuples, lists and dicts too."""
    if type(value) is Followed:
        return value._current
    if type(value) in (tuple, list):
        return type(value)(map(_opened, value))
    return {key: _opened(part) for key, part in value.items()} if type(value) is dict else value


def _plain(value: Any) -> Any:
    if type(value) in (tuple, list):
        return type(value)(map(_plain, value))
    return {key: _plain(part) for key, part in value.items()} if type(value) is dict else plain_of(value)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, dict):
        value = [*value.values()]
    if type(value) in (tuple, list):
        return [t for part in value for t in _tensors(part)]
    return [value] if isinstance(value, Tensor) else []


# ---------------------------------------------------------------------------------------------- what is returned


def _returned(name: str, found: Any, out: Any = None, where: Any = True) -> Any:
    """Return what a function gives, followed where it is a tensor, or written to ``out``."""
    out = out[0] if isinstance(out, tuple) else out
    if out is not None:
        return _written(name, found.tensor if isinstance(found, Moved) else found, out, where)
    if isinstance(found, Tensor):
        if where is not True:  # numpy leaves there what was in memory
            found = torch.where(torch.from_numpy(np.array(where, bool)), found, 0.0)
        return Followed(found, is_scalar=found.ndim == 0)
    if isinstance(found, Moved):
        return Followed(found.tensor, is_scalar=found.is_scalar)
    if isinstance(found, tuple | list):
        parts = [_returned(name, part) for part in found]
        return type(found)(*parts) if hasattr(found, "_fields") else type(found)(parts)
    return found


def _written(name: str, found: Any, out: Any, where: Any) -> Any:
    if type(out) is not Followed:
        if has_history(found):
            raise CannotFollow(f"{name} with out=, or in place (+=)", INTO_PLAIN)
        np.copyto(out, plain_of(found), casting="same_kind", where=where)
        return out
    if out.is_scalar:  # x += 1 of a number gives another number
        return _returned(name, found)
    t = out._writable
    value = fitting(as_tensor(found, t.dtype), out.shape)
    if where is not True:
        value = torch.where(torch.from_numpy(np.array(where, bool)), value, t)
    t.copy_(apart(value, t))
    return out


def _copied_to(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    _written("np.copyto", _opened(src), dst, where)


def _at(ufunc: np.ufunc, target: Any, index: Any, *values: Any) -> None:
    """Do what ``ufunc.at`` does: ``np.add.at`` and ``np.subtract.at``."""
    name = f"{name_of(ufunc)}.at"
    if type(target) is not Followed:
        raise CannotFollow(name, INTO_PLAIN)
    if ufunc not in (np.add, np.subtract):
        raise CannotFollow(name, NO_TRANSLATION)
    _kept(add_at, target._writable, index, _opened(values[0]), 1 if ufunc is np.add else -1)
