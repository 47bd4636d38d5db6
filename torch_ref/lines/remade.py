"""A function made again from a changed syntax tree, with the same globals, defaults and captured variables."""

from __future__ import annotations

import ast
import copy
import types
from collections.abc import Callable, Mapping
from typing import Any

from torch_ref.lines.source import Scope


def remade(
    function: Callable[..., Any], scope: Scope, further: Mapping[str, Any] | None = None
) -> Callable[..., Any] | None:
    """Return a function, method or lambda with another body; None where it cannot be made.

    ``scope`` is the function's own syntax tree, changed; ``further`` are variables that it can read besides. Raises
    SyntaxError where that is no Python.
    """
    method = getattr(function, "__func__", function)
    if not isinstance(method, types.FunctionType) or isinstance(scope, ast.Module):
        return None
    further = further or {}
    code = _code_of(scope, method.__code__, [*further])
    if code is None:
        return None
    cells = dict(zip(method.__code__.co_freevars, method.__closure__ or (), strict=True))
    cells |= {name: types.CellType(value) for name, value in further.items()}
    if any(name not in cells for name in code.co_freevars):
        return None
    closure = tuple(cells[name] for name in code.co_freevars)
    found = types.FunctionType(code, method.__globals__, method.__name__, method.__defaults__, closure)
    found.__kwdefaults__, found.__module__, found.__qualname__ = (
        method.__kwdefaults__,
        method.__module__,
        method.__qualname__,
    )
    owner = getattr(function, "__self__", None)
    return found if owner is None else types.MethodType(found, owner)


def _code_of(
    scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, old: types.CodeType, further: list[str]
) -> types.CodeType | None:
    """Return the code of a function, compiled within another that has the variables which it captures."""
    inner: ast.stmt
    if isinstance(scope, ast.Lambda):
        inner = ast.copy_location(ast.Expr(scope), scope)
    else:
        inner = copy.copy(scope)
        inner.decorator_list = []
    outer = ast.parse(f"def captured({', '.join([*old.co_freevars, *further])}): pass")
    (holder,) = (node for node in outer.body if isinstance(node, ast.FunctionDef))
    holder.body = [inner]
    module = compile(outer, old.co_filename, "exec")
    (within,) = (one for one in module.co_consts if isinstance(one, types.CodeType))
    codes = (one for one in within.co_consts if isinstance(one, types.CodeType) and one.co_name == old.co_name)
    return next(codes, None)
