"""What somebody's code holds between two calls, put back: the variables around it, its object, and what they hold.

A changed backward is run many times. What it counts, collects or writes there must not stay: neither for its author
nor for the next change.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.check.limited import LIBRARIES
from torch_ref.steps.calling import put_back

MOST_KEPT = 1000
"""Entries of a list, a set or a dictionary: what is longer is data, and rarely written into."""

MOST_VALUES = 500
"""That are looked at in all."""


OPEN = (torch.nn.Module, types.SimpleNamespace, types.FunctionType)
"""Classes of libraries into whose objects people write."""


@dataclass
class Kept:
    """Values as they are now."""

    values: Iterable[Any]
    but: Iterable[Any] = ()
    """What somebody else puts back."""
    _by_id: dict[int, Any] = field(default_factory=dict)
    _back: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Look at all that the values hold."""
        self._by_id.update((id(value), value) for value in self.but)
        waiting = [*self.values]
        while waiting and len(self._by_id) < MOST_VALUES:
            value = waiting.pop()
            if isinstance(value, types.ModuleType) or id(value) in self._by_id:
                continue
            self._by_id[id(value)] = value  # held, so that nothing else has its id
            waiting += self._keep(value)

    def put_back(self) -> None:
        """Make all as it was."""
        for back in self._back:
            back()

    def _keep(self, value: Any) -> list[Any]:
        """Note how a value is put back; return what it holds."""
        if isinstance(value, Tensor):
            self._back.append(_of_tensor(value))
            return []
        if isinstance(value, np.ndarray):
            self._back.append(_of_array(value))
            return []
        if isinstance(value, list | set | dict):
            if len(value) > MOST_KEPT:
                return []
            self._back.append(_of_container(value))
            return [*value.values()] if isinstance(value, dict) else [*value]
        if isinstance(value, tuple):
            return [*value[:MOST_KEPT]]
        if isinstance(value, type):
            if _is_of_library(value):
                return []
            self._back.append(_of_class(value))
            return [held for name, held in vars(value).items() if not name.startswith("__")]
        is_own = isinstance(value, OPEN) or not _is_of_library(type(value))
        return [value.__dict__] if is_own and isinstance(getattr(value, "__dict__", None), dict) else []


def _of_tensor(t: Tensor) -> Callable[[], None]:
    version, copied = t._version, t.detach().clone()

    def back() -> None:
        nonlocal version
        if t._version != version:
            with torch.no_grad():
                put_back(t, copied)
            version = t._version

    return back


def _of_array(a: np.ndarray[Any, Any]) -> Callable[[], None]:
    copied = a.copy()

    def back() -> None:
        if a.tobytes() != copied.tobytes():
            a[...] = copied

    return back


def _of_container(value: list[Any] | set[Any] | dict[Any, Any]) -> Callable[[], None]:
    copied = value.copy()

    def back() -> None:
        if len(value) == len(copied) and all(a is b for a, b in zip(_parts(value), _parts(copied), strict=True)):
            return
        value.clear()
        if isinstance(value, list):
            value.extend(copied)
        else:
            value.update(copied)

    return back


def _parts(value: Iterable[Any]) -> Iterable[Any]:
    return [part for pair in value.items() for part in pair] if isinstance(value, dict) else value


def _is_of_library(owner: type) -> bool:
    file = getattr(sys.modules.get(owner.__module__), "__file__", None) or ""
    return owner.__module__ == "builtins" or file.startswith(LIBRARIES)


def _of_class(owner: type) -> Callable[[], None]:
    copied = {name: held for name, held in vars(owner).items() if not name.startswith("__")}

    def back() -> None:
        for name in {*vars(owner)} - {*copied}:
            if not name.startswith("__"):
                delattr(owner, name)
        for name, held in copied.items():
            if vars(owner).get(name) is not held:
                setattr(owner, name, held)

    return back
