"""What a student's functions compute on their way: every array that a variable stands for, with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

Shape = tuple[int, ...]

MOST = 300
"""Values that are noted at one point."""

LARGEST = 4096
"""Entries of an array that is noted."""


class Seen(NamedTuple):
    """A variable that was given a value."""

    function: str
    line: int
    name: str
    array: np.ndarray


class Watch:
    """A trace function: it notes what the functions of one file do while it is on."""

    def __init__(self, path: str) -> None:
        """Take the student's file, and begin switched off."""
        self.path, self.is_on = path, False
        self.seen: list[Seen] = []
        self.before: dict[int, tuple[int, dict[str, int]]] = {}

    def begin(self) -> None:
        """Note what is computed from now on, and forget what was."""
        self.seen, self.before, self.is_on = [], {}, True

    def end(self) -> list[Seen]:
        """Note nothing more, and return what was noted."""
        self.is_on = False
        return self.seen

    def __call__(self, frame: FrameType, event: str, given: Any) -> Any:
        """Follow a function of the file line by line."""
        if not self.is_on or frame.f_code.co_filename != self.path:
            return None
        if event == "call":
            self.before[id(frame)] = frame.f_lineno, {name: id(v) for name, v, _ in _arrays(frame.f_locals)}
        elif event in ("line", "return"):
            self._note(frame)
            if event == "return":
                self._returned(frame, given)
                self.before.pop(id(frame), None)
        return self

    def _note(self, frame: FrameType) -> None:
        """Note what the line before has given a value."""
        line, known = self.before.get(id(frame), (frame.f_lineno, {}))
        now = list(_arrays(frame.f_locals))
        for name, value, array in now:
            if known.get(name) != id(value):
                self._add(frame, line, name, array)
        self.before[id(frame)] = frame.f_lineno, {name: id(value) for name, value, _ in now}

    def _returned(self, frame: FrameType, given: Any) -> None:
        for name, _, array in _arrays({"return": given} if isinstance(given, dict) else {}):
            self._add(frame, frame.f_lineno, name, array)

    def _add(self, frame: FrameType, line: int, name: str, array: Any) -> None:
        found = np.array(array.detach().numpy() if isinstance(array, Tensor) else array)
        if len(self.seen) < MOST and found.size <= LARGEST and found.dtype.name in ("float32", "float64"):
            self.seen.append(Seen(frame.f_code.co_name, line, name, found))


def aligned(own: Mapping[str, Shape], right: Mapping[str, Shape]) -> dict[str, str]:
    """Return for each own value, in the order of computing, the right one that it stands for: by name, else by shape.

    By shape only where there are as many of one as of the other.
    """
    found = {name: name for name, shape in own.items() if right.get(name) == shape}
    for shape in dict.fromkeys(own.values()):
        mine = [name for name, s in own.items() if s == shape and name not in found]
        theirs = [name for name, s in right.items() if s == shape and name not in found.values()]
        if len(mine) == len(theirs):
            found |= dict(zip(mine, theirs, strict=True))
    return found


def _arrays(variables: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the arrays of variables, of dicts and of self, under their names."""
    for name, value in list(variables.items()):
        parts: dict[str, Any] = {name: value}
        if isinstance(value, dict):
            parts = {f"{name}['{key}']": part for key, part in value.items()}
        elif name == "self" and hasattr(value, "__dict__"):
            parts = {}
            for key, part in vars(value).items():
                inner = {f"self.{key}['{k}']": p for k, p in part.items()} if isinstance(part, dict) else {}
                parts |= inner or {f"self.{key}": part}
        for key, part in parts.items():
            if isinstance(part, Tensor | np.ndarray | np.floating):
                yield key, part, part
