"""An array that knows where its numbers come from: numpy's functions work on it, and torch keeps the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from torch import Tensor

from torch_ref.followed.calling import NO_TRANSLATION, at, by_function, by_ufunc, kept, written
from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import NUMPY, Array, has_no_derivative, numbers_of, torch_dtype
from torch_ref.followed.holder import Holder, opened
from torch_ref.followed.moving import Moved, moved
from torch_ref.followed.ufuncs import name_of, plain_of
from torch_ref.followed.writing import write

METHODS: dict[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in (
        "all", "any", "argmax", "argmin", "argpartition", "argsort", "compress", "conj", "cumprod", "cumsum",
        "diagonal", "dot", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "round", "searchsorted",
        "squeeze", "std", "sum", "swapaxes", "take", "trace", "var",
    )
}  # fmt: skip
"""Methods of an array that are functions of numpy with the array in front."""


class Followed(Holder, NDArrayOperatorsMixin):
    """A number of numpy, or an array, whose values are a torch tensor's, under autograd.

        x = follow(np.ones((3, 2)))
        loss = np.tanh(x @ W).sum()
        torch.autograd.grad(loss.tensor, x.leaf)

    It behaves as numpy's own does: dtype, shape, views, writing in place. Comparisons, indices and integers that come
    out of it are plain. Where an operation would lose the history, ``CannotFollow`` is raised.
    """

    # -------------------------------------------------------------------------------------- numpy's own protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
        """Compute a ufunc, or one of its methods, by torch."""
        if method == "at":
            return at(ufunc, *inputs)
        out = (named.pop("out", None) or (None,))[0]
        for without_meaning in ("casting", "order", "subok"):
            named.pop(without_meaning, None)
        found = by_ufunc(ufunc, method, inputs, named)
        if out is None or type(out) is Followed:  # x += 1 of a number gives another number
            return followed(found)
        return written(name_of(ufunc), found, out, named.get("where", True) if method == "__call__" else True)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, named: Any) -> Any:
        """Compute a function of numpy by torch."""
        if function is np.copyto:
            return _copied_to(*args, **named)
        named = dict(named)
        out = named.pop("out", None)
        found = by_function(function, args, named, out)
        return followed(found) if out is None else written(name_of(function), found, out)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        """Return the numbers, where they have no history to lose."""
        if self.tensor.requires_grad:
            raise CannotFollow(
                "making a plain array (np.array, np.asarray, writing into np.zeros, a function of scipy)",
                "a plain array keeps no history",
            )
        return np.array(numbers_of(self.current), dtype)

    # -------------------------------------------------------------------------------------- what it is

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Answer ``isinstance(x, np.ndarray)`` as what stands here in somebody's code would."""
        return self.dtype.type

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return numpy's dtype."""
        return NUMPY[self.tensor.dtype]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape."""
        return tuple(self.tensor.shape)

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
    def real(self) -> Any:
        """Return it as it is."""
        return self

    def __getattr__(self, name: str) -> Any:
        """Return what an array has under a name: methods that are functions of numpy, and what tells of its memory."""
        if name in METHODS:
            return partial(METHODS[name], self)
        if name in ("strides", "itemsize", "nbytes", "flags"):
            return getattr(numbers_of(self.tensor), name)
        if hasattr(np.ndarray, name) and not name.startswith("__"):
            raise CannotFollow(f"x.{name} of an array", NO_TRANSLATION)
        raise AttributeError(f"a followed array has no attribute {name!r}")

    # -------------------------------------------------------------------------------------- methods

    def reshape(self, *shape: Any, **named: Any) -> Any:
        """Return it with another shape."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **named)

    def transpose(self, *axes: Any) -> Any:
        """Return it with other axes; their order is one tuple, or several numbers."""
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def copy(self, order: str = "C") -> Any:
        """Return a copy."""
        return type(self)(kept(self.current.clone))

    def __copy__(self) -> Any:
        """Return a copy with the same history."""
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a copy with the same history."""
        return self.copy()

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> Any:  # noqa: A002 - numpy's names
        """Return it with no number below one bound and above another."""
        return np.clip(self, min, max, out=out)

    def flatten(self, order: Any = "C") -> Any:
        """Return a copy in one row."""
        return np.ravel(self, order).copy()

    def astype(self, dtype: Any, *_: Any, copy: bool = True, **__: Any) -> Any:
        """Return it in another dtype; plain where that has no fractions."""
        if has_no_derivative(np.dtype(dtype)):
            return numbers_of(self.current).astype(dtype)[()]
        found = self.current.to(torch_dtype(dtype, "astype"))
        return type(self)(found.clone() if copy and found is self.tensor else found)

    def item(self, *index: Any) -> Any:
        """Return one number, which keeps its history."""
        where = index[0] if len(index) == 1 else index
        return self.reshape(self.shape if isinstance(where, tuple) and where else -1)[where or 0]

    def tolist(self) -> Any:
        """Return the numbers in nested lists; each keeps its history."""
        return [part.tolist() for part in self.reshape(self.shape)] if self.ndim else self

    # -------------------------------------------------------------------------------------- as a plain number

    def __float__(self) -> float:
        """Return the number, where it has no history to lose."""
        if self.tensor.requires_grad:
            where = "float(x) (also in math.log(x), '%f' % x, a[0] = x of a plain array)"
            raise CannotFollow(where, "a plain number keeps no history")
        return float(numbers_of(self.current))

    def __int__(self) -> int:
        """Return the number without its fraction, whose derivative is 0."""
        return int(numbers_of(self.current))

    def __bool__(self) -> bool:
        """Tell whether the number is not 0."""
        return bool(numbers_of(self.current))

    def __round__(self, digits: int | None = None) -> Any:
        """Return the number rounded, whose derivative is 0."""
        return int(np.rint(numbers_of(self.current))) if digits is None else np.round(self, digits)

    def __repr__(self) -> str:
        """Return what numpy shows."""
        return repr(self._shown)

    def __str__(self) -> str:
        """Return what numpy shows."""
        return str(self._shown)

    def __format__(self, form: str) -> str:
        """Return the number as text."""
        return format(self._shown, form)

    @property
    def _shown(self) -> Any:
        return numbers_of(self.tensor)[()]


class FollowedArray(Followed):
    """One with indices; the numbers without them are a class of their own, for numpy asks whether there are any."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Answer ``isinstance(x, np.ndarray)`` as an array does."""
        return np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape; it can be set, as an array's."""
        return tuple(self.tensor.shape)

    @shape.setter
    def shape(self, shape: Any) -> None:
        self.tensor = self.current.view(shape)

    @property
    def flat(self) -> Any:
        """Return all entries in a row, a view where there is one."""
        return self.reshape(-1)

    def __getitem__(self, index: Any) -> Any:
        """Return what an array returns for an index: a view, a copy or one number."""
        t = self.current
        if isinstance(numbers_of(t)[index], np.ndarray):
            return followed(kept(moved, lambda x: x[index], "indexing", (t,)))
        index = (*index, ...) if isinstance(index, tuple) else (index, ...)
        return Followed(moved(lambda x: x[index], "indexing", (t,)).tensor.clone())

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write numbers in place, with their history."""
        kept(write, self.writable, index, opened(value))

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
        return bool((numbers_of(self.current) == plain_of(opened(value))).any())

    def fill(self, value: Any) -> None:
        """Write one number everywhere."""
        self[...] = value

    def sort(self, axis: int = -1, **named: Any) -> None:
        """Sort in place."""
        self[...] = np.sort(self, axis, **named)


def followed(found: Any) -> Any:
    """Return what a call gives with tensors as followed arrays; those without dimensions as numbers."""
    if isinstance(found, Tensor):
        return FollowedArray(found) if found.ndim else Followed(found)
    if isinstance(found, Moved):
        return Followed(found.tensor) if found.is_scalar else FollowedArray(found.tensor)
    if isinstance(found, tuple | list):
        parts = map(followed, found)
        return type(found)(*parts) if hasattr(found, "_fields") else type(found)(parts)
    return found


def _copied_to(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    written("np.copyto", opened(src), dst, where)
