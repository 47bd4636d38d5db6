"""Small changes of one statement, as people make mistakes: another sign, operator, name, number, or one factor less."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

SWAPPED: Mapping[type[ast.AST], Sequence[type[ast.AST]]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.Lt: (ast.Gt, ast.LtE),
    ast.Gt: (ast.Lt, ast.GtE),
    ast.LtE: (ast.GtE, ast.Lt),
    ast.GtE: (ast.LtE, ast.Gt),
}
"""What stands for what: an operator, a comparison."""

SUMMED = {"sum": "mean", "mean": "sum", "max": "min", "min": "max", "amax": "amin", "amin": "amax"}

Alike = Callable[[str], Sequence[str]]
"""Returns the names whose values may stand for that of one; of '' those that may be a factor."""


def changed(statement: ast.stmt, alike: Alike) -> Iterator[ast.stmt]:
    """Yield a statement, each time with one part changed."""
    for n, node in enumerate(ast.walk(statement)):
        for other in _others(node, alike):
            yield _replaced(statement, n, other)


def completed(statement: ast.stmt, alike: Alike) -> Iterator[ast.stmt]:
    """Yield a statement, each time with something put in: a sign, a factor, a summand, += for =."""
    value: ast.expr | None = getattr(statement, "value", None)
    if value is None:
        return
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name | ast.Subscript | ast.Attribute):
            yield _replaced(statement, 0, ast.AugAssign(target, ast.Add(), value))
    elif isinstance(statement, ast.AugAssign):
        yield _replaced(statement, 0, ast.Assign([statement.target], value))
    if isinstance(value, ast.Tuple | ast.Dict | ast.List):
        return
    for text in ("-({})", "({}) * 2", "({}) / 2", *(f"({{}}) {op} {name}" for name in alike("") for op in "*/+")):
        yield _replaced(statement, 0, _with(statement, value=_expression(text.format(ast.unparse(value)))))


def _others(node: ast.AST, alike: Alike) -> Iterator[ast.AST]:
    """Yield what may stand in place of one part of a statement."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for swapped in SWAPPED.get(type(node.op), ()):
            yield _with(node, op=swapped())
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.Add | ast.Sub | ast.Pow):
        yield node.left
        if not isinstance(node.op, ast.Pow):
            yield node.right
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for swapped in SWAPPED.get(type(node.ops[0]), ()):
            yield _with(node, ops=[swapped()])
    if isinstance(node, ast.UnaryOp):
        yield node.operand
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield from (ast.Constant(number) for number in _numbers(node.value))
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        yield node.args[0]
    if isinstance(node, ast.Attribute) and node.attr in SUMMED:
        yield _with(node, attr=SUMMED[node.attr])
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield from map(_expression, alike(ast.unparse(node)))


def _numbers(number: Any) -> list[float]:
    """Return what may stand for a number; of a whole one those that are whole, too, as whole ones."""
    found = dict.fromkeys([number * 2, number / 2, number + 1, number - 1, 1 - number])
    return [int(one) if isinstance(number, int) and one == int(one) else one for one in found]


class _Instead(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        found: ast.AST = self.new if node is self.old else self.generic_visit(node)
        return found


def _replaced(statement: ast.stmt, n: int, other: ast.AST) -> ast.stmt:
    """Return a copy of a statement with another part in place of that of a number."""
    found = copy.deepcopy(statement)
    part = next(one for k, one in enumerate(ast.walk(found)) if k == n)
    new = copy.deepcopy(other)
    ast.copy_location(new, statement)
    done = _Instead(part, new).visit(found)
    assert isinstance(done, ast.stmt)
    return ast.fix_missing_locations(done)


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    found = copy.copy(node)
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
