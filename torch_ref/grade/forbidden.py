"""What code by hand does not use: autograd, torch.nn, the backward kernels of torch, and ways to hide them.

The source is read, not run: ``manual_bp`` is held to it by a test, and a student's file by the grader.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

FORBIDDEN_MODULES = ("torch.autograd", "torch.nn", "torch.optim", "torch.func", "torch.ops", "torch._C", "torch_ref")
STUDENTS_MODULES = (*FORBIDDEN_MODULES, "manual_bp", "importlib")
"""Of a student's file: also the formulas of somebody else, and imports that cannot be read (``students_rules``)."""

FORBIDDEN_NAMES = {
    "autograd", "nn", "optim", "func", "ops", "_C", "grad", "requires_grad", "requires_grad_", "retain_grad",
    "enable_grad", "set_grad_enabled", "vjp", "jvp", "compile", "register_hook", "grad_fn", "eval", "exec",
}  # fmt: skip
FORBIDDEN_FUNCTIONS = {"eval", "exec", "compile", "__import__"}


class Violation(NamedTuple):
    """A line, and what stands there that code by hand does not use."""

    line: int
    name: str


def violations(source: str, modules: Iterable[str] = FORBIDDEN_MODULES) -> list[Violation]:
    """Name every import, attribute and call in the source that belongs to autograd or hides it, line by line."""
    return least(
        Violation(node.lineno, name) for node, name in used_in(ast.parse(source)) if is_forbidden(node, name, modules)
    )


def least(found: Iterable[Violation]) -> list[Violation]:
    """Return what was found in order, without what is only the beginning of another: torch of torch.nn."""
    every = set(found)
    return sorted(v for v in every if not any(_within(v, other) for other in every))


def _within(v: Violation, other: Violation) -> bool:
    """Tell whether v is only the beginning of the other: torch.autograd in torch.autograd.grad."""
    return v.line == other.line and other.name.startswith(f"{v.name}.")


Used = ast.stmt | ast.expr


def used_in(tree: ast.AST) -> Iterator[tuple[Used, str]]:
    """Yield every name that is imported, read from an object, or called, where it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield node, ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node, node.func.id
            if node.func.id == "getattr":
                yield from _read_by_getattr(node)


def _read_by_getattr(call: ast.Call) -> Iterator[tuple[Used, str]]:
    """Yield ``x.name`` for ``getattr(x, "name")``."""
    match call.args:
        case [of, ast.Constant(value=str(name)), *_]:
            yield ast.Attribute(of, name, lineno=call.lineno, col_offset=call.col_offset), f"{ast.unparse(of)}.{name}"


def is_forbidden(node: Used, name: str, modules: Iterable[str]) -> bool:
    """Tell whether a name that is used belongs to autograd or hides it."""
    last = name.rsplit(".", 1)[-1]
    of_torch = name.startswith("torch.")
    if isinstance(node, ast.Call):
        return name in FORBIDDEN_FUNCTIONS
    if isinstance(node, ast.Attribute):
        return node.attr in FORBIDDEN_NAMES or last.endswith("_backward") or (of_torch and "backward" in last)
    hidden = of_torch and (last == "*" or "backward" in last)
    return hidden or any(name == module or name.startswith(f"{module}.") for module in modules)
