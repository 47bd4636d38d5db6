"""Whole statements as people get them wrong: = for +=, two names or numbers exchanged."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import combinations

from torch_ref.lines.expressions import Known, Mend, Place, told_apart
from torch_ref.lines.source import BLOCKS, Scope

SWAPPED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


def of_assignment(scope: Scope, statement: ast.AST) -> Iterator[Mend]:
    """Yield += for =, and = for +=."""
    new: ast.stmt
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if not isinstance(target, ast.Name | ast.Subscript | ast.Attribute):
            return
        is_entry = isinstance(target, ast.Subscript)
        if isinstance(statement.value, ast.Constant):
            code = "zero-rows"
        else:
            code = "duplicates-overwritten" if is_entry else "part-missing"
        new = ast.AugAssign(target, ast.Add(), statement.value)
    elif isinstance(statement, ast.AugAssign):
        code, new = "part-twice", ast.Assign([statement.target], statement.value)
        if (other := SWAPPED.get(type(statement.op))) is not None:
            minus = ast.AugAssign(statement.target, other(), statement.value)
            yield from _instead(scope, statement, minus, "plus-for-minus")
    else:
        return
    yield from _instead(scope, statement, new, code)


def _instead(scope: ast.AST, old: ast.stmt, new: ast.stmt, code: str) -> Iterator[Mend]:
    ast.copy_location(new, old)
    ast.fix_missing_locations(new)
    for holder in ast.walk(scope):
        for block in BLOCKS:
            body = getattr(holder, block, None)
            if isinstance(body, list) and any(part is old for part in body):
                i = next(i for i, part in enumerate(body) if part is old)
                texts = told_apart(ast.unparse(old), ast.unparse(new))
                body[i] = new
                try:
                    yield Mend(code, *texts, old.lineno)
                finally:
                    body[i] = old
                return


def exchanged(statement: ast.AST, places: Sequence[Place], known: Known) -> Iterator[Mend]:
    """Yield a statement with two names exchanged, or two neighbours in a call or a list."""
    pairs = [
        (a, b)
        for a, b in combinations([p for p in places if isinstance(p.node, ast.Name | ast.Attribute)], 2)
        if b.text in known.alike(a.text)
    ]
    pairs += [
        (a, b)
        for a, b in combinations(places, 2)
        if a.holder is b.holder
        and a.name == b.name
        and a.index is not None
        and b.index == a.index + 1
        and isinstance(a.holder, ast.Tuple | ast.List | ast.Call)
    ]
    for a, b in pairs:
        yield from _both(a, b, b.node, a.node, "swapped", statement)
    sliced = [p.node for p in places if isinstance(p.node, ast.Subscript)]
    for one, other in combinations(sliced, 2):
        if _rank(one) == _rank(other) and ast.unparse(one.slice) != ast.unparse(other.slice):
            old = ast.unparse(statement)
            one.slice, other.slice = other.slice, one.slice
            try:
                yield Mend(
                    "swapped", *told_apart(old, ast.unparse(statement)), getattr(statement, "lineno", one.lineno)
                )
            finally:
                one.slice, other.slice = other.slice, one.slice


def _rank(node: ast.Subscript) -> int:
    return len(node.slice.elts) if isinstance(node.slice, ast.Tuple) else 1


def numbers_exchanged(places: Sequence[Place]) -> Iterator[Mend]:
    """Yield the numbers of two places exchanged."""
    floats = [p for p in places if isinstance(p.node, ast.Constant) and isinstance(p.node.value, float)]
    for a, b in combinations(floats, 2):
        if a.text != b.text and a.node.lineno != b.node.lineno:
            yield from _both(a, b, ast.Constant(b.node.value), ast.Constant(a.node.value), "swapped", None)  # type: ignore[attr-defined]


def _both(a: Place, b: Place, for_a: ast.expr, for_b: ast.expr, code: str, statement: ast.AST | None) -> Iterator[Mend]:
    old = ast.unparse(statement) if statement is not None else f"{a.text} and {b.text}"
    for new, place in ((for_a, a), (for_b, b)):
        if new is not a.node and new is not b.node:
            ast.copy_location(new, place.node)
    a.put(for_a)
    b.put(for_b)
    try:
        new_text = ast.unparse(statement) if statement is not None else f"{b.text} and {a.text}"
        if old != new_text:
            yield Mend(code, *told_apart(old, new_text), getattr(statement, "lineno", a.node.lineno))
    finally:
        a.put(a.node)
        b.put(b.node)
