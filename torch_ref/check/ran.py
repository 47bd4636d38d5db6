"""What is seen of one run of somebody's function: its variables, what outlives it, and what it calls."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType, MethodType
from typing import Any

from torch_ref.check.limited import LIBRARIES
from torch_ref.lines.expressions import is_array, is_number
from torch_ref.lines.source import Scope

WRITES = frozenset({"open", "unlink", "remove", "rename", "replace", "mkdir", "rmdir", "system", "fork_exec"})
"""Functions of the operating system: what is done by them cannot be put back."""


@dataclass
class Ran:
    """What is seen of one run of a backward."""

    code: CodeType | None
    variables: dict[str, Any] = field(default_factory=dict)
    """Its variables when it returns."""
    held: list[Any] = field(default_factory=list)
    """What somebody's code reads that outlives it: variables around it, and its object."""
    calls: int = 0
    writes: bool = False
    """Whether a file was opened, or the like."""

    def looking(self, frame: FrameType, event: str, arg: object) -> None:
        """Look at one event, as a profiler does."""
        self.calls += event in ("call", "c_call")
        if event == "call" and not frame.f_code.co_filename.startswith(LIBRARIES):
            self._hold(frame)
        if event == "c_call" and getattr(arg, "__name__", "") in WRITES:
            self.writes |= getattr(arg, "__module__", "") in ("io", "_io", "posix", "nt", "_posixsubprocess")
        if event == "return" and frame.f_code is self.code:
            self.variables.update(frame.f_locals)

    def _hold(self, frame: FrameType) -> None:
        code, names, variables = frame.f_code, frame.f_globals, frame.f_locals
        owner = code.co_varnames[: code.co_argcount][:1]
        self.held += [names[name] for name in code.co_names if name in names]
        self.held += [variables[name] for name in (*code.co_freevars, *owner) if name in variables and name != "ctx"]

    @property
    def arguments(self) -> Sequence[str]:
        """Return the names of its arguments."""
        return self.code.co_varnames[: self.code.co_argcount] if self.code else ()

    def attributes(self, scope: Scope | None) -> dict[str, Any]:
        """Return the numbers and tensors that its object holds under the names that the code reads, as self.step."""
        held = getattr(self.variables.get("self"), "__dict__", {})
        read = (node for node in ast.walk(scope) if isinstance(node, ast.Attribute)) if scope else ()
        named = {ast.unparse(node): held.get(node.attr) for node in read if ast.unparse(node.value) == "self"}
        return {text: v for text, v in named.items() if is_array(v) or is_number(v)}


def innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that decorators like ``once_differentiable`` have wrapped."""
    owner, inner = getattr(function, "__self__", None), inspect.unwrap(getattr(function, "__func__", function))
    return inner if owner is None else MethodType(inner, owner)


def held_by(function: Callable[..., Any]) -> list[Any]:
    """Return the default values of a function."""
    inner = getattr(function, "__func__", function)
    return [getattr(inner, "__defaults__", None), getattr(inner, "__kwdefaults__", None)]


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the code of a function that is written in Python; None of another."""
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None
