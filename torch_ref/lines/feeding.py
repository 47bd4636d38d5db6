"""Which statements of a function feed which part of what it returns: by the names that they read and write.

The order of the statements and the branches that are taken are not looked at, so it is rather a statement too many than
one too few.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from torch_ref.lines.source import BLOCKS, Scope, statements_of


def feeding(scope: Scope) -> list[frozenset[ast.AST]] | None:
    """Return for each part of the tuple that a function returns what feeds it: statements, and the part itself.

    None where it returns no tuple, or in several places.
    """
    if isinstance(scope, ast.Lambda | ast.Module):
        return None
    statements = [*statements_of(scope)]
    returned = [one for one in statements if isinstance(one, ast.Return)]
    if len(returned) != 1 or not isinstance(returned[0].value, ast.Tuple):
        return None
    above = _above(scope)
    reads: dict[ast.AST, set[str]] = {
        one: _names(one) | {n for holder in above.get(one, ()) for n in _names(holder)} for one in statements
    }
    writers: dict[str, list[ast.AST]] = {}
    for one in statements:
        for name in _written(one):
            writers.setdefault(name, []).append(one)
    return [_closure(part, reads, writers, above) for part in returned[0].value.elts]


def suspects(parts: Sequence[frozenset[ast.AST]], wrong: Sequence[int], right: Sequence[int]) -> frozenset[ast.AST]:
    """Return what feeds all parts that are wrong and none that is right."""
    found = frozenset.intersection(*(parts[i] for i in wrong)) if wrong else frozenset()
    return found.difference(*(parts[i] for i in right))


def _closure(
    part: ast.expr,
    reads: dict[ast.AST, set[str]],
    writers: dict[str, list[ast.AST]],
    above: dict[ast.AST, tuple[ast.AST, ...]],
) -> frozenset[ast.AST]:
    found: set[ast.AST] = {part}
    waiting, seen = [*_names(part)], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for one in writers.get(name, ()):
            found |= {one, *above.get(one, ())}
            waiting += reads[one]
    return frozenset(found)


def _above(scope: ast.AST) -> dict[ast.AST, tuple[ast.AST, ...]]:
    """Return the loops and conditions in which each statement stands."""
    found: dict[ast.AST, tuple[ast.AST, ...]] = {}

    def visit(node: ast.AST, holders: tuple[ast.AST, ...]) -> None:
        for block in BLOCKS:
            for one in getattr(node, block, []):
                found[one] = holders
                if not isinstance(one, ast.FunctionDef | ast.ClassDef):
                    visit(one, (*holders, one) if isinstance(one, ast.stmt) else holders)

    visit(scope, ())
    return found


def _own(node: ast.AST) -> list[ast.AST]:
    parts: list[ast.AST] = []
    for name, value in ast.iter_fields(node):
        if name not in BLOCKS:
            parts += [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST)]
    return parts


def _names(node: ast.AST) -> set[str]:
    """Return the variables that a statement reads; what it writes into counts, too."""
    parts = _own(node) if isinstance(node, ast.stmt) else [node]
    return {
        one.id
        for part in parts
        for one in ast.walk(part)
        if isinstance(one, ast.Name) and not (isinstance(one.ctx, ast.Store) and isinstance(node, ast.Assign))
    }


def _written(node: ast.AST) -> set[str]:
    """Return the variables that a statement writes, or writes into; a method may change its object."""
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    parts, found = _own(node) if isinstance(node, ast.stmt) else [], set[str]()
    for part in parts:
        for one in ast.walk(part):
            if isinstance(one, ast.Name | ast.Subscript | ast.Attribute) and isinstance(one.ctx, ast.Store):
                found |= _base(one)
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and isinstance(node, ast.Expr):
                found |= _base(one.func.value)
            if isinstance(one, ast.keyword) and one.arg == "out":
                found |= _base(one.value)
    return found


def _base(node: ast.AST) -> set[str]:
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Starred):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
