"""The arguments of a function by name; tensors in lists, tuples, dicts and dataclasses are arguments of their own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torch_ref.numbers.containers import leaves_of, mapped, part_at
from torch_ref.numbers.witness import Tensors, check_device

UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)

IN_A_CONTAINER = "autograd does not see tensors inside a {}: give each as an input of its own"

IN_A_MODULE = "parameters that a module holds are not looked at: give each as an input of its own"


class Missing:
    """What stands where nothing was returned for an argument."""


@dataclass(frozen=True)
class Arguments:
    """Arguments in order, or by name."""

    values: tuple[Any, ...]
    names: tuple[str, ...]
    as_keywords: bool = False
    """Whether they are handed over by name."""
    is_open: bool = True
    """Whether tensors in containers are arguments of their own."""

    @classmethod
    def of(
        cls, function: Callable[..., Any], inputs: Sequence[Any] | Mapping[str, Any], *, is_open: bool = True
    ) -> Arguments:
        """Return the arguments of a function, with the names that it gives them; raise TypeError where none can be.

        A mapping hands them over by name, also those that are keyword-only.
        """
        if isinstance(inputs, Tensor | np.ndarray):
            kind = type(inputs).__name__
            raise TypeError(f"a gradient check expects inputs as a sequence of arguments, got a {kind}: give [x]")
        if isinstance(inputs, Mapping):
            found = cls(tuple(inputs.values()), tuple(inputs), True, is_open)
        elif isinstance(inputs, Sequence) and not isinstance(inputs, str):
            found = cls(tuple(inputs), tuple(_names(function, len(inputs))), False, is_open)
        else:
            kind = type(inputs).__name__
            raise TypeError(f"a gradient check expects inputs as a sequence or a mapping by name, got a {kind}")
        for name, value in found._leaves:
            _check(name, value)
        return found

    @cached_property
    def _leaves(self) -> list[tuple[str, Any]]:
        """Return everything that is no container, by name."""
        pairs = zip(self.names, self.values, strict=True)
        return [leaf for name, value in pairs for leaf in (leaves_of(value, name) if self.is_open else [(name, value)])]

    @cached_property
    def tensors(self) -> Tensors:
        """Return every tensor by name."""
        return {name: value for name, value in self._leaves if isinstance(value, Tensor)}

    @cached_property
    def required(self) -> set[str]:
        """Return the names of the tensors that require a gradient."""
        return {name for name, t in self.tensors.items() if t.requires_grad}

    @property
    def hidden(self) -> Iterator[tuple[str, str]]:
        """Yield the arguments that hold tensors which nobody looks at, each with the reason."""
        for name, value in self._leaves:
            if isinstance(value, nn.Module) and any(True for _ in value.parameters()):
                yield name, IN_A_MODULE
            elif (
                not self.is_open
                and not isinstance(value, Tensor)
                and any(isinstance(leaf, Tensor) for _, leaf in leaves_of(value))
            ):
                yield name, IN_A_CONTAINER.format(type(value).__name__)

    def having(self, tensors: Mapping[str, Tensor]) -> Arguments:
        """Return the arguments with the tensors of these names replaced."""

        def change(path: str, t: Tensor) -> Tensor:
            return tensors.get(path, t)

        pairs = zip(self.names, self.values, strict=True)
        return replace(self, values=tuple(mapped(value, change, name) for name, value in pairs))

    def call(self, function: Callable[..., Any], *first: Any) -> Any:
        """Return what a function returns for these arguments, after others in front of them."""
        if self.as_keywords:
            return function(*first, **dict(zip(self.names, self.values, strict=True)))
        return function(*first, *self.values)

    def fit(self, function: Callable[..., Any], *first: Any) -> bool:
        """Tell whether a function takes these arguments after others; True where it does not say."""
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            return True
        try:
            self.call(signature.bind, *first)
        except TypeError:
            return False
        return True

    # ------------------------------------------------------------------------------ what was returned for them

    def in_order(self, returned: Any) -> tuple[Any, ...]:
        """Return what a function returned for each argument, in order, or by name as a mapping."""
        if returned is None:
            return (None,) * len(self.values)
        one = self.values[0] if len(self.values) == 1 else None
        if self.as_keywords and isinstance(returned, Mapping) and set(returned) <= set(self.names):
            return tuple(returned.get(name, Missing) for name in self.names)
        if isinstance(one, tuple | list) and _is_one_container(returned):
            return (returned,)
        return tuple(returned) if isinstance(returned, tuple | list) else (returned,)

    def part(self, found: Sequence[Any], name: str) -> Any:
        """Return what was returned for one tensor: None for None, ``Missing`` for nothing."""
        for i, (argument, value) in enumerate(zip(self.names, self.values, strict=True)):
            if name == argument or name in dict(leaves_of(value, argument)):
                try:
                    return part_at(value, found[i], name, argument)
                except LookupError:
                    return Missing
        return Missing


def _check(name: str, value: Any) -> None:
    """Raise TypeError for a tensor that cannot be checked."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        raise TypeError(f"a gradient check expects tensors, got {name} as numpy array: torch.from_numpy({name})")
    if not isinstance(value, Tensor):
        return
    check_device(name, value)
    if value.is_nested or value.layout is not torch.strided:
        kind = "nested" if value.is_nested else f"of layout {value.layout}"
        raise TypeError(f"a gradient check expects dense tensors with numbers, got {name}, which is {kind}")
    if value.is_floating_point() and value.dtype.itemsize == 1:
        raise TypeError(
            f"a gradient check expects float16, bfloat16, float32 or float64, got {name} of {value.dtype}: torch "
            f"computes nothing in it; give {name}.float() and let forward round"
        )
    if value.dtype in UNSIGNED:
        raise TypeError(f"a gradient check expects indices as torch.int64, got {name} of {value.dtype}: {name}.long()")


def _is_one_container(returned: Any) -> bool:
    """Tell whether what was returned for one container is that container, and no tuple of one thing for it."""
    return isinstance(returned, tuple | list) and not (
        len(returned) == 1 and not isinstance(returned[0], Tensor) and returned[0] is not None
    )


def _names(function: Callable[..., Any], count: int) -> list[str]:
    """Return the names of a function's parameters for the inputs, 'input 0' where it does not say."""
    try:
        found = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    except (TypeError, ValueError):
        found = []
    named = [p.name for p in found if p.kind is not p.VAR_POSITIONAL]
    named = named[1:] if named[:1] == ["ctx"] else named
    return [named[i] if i < len(named) else f"input {i}" for i in range(count)]
