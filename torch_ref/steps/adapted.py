"""Pairs of functions as people write them, in the form that a check calls: tensors in, tensors out, no cache.

    forward(x, w) -> (out, cache), backward(d_out, cache)     becomes     forward(x, w) -> out, backward(d_out, x, w)

and functions of numpy arrays become functions of tensors; their reference is forward itself, followed by autograd.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torch_ref.followed.array import Followed, FollowedArray
from torch_ref.followed.dtypes import TORCH
from torch_ref.numbers.containers import leaves_of, mapped
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.reachable import reachable_kept

Function = Callable[..., Any]

Inputs = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """A forward and a backward, and the inputs at which they are called."""

    forward: Function
    backward: Function
    inputs: Inputs
    of_numpy: bool = False
    """Whether they are functions of numpy arrays, which stand in ``inputs`` as tensors."""
    followed: Function | None = None
    """Forward followed by autograd, where it is of numpy."""

    def with_tensors(self) -> Pair:
        """Return the pair as functions of tensors; as it is where tensors are among its inputs."""
        leaves = [leaf for _, leaf in leaves_of(self.inputs)]
        if any(isinstance(leaf, Tensor) for leaf in leaves) or not any(isinstance(leaf, np.ndarray) for leaf in leaves):
            return self
        inputs = mapped(self.inputs, lambda _, array: _tensor(array), kind=np.ndarray)
        return Pair(on_arrays(self.forward), on_arrays(self.backward), inputs, True, followed_by(self.forward))

    def without_cache(self) -> Pair:
        """Return the pair with a backward that makes the cache itself, where forward gives one beside its output."""
        if not isinstance(self.inputs, Sequence | Mapping) or isinstance(self.forward, nn.Module):
            return self  # a module would change its statistics
        returned = self._called_once()
        if not isinstance(returned, tuple) or len(returned) < 2 or not all(map(_is_number, returned[:-1])):
            return self
        count = len(returned)
        if _is_number(returned[-1]) and (
            _takes(self.backward, count + len(self.inputs)) or not _takes(self.backward, count)
        ):
            return self  # all are outputs
        is_loss = count == 2 and np.size(returned[0]) == 1
        backward = _from_cache(self.forward, self.backward, count - 1, is_loss=is_loss)
        return replace(self, forward=_outputs_alone(self.forward), backward=backward)

    def _called_once(self) -> Any:
        """Return what forward gives; None where it raises, which the check itself will say."""
        copied = mapped(_own(self.inputs), lambda _, one: _copied(one), kind=(Tensor, np.ndarray))
        try:
            with as_it_was(), torch.no_grad():
                return self.forward(**copied) if isinstance(copied, Mapping) else self.forward(*copied)
        except Exception:  # of somebody's forward
            return None


def _copied(one: Any) -> Any:
    return one.detach().clone() if isinstance(one, Tensor) else one.copy()


# ------------------------------------------------------------------------------------------------ a cache


def _outputs_alone(forward: Function) -> Function:
    @wraps(forward)
    def outputs(*inputs: Any, **named: Any) -> Any:
        returned = forward(*inputs, **named)[:-1]
        return returned[0] if len(returned) == 1 else returned

    return outputs


def _from_cache(forward: Function, backward: Function, outputs: int, *, is_loss: bool) -> Function:
    """Return a backward of the upstream gradients and the inputs: the cache is what forward gives for them.

    A backward that can do with the cache alone is called so: always, or for a loss, where more is optional. One that
    takes more after the cache, as ``activation``, gets the inputs of these names.
    """
    more = _further(backward, outputs + 1)
    takes_none = _takes(backward, 1) and (is_loss or not _takes(backward, 2))

    @wraps(backward)
    def from_cache(*given: Any, **named: Any) -> Any:
        d_outputs, inputs = given[:outputs], given[outputs:]
        cache = forward(*inputs, **named)[-1]
        bound = inspect.signature(forward).bind(*inputs, **named) if more else None
        besides = {name: bound.arguments[name] for name in more if name in bound.arguments} if bound else {}
        return backward(cache) if takes_none else backward(*d_outputs, cache, **besides)

    from_cache.__signature__ = inspect.signature(lambda *inputs, **named: None)  # type: ignore[attr-defined]
    return from_cache


def _further(function: Function, count: int) -> list[str]:
    """Return the names of the arguments that a function needs after so many."""
    try:
        parameters = [*inspect.signature(function).parameters.values()][count:]
    except ValueError:
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _takes(function: Function, count: int) -> bool:
    """Tell whether a function takes so many arguments in order; True where it does not say."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, Tensor | np.ndarray | np.generic | float)


# ------------------------------------------------------------------------------------------------ numpy


def on_arrays(function: Function) -> Function:
    """Return a function of arrays as one of tensors."""

    @wraps(function)
    def called(*given: Any, **named: Any) -> Any:
        return _tensors(function(*_arrays(given), **_arrays(named)))

    return called


def followed_by(function: Function) -> Function:
    """Return a function of arrays as one of tensors whose outputs have a history.

    Raises CannotFollow where that ends. What the function keeps elsewhere, in attributes, is as it was afterwards.
    """

    @wraps(function)
    def called(*given: Any, **named: Any) -> Any:
        args, others = (mapped(_own(value), lambda _, t: _followed(t)) for value in (given, named))
        with reachable_kept(function):
            return _tensors(function(*args, **others))

    return called


def _followed(t: Tensor) -> Any:
    """Return what stands for a tensor: a copy where it is a leaf, which nobody may write to."""
    if not t.is_floating_point():
        return t.numpy()
    return FollowedArray(t.clone() if t.requires_grad else t, t)


def _arrays(value: Any) -> Any:
    return mapped(_own(value), lambda _, t: t.detach().numpy())


def _own(value: Any) -> Any:
    """Return the same in lists and dicts of its own, which the function may change."""
    if type(value) is dict:
        return {key: _own(part) for key, part in value.items()}
    return type(value)(map(_own, value)) if type(value) in (list, tuple) else value


def _tensors(value: Any) -> Any:
    return mapped(value, lambda _, found: _tensor(found), kind=(Followed, np.ndarray, np.generic, float))


def _tensor(found: Any) -> Any:
    """Return a tensor of its own for an array or a number; as it is where torch has none."""
    if isinstance(found, Followed):
        return found.current
    array = np.array(found)
    if array.dtype.kind not in "biu" and array.dtype.newbyteorder("=") not in TORCH:
        return found
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C", copy=False))
