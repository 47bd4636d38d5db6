"""The calls of somebody's own functions in a run: what each was given and gave back, as it was then."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.lines.places import NOT_THEIRS, copied, values_in
from torch_ref.lines.source import Statement
from torch_ref.lines.world import World

MOST = 400
"""Calls of a run that are kept."""


Key = tuple[tuple[int, ...], str, int]
"""What tells one array from another: shape, dtype and a hash of its numbers."""

Parts = list[tuple[str, Key]]
"""Arrays, each with its place."""


@dataclass
class Called:
    """One call, which can be made again."""

    function: types.FunctionType
    """A copy, like all that it was given: what is done to the originals later does not change it."""
    arguments: Mapping[str, Any]
    """By name, in order."""
    where: Statement | None
    """The statement that called it, where that is one of the function that was run."""
    order: int
    """How many values the run had made before the statement."""
    given: Parts
    owner: Any = None
    """The object whose method it is, not copied."""
    had: Parts = field(default_factory=list)
    """What it was given, computed and gave back."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    returned: Any = None
    is_done: bool = False

    @property
    def name(self) -> str:
        """Return the function's name."""
        return self.function.__name__

    @property
    def inputs(self) -> dict[str, Any]:
        """Return the arguments without the object whose method it is."""
        first = next(iter(self.arguments), "")
        return {name: value for name, value in self.arguments.items() if name != first or name != "self"}

    def stands_in(self, other: Called) -> bool:
        """Tell whether it is a function that another defines, with whose variables it works."""
        return self.function.__code__ in other.function.__code__.co_consts

    @cached_property
    def keys(self) -> frozenset[Key]:
        """Return the arrays that it had."""
        return frozenset(key for _, key in self.had)


class Calls:
    """Collects the calls of a run."""

    def __init__(self) -> None:
        """Begin with none."""
        self.found: list[Called] = []

    def begin(self, frame: FrameType, where: Statement | None, order: int) -> Called | None:
        """Take a call that begins; None where it is not looked at."""
        code = frame.f_code
        if len(self.found) >= MOST or not is_theirs(frame) or code.co_flags & inspect.CO_GENERATOR:
            return None
        if code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
            return None
        if code.co_name.startswith("<") and code.co_name != "<lambda>":
            return None
        given = {name: frame.f_locals[name] for name in _parameters(code) if name in frame.f_locals}
        world = World(copied)
        function: Any = world.of(_function_of(frame), "")
        copies = {name: world.of(value, name) for name, value in given.items()}
        around = {name: frame.f_locals[name] for name in code.co_freevars if name in frame.f_locals}
        one = Called(function, copies, where, order, arrays_in(around | given), given.get("self"))
        self.found.append(one)
        return one

    @staticmethod
    def end(one: Called, frame: FrameType, returned: Any) -> None:
        """Take what a call computed and gave back."""
        world = World(copied)
        one.variables = {name: world.of(value, name) for name, value in frame.f_locals.items() if name != "self"}
        one.returned, one.is_done = world.of(returned, ""), True
        one.had = [*one.given, *arrays_in({**frame.f_locals, "return": returned})]


def arrays_in(values: Mapping[str, Any]) -> Parts:
    """Return the arrays and tensors that some variables hold, masks and indices among them."""
    found = [part for name, value in values.items() for part in values_in(value, name)]
    return [(place, key_of(part)) for place, part in found if isinstance(part, np.ndarray | Tensor)]


def key_of(value: Any) -> Key:
    """Return what tells an array or a tensor from others, now."""
    if isinstance(value, Tensor) and value.layout is not torch.strided:
        return tuple(value.shape), str(value.dtype), id(value)
    if isinstance(value, Tensor):
        flat = value.detach().cpu().reshape(-1).contiguous()
        return tuple(value.shape), str(value.dtype), hash(flat.view(torch.uint8).numpy().tobytes())
    return value.shape, str(value.dtype), hash(value.tobytes())


def is_theirs(frame: FrameType) -> bool:
    """Tell whether a frame runs code that somebody wrote, and not a library's."""
    return str(frame.f_globals.get("__name__", "")).split(".")[0] not in {*NOT_THEIRS, "torch_ref"}


def _parameters(code: types.CodeType) -> tuple[str, ...]:
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _function_of(frame: FrameType) -> types.FunctionType:
    """Return a function that runs the code of a frame with its globals and what it took from around it."""
    code = frame.f_code
    cells = tuple(
        types.CellType(frame.f_locals[name]) if name in frame.f_locals else types.CellType()
        for name in code.co_freevars
    )
    return types.FunctionType(code, frame.f_globals, code.co_name, None, cells)
