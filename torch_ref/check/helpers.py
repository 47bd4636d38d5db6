"""The functions of somebody's own that a backward calls: a mistake may stand in one of them."""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from torch_ref.check.limited import LIBRARIES
from torch_ref.check.ran import code_of, innermost
from torch_ref.lines.remade import remade
from torch_ref.lines.source import scope_of

HELPER = "__helper__"
DEEPEST = 2
"""How many calls deep a helper is looked for."""

Function = Callable[..., Any]


class Box:
    """Stands for a helper where it is called, and hands on to what is in it now."""

    def __init__(self, function: Function) -> None:
        """Put a function in it."""
        self.function = function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call what is in it."""
        return self.function(*arguments, **named)

    def __deepcopy__(self, memo: dict[int, Any]) -> Box:
        """Return itself: a copy of the function that calls it calls the same."""
        return self


class Helper(NamedTuple):
    """A function that a backward calls, and the backward with a box in its place."""

    function: Function
    box: Box
    whole: Function


def helpers(function: Function, depth: int = DEEPEST) -> Iterator[Helper]:
    """Yield the functions that a function calls by their names, and then those that they call."""
    if isinstance(function, partial):
        called = {"": function.func} if _is_own(function.func) else {}
    else:
        called = _called(function)
    for text, one in called.items():
        box = Box(one)
        if (whole := _calling(function, text, box)) is not None:
            yield Helper(one, box, whole)
    for text, one in called.items() if depth > 1 else ():
        for deeper in helpers(one, depth - 1):
            if (whole := _calling(function, text, deeper.whole)) is not None:
                yield deeper._replace(whole=whole)


def _calling(function: Function, text: str, other: Function) -> Function | None:
    """Return a function that calls another one where it calls what is written so; None where it cannot be made."""
    if isinstance(function, partial):
        return partial(other, *function.args, **function.keywords)
    code = code_of(function)
    scope = None if code is None else copy.deepcopy(scope_of(code))
    if scope is None:
        return None
    for node in ast.walk(scope):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == text:
            node.func = ast.copy_location(ast.Name(HELPER, ast.Load()), node.func)
    try:
        return remade(function, scope, {HELPER: other})
    except (SyntaxError, ValueError):  # of what Python cannot compile at this place
        return None


def _called(function: Function) -> dict[str, Function]:
    """Return the functions of somebody's own that a function calls, by what is written there: f, Layer.f, self.f."""
    code = code_of(function)
    scope = None if code is None else scope_of(code)
    found: dict[str, Function] = {}
    for node in ast.walk(scope) if scope is not None else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            one = _value(function, node.func)
            if _is_own(one) and code_of(one) is not code:
                found[ast.unparse(node.func)] = innermost(one)
    return found


def _is_own(one: Any) -> bool:
    code = code_of(innermost(one)) if isinstance(one, FunctionType | MethodType) else None
    return code is not None and not code.co_filename.startswith(LIBRARIES)


def _value(function: Function, node: ast.expr) -> Any:
    """Return what a name stands for in a function, of an attribute that of a module, a class or its own object."""
    inner = getattr(function, "__func__", function)
    if isinstance(node, ast.Name):
        owner = {inner.__code__.co_varnames[0]: function.__self__} if isinstance(function, MethodType) else {}
        if node.id in owner:
            return owner[node.id]
        captured = dict(zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True))
        if node.id in captured:
            return _content(captured[node.id])
        return inner.__globals__.get(node.id, getattr(builtins, node.id, None))
    if not isinstance(node, ast.Attribute):
        return None
    holder = _value(function, node.value)
    is_its_own = isinstance(function, MethodType) and holder is function.__self__
    return getattr(holder, node.attr, None) if is_its_own or isinstance(holder, ModuleType | type) else None


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is not filled yet
        return None
