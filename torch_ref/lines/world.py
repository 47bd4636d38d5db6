"""Copies of somebody's functions and of all that they read, with other tensors and arrays in place of theirs.

A function is copied with its closure and the global variables that it names, a method with its object. So a forward
pass can run under autograd, on tensors that nobody else has, and nothing that the user has is changed.
"""

from __future__ import annotations

import copy
import functools
import random
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from torch_ref.lines.places import DEEPEST, NOT_THEIRS, is_array, is_value, parts_held, put, values_in

COPIED = (list, dict, set, nn.Module, np.random.Generator, np.random.RandomState, random.Random)
"""Of what nobody here wrote: what may be changed, and what random numbers come from."""


class World:
    """One copy of everything. What is shared by two functions is shared by their copies."""

    def __init__(self, change: Callable[[Any], Any], instead: Callable[[str, float], Any] | None = None) -> None:
        """Take what stands in place of each tensor and array.

        ``instead`` returns the array that a number is taken for, from the place where something holds it; or None.
        """
        self.change = change
        self._instead = instead
        self.given: dict[str, Any] = {}
        """What stands in place of something, by the place of that: W1, self.W1, params['W1']."""
        self._copies: dict[int, Any] = {}
        self._originals: list[Any] = []
        """Kept, so that the ids stay theirs."""

    def of(self, value: Any, name: str) -> Any:
        """Return the copy of a value; ``name`` is how it is called."""
        if isinstance(value, type | types.ModuleType):  # of whoever gives a cell all of globals()
            return value
        if id(value) in self._copies:
            self._note(value, name)
            return self._copies[id(value)]
        if isinstance(value, functools.partial):
            named = {key: self.of(part, key) for key, part in value.keywords.items()}
            return functools.partial(self.of(value.func, name), *(self.of(part, "") for part in value.args), **named)
        if isinstance(value, types.MethodType):
            return types.MethodType(self.of(value.__func__, name), self.of(value.__self__, "self"))
        if isinstance(value, types.FunctionType):
            return self._function(value) if _is_theirs(value) or value.__closure__ else value
        self._note(value, name)
        found = self._kept(value, copy.deepcopy(value, self._copies))
        self._with_arrays(found, name)
        return found

    def _note(self, value: Any, name: str) -> None:
        """Put another in place of every tensor and array in a value."""
        for place, part in values_in(value, name):
            if is_array(part):
                known = self._copies.get(id(part))
                self.given.setdefault(place, self._kept(part, self.change(part) if known is None else known))

    def _with_arrays(self, found: Any, name: str, depth: int = 0) -> None:
        """Put arrays in place of numbers that a copy holds, each a parameter: ``self.w = 0.5``."""
        if self._instead is None or depth == DEEPEST or is_value(found):
            return
        for part in parts_held(found):
            if (array := self._array(part.value, name + part.path)) is not None:
                put(found, part, array)
            else:
                self._with_arrays(part.value, name + part.path, depth + 1)

    def _array(self, value: Any, place: str) -> Any:
        """Return the array that a number is taken for; None for what is none, or stays one."""
        array = self._instead(place, value) if self._instead is not None and type(value) is float else None
        return None if array is None else self.given.setdefault(place, self.change(array))

    def _function(self, function: types.FunctionType) -> types.FunctionType:
        olds = function.__closure__ or ()
        are_new = [id(old) not in self._copies for old in olds]
        cells = tuple(self._kept(old, types.CellType()) for old in olds)
        variables = self.variables(function.__globals__) if _is_theirs(function) else function.__globals__
        found = types.FunctionType(function.__code__, variables, function.__name__, function.__defaults__, cells)
        self._kept(function, found)
        for name, cell, old, is_new in zip(function.__code__.co_freevars, cells, olds, are_new, strict=True):
            if is_new and _is_filled(old):
                cell.cell_contents = self._read(old.cell_contents, name)
        found.__kwdefaults__, found.__qualname__ = function.__kwdefaults__, function.__qualname__
        found.__dict__ |= {key: self._read(part, key) for key, part in vars(function).items()}
        if variables is not function.__globals__:
            self.read(function.__code__, function.__globals__)
        return found

    def variables(self, original: dict[str, Any]) -> dict[str, Any]:
        """Return the copy of global variables, of which those are replaced that a code reads."""
        found: dict[str, Any] = self._copies.get(id(original)) or self._kept(original, dict(original))
        return found

    def read(self, code: types.CodeType, original: dict[str, Any]) -> None:
        """Copy the global variables that a code names."""
        variables = self.variables(original)
        for name in _names(code):
            if name in original and variables[name] is original[name]:
                variables[name] = self._read(original[name], name)
                array = self._array(original[name], name)
                variables[name] = variables[name] if array is None else array

    def _read(self, value: Any, name: str) -> Any:
        """Return the copy of a variable that a function reads; what belongs to a library, or to nobody, as it is."""
        if isinstance(value, types.FunctionType) and not _is_theirs(value):
            return value
        is_copied = isinstance(value, COPIED) or _is_theirs(value) or any(True for _ in values_in(value, name))
        return self.of(value, name) if is_copied else value

    def _kept(self, original: Any, found: Any) -> Any:
        if id(original) not in self._copies:
            self._originals.append(original)
            self._copies[id(original)] = found
        return self._copies[id(original)]


def _is_theirs(value: Any) -> bool:
    """Tell whether something was written by whoever asks, and not by a library."""
    module = value.__module__ if isinstance(value, types.FunctionType) else type(value).__module__
    return (module or "").split(".")[0] not in NOT_THEIRS


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:  # of a variable that has no value yet
        return False
    return True


def _names(code: types.CodeType) -> set[str]:
    """Return the global names that a code and the functions in it mention."""
    inside = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return {*code.co_names}.union(*(_names(one) for one in inside))
