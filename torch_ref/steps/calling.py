"""Calls of somebody's methods: what they raise, change or return instead becomes words for the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from torch_ref.steps.step import Value, same


class Call:
    """One call of somebody's method, and whether it left its arguments as they were."""

    def __init__(self, arguments: Mapping[str, Tensor]) -> None:
        """Take the tensors that must not change, by name."""
        self.arguments = arguments
        self.before = {name: t.clone() for name, t in arguments.items()}
        self.failure = ""

    def __call__(self, method: Callable[..., Any], *given: Any) -> Any:
        """Return what the method returns; None, and ``failure`` in words, where it raises."""
        try:
            returned = method(*given)
        except Exception as error:  # whatever somebody's formula raises is what the report has to say
            self.failure = self.raised(error)
            return None
        changed = [name for name, t in self.arguments.items() if not same(t, self.before[name])]
        if changed:
            self.failure = f"changes {', '.join(changed)} in place"
            returned = _copied(returned)
            for name in changed:
                self.arguments[name].copy_(self.before[name])
        return returned

    def raised(self, error: BaseException) -> str:
        """Return what a method raised, in words."""
        return f"raises {type(error).__name__}: {error}"

    def value(self, tensor: Any, method: Callable[..., object] | None, expected: str) -> Value:
        """Return the value of a formula, which has to be a tensor."""
        if isinstance(tensor, Tensor):
            return Value(tensor.detach(), method, self.failure)
        return self.missing(tensor, method, expected)

    def missing(self, came: Any, method: Callable[..., object] | None, expected: str) -> Value:
        """Return the value of a formula that gave something else."""
        return Value(None, method, self.failure or f"gives {described(came)} where {expected} is expected")


def named_gradient(d: Any, name: str, method: Callable[..., object], failure: str) -> Value:
    """Return one gradient of those that a layer gave by name."""
    tensor = d.get(name) if isinstance(d, Mapping) else None
    if isinstance(tensor, Tensor):
        return Value(tensor.detach(), method, failure)
    return Value(None, method, failure or f"gives no gradient of {name}")


def is_pair(returned: Any) -> bool:
    """Tell whether a method returned two things."""
    return isinstance(returned, tuple | list) and len(returned) == 2


def described(value: Any) -> str:
    """Say what came instead of what was expected."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"


def _copied(value: Any) -> Any:
    """Return what a method returned with its tensors copied: they may lie in an argument that is put back."""
    return _replaced(value, lambda t: t.clone())


def substituted(saved: Any, own: Any, right: Tensor) -> Any:
    """Return what forward saved, with ``right`` wherever its own output stands."""
    if not isinstance(own, Tensor) or own.shape != right.shape or own.dtype != right.dtype:
        return saved

    def swap(t: Tensor) -> Tensor:
        is_own = t is own or (t.shape == own.shape and t.dtype == own.dtype and same(t, own))
        return right.clone() if is_own else t

    return _replaced(saved, swap)


def _replaced(value: Any, swap: Callable[[Tensor], Tensor]) -> Any:
    """Return a structure of tuples, lists and dicts with every tensor replaced."""
    if isinstance(value, Tensor):
        return swap(value)
    if isinstance(value, tuple):
        parts = [_replaced(part, swap) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [_replaced(part, swap) for part in value]
    if isinstance(value, dict):
        return {key: _replaced(part, swap) for key, part in value.items()}
    return value
