"""From arrays to followed arrays and back, wherever they lie: in lists, tuples, dicts and dataclasses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from torch_ref.followed.array import Followed, FollowedArray
from torch_ref.followed.dtypes import Array, constant, is_followed_dtype, numbers_of, torch_dtype
from torch_ref.numbers.containers import mapped

Leaf = Callable[[str, Array], Tensor | None]
"""From the path of an array and the array to the tensor that stands for it; None leaves the array as it is."""


def follow(value: Any, leaf: Leaf | None = None) -> Any:
    """Return a value with every array of float16, float32 or float64 followed.

        W = follow(np.ones((3, 2)))
        loss = np.tanh(x @ W).sum()
        torch.autograd.grad(loss.tensor, W.leaf)

    Arrays in lists, tuples, dicts and dataclasses are followed too, in containers of the same kind; one array in two
    places is one followed array. ``leaf(path, array)`` gives the tensor to differentiate by, whose numbers then count;
    without it, it is a copy of the array. The followed array itself is a copy once more, which may be written to.
    """
    known: dict[int, Any] = {}

    def change(path: str, array: Any) -> Any:
        if isinstance(array, Followed) or not is_followed_dtype(array.dtype):
            return array
        if id(array) not in known:
            known[id(array)] = _followed(array, leaf_of(array) if leaf is None else leaf(path, array))
        return known[id(array)]

    return mapped(value, change, kind=np.ndarray)


def leaf_of(array: Array) -> Tensor:
    """Return a tensor with a copy of an array's numbers that requires a gradient."""
    return constant(array, torch_dtype(array.dtype, "follow")).clone().requires_grad_()


def _followed(array: Array, leaf: Tensor | None) -> Any:
    return array if leaf is None else FollowedArray(leaf.clone(), leaf)


def plain(value: Any) -> Any:
    """Return a value with every followed array as a plain one, in containers and arrays of objects too."""
    return mapped(value, lambda _, found: _plain(found), kind=(Followed, np.ndarray))


def _plain(found: Any) -> Any:
    if isinstance(found, Followed):
        numbers = numbers_of(found.tensor).copy()
        return numbers if isinstance(found, FollowedArray) else numbers[()]
    if found.dtype != object:
        return found
    made = np.empty_like(found)
    for place, part in np.ndenumerate(found):
        made[place] = plain(part)
    return made
