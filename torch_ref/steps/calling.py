"""Calls of somebody's code, the only ones: what it raises, changes or returns instead becomes a failure in words.

It is given the very tensors, not copies: another place in memory can change the last bit of what comes out. What it
changes is noticed and put back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from manual_bp.layer import described
from torch_ref.numbers.containers import mapped
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import Failure, Value, same


class Call:
    """One call of somebody's code, and whether it left its arguments as they were."""

    def __init__(self, arguments: Mapping[str, Tensor], buffers: Sequence[str] = ()) -> None:
        """Take the tensors that must not change, by name; ``buffers`` may, and are put back."""
        self.arguments, self.buffers = arguments, buffers
        self.before = {name: t.clone() for name, t in arguments.items()}
        self.failure: Failure | None = None

    def __call__(self, code: Callable[..., Any], *given: Any) -> Any:
        """Return what the code returns; None, and ``failure``, where it raises."""
        returned = None
        try:
            with as_it_was():
                returned = code(*given)
        except (Exception, SystemExit) as error:  # whatever somebody's formula raises is what the report has to say
            self.failure = self.raised(error)
        changed = [name for name, t in self.arguments.items() if not same(t, self.before[name])]
        if changed:
            wrong = [name for name in changed if name not in self.buffers]
            text = f"changes {', '.join(wrong)} in place"
            self.failure = self.failure or (Failure("changes-input", text) if wrong else None)
            returned = _copied(returned)
            for name in changed:
                put_back(self.arguments[name], self.before[name])
        return returned

    def raised(self, error: BaseException) -> Failure:
        """Return what the code raised."""
        return Failure("raises", f"raises {type(error).__name__}: {error}")

    def value(self, tensor: Any, method: Callable[..., object] | None, expected: str) -> Value:
        """Return the value of a formula, which has to be a tensor."""
        if isinstance(tensor, Tensor):
            dense = tensor if tensor.layout is torch.strided else tensor.to_dense()  # as of an embedding
            return Value(dense.detach(), method, self.failure)
        return self.missing(tensor, method, expected)

    def missing(self, came: Any, method: Callable[..., object] | None, expected: str) -> Value:
        """Return the value of a formula that gave something else."""
        text = f"gives {described(came)} where {expected} is expected"
        return Value(None, method, self.failure or Failure("wrong-return", text))


def attempt(code: Callable[[], Any]) -> Any:
    """Return what a call gives that may raise anything; None where it does, and for None."""
    return Call({})(code)


def named_gradient(d: Any, name: str, method: Callable[..., object], failure: Failure | None) -> Value:
    """Return one gradient of those that a layer gave by name."""
    tensor = d.get(name) if isinstance(d, Mapping) else None
    if isinstance(tensor, Tensor):
        return Value(tensor.detach(), method, failure)
    return Value(None, method, failure or Failure("wrong-return", f"gives no gradient of {name}"))


def is_pair(returned: Any) -> bool:
    """Tell whether a method returned two things."""
    return isinstance(returned, tuple | list) and len(returned) == 2


def _copied(value: Any) -> Any:
    """Return what a method returned with its tensors copied: they may lie in an argument that is put back."""
    return mapped(value, lambda _, t: t.clone())


def put_back(t: Tensor, before: Tensor) -> None:
    """Write the old numbers into a tensor; into one row of it where an expanded tensor has one for all."""
    if t.shape != before.shape:
        t.data = before
        return
    once = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in t.stride())
    t[once].copy_(before[once])


def substituted(saved: Any, own: Any, right: Tensor) -> Any:
    """Return what forward saved, with ``right`` wherever its own output stands; as it is where that is right."""
    if not isinstance(own, Tensor) or own.shape != right.shape or own.dtype != right.dtype or same(own, right):
        return saved

    def swap(_: str, t: Tensor) -> Tensor:
        is_own = t is own or (t.shape == own.shape and t.dtype == own.dtype and same(t, own))
        return right.clone() if is_own else t

    return mapped(saved, swap)
