"""What stands for an array of numpy: the tensor with its numbers and their history."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from torch_ref.followed.cannot import CannotFollow
from torch_ref.followed.dtypes import NUMPY
from torch_ref.followed.moving import COPIED_FROM
from torch_ref.followed.ufuncs import plain_of


class Holder:
    """A tensor in an array's place."""

    tensor: Tensor
    leaf: Tensor | None
    """By what one differentiates, where ``tensor`` is a copy of it that may be written to."""

    def __init__(self, tensor: Tensor, leaf: Tensor | None = None) -> None:
        """Take a tensor as it is, not copied; raise TypeError for one that has no fractions."""
        if tensor.dtype not in NUMPY:
            raise TypeError(f"Followed expects a tensor of float16, float32 or float64, got {tensor.dtype}")
        self.tensor, self.leaf = tensor, leaf
        self._copied_from: Tensor | None = getattr(tensor, COPIED_FROM, None)
        self._version = 0 if self._copied_from is None else self._copied_from._version

    @property
    def current(self) -> Tensor:
        """Return the tensor; raise CannotFollow where it is a copy, and what numpy would look at has changed."""
        if self._copied_from is not None and self._copied_from._version != self._version:
            raise CannotFollow("a view with a negative step of an array that is written to afterwards", COPIES)
        return self.tensor

    @property
    def writable(self) -> Tensor:
        """Return the tensor to write to; raise CannotFollow where it is a copy."""
        if self._copied_from is not None:
            raise CannotFollow("writing into a view with a negative step (x[::-1], np.flip)", COPIES)
        return self.tensor


COPIES = "torch copies where numpy has such a view"


def opened(value: Any) -> Any:
    """Return a value with the tensors of what is followed, in tuples, lists and dicts too."""
    if isinstance(value, Holder):
        return value.current
    if type(value) in (tuple, list):
        return type(value)(map(opened, value))
    return {key: opened(part) for key, part in value.items()} if type(value) is dict else value


def closed(value: Any) -> Any:
    """Return what is opened with plain arrays for its tensors."""
    if type(value) in (tuple, list):
        return type(value)(map(closed, value))
    return {key: closed(part) for key, part in value.items()} if type(value) is dict else plain_of(value)


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors in what is opened."""
    if type(value) is dict:
        value = [*value.values()]
    if type(value) in (tuple, list):
        return [t for part in value for t in tensors_in(part)]
    return [value] if isinstance(value, Tensor) else []
