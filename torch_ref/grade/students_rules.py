"""What a student's formula may use: torch and numpy without what makes derivatives, and the standard library.

The house's rules for code by hand (``forbidden``), and a few more for those who look for short cuts. What the file
defines itself is its own: ``self.grad`` and ``self.sigmoid_backward`` are names like any other.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType

import torch

from torch_ref.grade.forbidden import (
    FORBIDDEN_FUNCTIONS,
    FORBIDDEN_NAMES,
    STUDENTS_MODULES,
    Violation,
    is_forbidden,
    least,
    used_in,
)

MODULES = ("torch", "numpy")
"""What may be imported besides the standard library."""

REFUSED = {
    "importlib", "ctypes", "subprocess", "multiprocessing", "socket", "gc", "inspect", "pickle", "marshal", "runpy",
    "code", "codeop", "pkgutil", "zipimport", "urllib", "http", "ssl", "asyncio", "concurrent", "threading",
    "_thread", "mmap", "shelve", "timeit", "builtins", "site", "pdb", "cProfile", "trace", "doctest",
}  # fmt: skip
"""What may not be imported of that: ways to other code, other processes, and other people's objects."""

PARTS_OF_TORCH = {"torch.linalg", "torch.special", "torch.fft", "torch.random", "torch.types", "torch.testing"}
"""The modules inside torch that hold no derivative."""

OTHER_PEOPLES = {
    "__subclasses__", "__globals__", "__code__", "__closure__", "__builtins__", "__mro__", "__bases__", "__base__",
    "__getattribute__", "__loader__", "__spec__", "f_back", "f_globals", "f_locals", "f_builtins", "tb_frame",
    "gi_frame", "modules", "_getframe", "meta_path", "path_hooks", "addaudithook",
}  # fmt: skip
"""Attributes that lead from one's own objects to those of others."""


def is_allowed(module: str) -> bool:
    """Tell whether a module may be imported, by its dotted name."""
    root = module.partition(".")[0]
    return root in MODULES or (root in sys.stdlib_module_names and root not in REFUSED)


def violations_of(node: ast.AST, own: set[str], aliases: Mapping[str, str]) -> list[Violation]:
    """Name what a statement uses that it may not.

    ``own`` are the attributes that the file defines, ``aliases`` the modules under the names that it imports them by.
    """
    found = [Violation(at.lineno, shown) for at, shown in _used(node, aliases) if _is_refused(at, shown, own)]
    named = {*FORBIDDEN_FUNCTIONS, "__builtins__", "__loader__", "__spec__"} - {"compile"}
    loaded = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    given = (n.value for n in ast.walk(node) if isinstance(n, ast.keyword) and n.arg == "requires_grad")
    asked = (v for v in given if not (isinstance(v, ast.Constant) and v.value is False))
    found += [Violation(v.lineno, "requires_grad") for v in asked]
    return least([*found, *(Violation(n.lineno, n.id) for n in loaded if n.id in named)])


def own_attributes(tree: ast.AST) -> set[str]:
    """Return the names of the attributes and methods that a file defines on its own objects."""
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                match inner:
                    case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                        names.add(name)
                    case ast.Assign(targets=targets):
                        names |= {t.id for t in targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names |= {node.attr} if isinstance(node.value, ast.Name) and node.value.id == "self" else set()
    return names


def _used(node: ast.AST, aliases: Mapping[str, str]) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """Yield what is used with modules under their own names."""
    for at, name in used_in(node):
        root, dot, rest = name.partition(".")
        yield at, f"{aliases[root]}{dot}{rest}" if root in aliases and isinstance(at, ast.Attribute) else name


def _is_refused(at: ast.stmt | ast.expr, name: str, own: set[str]) -> bool:
    if isinstance(at, ast.Import | ast.ImportFrom):
        of_torch = name.startswith("torch.") and (name.rpartition(".")[2] in FORBIDDEN_NAMES or _is_inside_torch(name))
        return of_torch or not is_allowed(name) or is_forbidden(at, name, STUDENTS_MODULES)
    if isinstance(at, ast.Attribute):
        if name.startswith("torch."):
            return is_forbidden(at, name, STUDENTS_MODULES) or _is_inside_torch(name)
        is_of_python = name.partition(".")[0] in sys.stdlib_module_names  # re.compile
        forbidden = not is_of_python and is_forbidden(at, name, STUDENTS_MODULES)
        return at.attr not in own and (at.attr in OTHER_PEOPLES or forbidden)
    return is_forbidden(at, name, STUDENTS_MODULES)


def _is_inside_torch(name: str) -> bool:
    """Tell whether a dotted name goes through a module of torch that formulas by hand do not need."""
    first, *parts = name.split(".")
    if first != "torch":
        return False
    found, path = torch, first
    for part in parts:
        path, found = f"{path}.{part}", getattr(found, part, None)  # type: ignore[assignment]
        hidden = part.startswith("_") and not part.endswith("__")
        if hidden or (isinstance(found, ModuleType) and path not in PARTS_OF_TORCH):
            return True
    return False
