"""Which names a function mentions, and the functions that it calls: variables, attributes, and keys of dicts."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Iterator
from typing import Any

from torch_ref.lines.names import path_of
from torch_ref.lines.places import NOT_THEIRS
from torch_ref.lines.source import scope_of
from torch_ref.lines.trace import code_of


def names_in(function: Callable[..., Any]) -> set[str]:
    """Return the names in the code of a function, and in that of the functions of the same author that it names."""
    return {name for code in _codes(function) for name in _names_of(code)}


def updated_in(function: Callable[..., Any]) -> set[str]:
    """Return the names of what a function, or one that it names, goes on from: ``self.w -= ...``, ``b = b - ...``.

    Variables of their own are not among them, but for what lies in these.
    """
    found = set[str]()
    for code in _codes(function):
        scope = scope_of(code)
        for node in ast.walk(scope) if scope is not None else ():
            if isinstance(node, ast.AugAssign | ast.Assign) and (target := _updated(node)):
                is_own = target.isidentifier() and target in code.co_varnames
                found |= set() if is_own else {path_of(target).name}
    return found


def _updated(node: ast.AugAssign | ast.Assign) -> str:
    """Return what a statement takes something from or adds something to; '' for another."""
    if isinstance(node, ast.AugAssign):
        return ast.unparse(node.target) if isinstance(node.op, ast.Add | ast.Sub) else ""
    target = ast.unparse(node.targets[0])
    value = node.value
    is_step = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub)
    return target if is_step and isinstance(value, ast.BinOp) and ast.unparse(value.left) == target else ""


def _codes(function: Callable[..., Any]) -> list[types.CodeType]:
    """Return the code of a function and of the functions in it, and of those of the same author that they name."""
    scopes = _scopes(function)
    seen: dict[types.CodeType, None] = {}
    waiting = [code_of(function)]
    while waiting:
        code = waiting.pop()
        if code in seen:
            continue
        seen[code] = None
        waiting += [one for one in code.co_consts if isinstance(one, types.CodeType)]
        called = [scope[name] for name in _names_of(code) for scope in scopes if name in scope]
        waiting += [other.__code__ for other in called if is_theirs(other)]
    return [*seen]


def _names_of(code: types.CodeType) -> set[str]:
    return {*code.co_varnames, *code.co_names, *code.co_freevars, *_texts(code.co_consts)}


def _scopes(function: Any) -> list[dict[str, Any]]:
    """Return where the names in a function may be found: in its global variables, and in the class of its object."""
    owner = type(getattr(function, "__self__", function))
    methods = {name: part for one in reversed(owner.__mro__) for name, part in vars(one).items()}
    return [getattr(function, "variables", {}), getattr(function, "__globals__", {}), methods]


def _texts(constants: Any) -> Iterator[str]:
    """Yield the texts among constants, of which the keys of a dict may be a tuple."""
    for constant in constants:
        if isinstance(constant, str) and constant.isidentifier():
            yield constant
        elif isinstance(constant, tuple):
            yield from _texts(constant)


def is_theirs(value: Any) -> bool:
    """Tell whether something is a function that was written by whoever asks, and not by a library."""
    return isinstance(value, types.FunctionType) and (value.__module__ or "").split(".")[0] not in NOT_THEIRS
