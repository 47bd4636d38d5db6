"""Every slip of the pen that could spoil a formula: an operator looks at one node and yields edits of it.

An edit is a node of the code and the text that takes its place. Two things are left alone, since they change no number:
what `out=` names, and the order of the two factors of `torch.mul`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from mutation.functions import Function, is_in_place, operands

OTHER_NAME = {
    "add": "sub", "sub": "add", "add_": "sub_", "sub_": "add_", "mul": "div", "mul_": "div_", "div_": "mul_",
    "exp": "log", "exp_": "log_", "log_": "exp_", "sum": "mean", "amax": "amin", "sign": "abs", "sqrt": "cbrt",
    "sigmoid": "tanh", "tanh": "sigmoid", "clamp_min": "clamp_max", "addcmul": "addcdiv",
    "momentum": "weight_decay", "weight_decay": "momentum",
}  # fmt: skip
OTHER_SIGN: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or,
}  # fmt: skip
OTHER_NUMBER = {0: 1, 1: 0, 2: 1}
A_LITTLE = 1.0005  # a fault of 0.05 %
FACTORS = ("alpha", "beta", "value")
OF_A_POSITION = ("range", "value", "saved", "room", "_step")

Edit = tuple[ast.expr | ast.stmt, str]
Operator = Callable[[ast.AST, Function], Iterator[Edit]]


def another_name(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield sub for add, momentum for weight_decay."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node.attr in OTHER_NAME:
        yield node, f"{ast.unparse(node.value)}.{OTHER_NAME[node.attr]}"


def another_sign(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield - for +, <= for <, `or` for `and`, x for -x."""
    if isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in OTHER_SIGN:
        yield node, with_field(node, op=OTHER_SIGN[type(node.op)]())
    elif isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            yield node, with_field(node, ops=[*node.ops[:i], OTHER_SIGN[type(op)](), *node.ops[i + 1 :]])
    elif isinstance(node, ast.UnaryOp):
        yield node, ast.unparse(node.operand)


def with_field(node: ast.AST, **new: object) -> str:
    """Return the text of the node with one of its fields replaced."""
    return ast.unparse(type(node)(**(dict(ast.iter_fields(node)) | new)))


def another_branch(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield `not c` for a condition c that is no comparison."""
    if isinstance(node, (ast.If, ast.IfExp)) and not isinstance(node.test, (ast.Compare, ast.UnaryOp)):
        yield node.test, f"not ({ast.unparse(node.test)})"


def another_number(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield 0 for 1, False for True, and 0.05 % more for a number that is no index."""
    match node:
        case ast.Constant(value=bool(value)):
            yield node, str(not value)
        case ast.Constant(value=int(value)) if value in OTHER_NUMBER:
            yield node, str(OTHER_NUMBER[value])
        case ast.Constant(value=float(value)):
            yield node, repr(value * A_LITTLE)
        case ast.BinOp(left=ast.Constant(value=int(value)) as left, op=ast.Div()):
            yield left, repr(value * A_LITTLE)


def another_factor(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield alpha=-a and alpha=1.0005 a for alpha=a."""
    if isinstance(node, ast.keyword) and node.arg in FACTORS:
        if not isinstance(node.value, ast.Constant):
            yield node.value, f"{ast.unparse(node.value)} * {A_LITTLE}"
        if not isinstance(node.value, (ast.Constant, ast.UnaryOp)):
            yield node.value, f"-{ast.unparse(node.value)}"


def another_index(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield steps[i - 1] and steps[i + 1] for steps[i]; the same for the bounds of range(), and for saved(i)."""
    bounds: list[ast.expr] = []
    if isinstance(node, ast.Subscript):
        bounds = [node.slice]
    elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in OF_A_POSITION:
        bounds = node.args
    for bound in bounds:
        if isinstance(bound, (ast.Name, ast.Subscript, ast.Attribute)):
            yield bound, f"{ast.unparse(bound)} - 1"
            yield bound, f"{ast.unparse(bound)} + 1"


def another_operand(node: ast.AST, function: Function) -> Iterator[Edit]:
    """Yield -x for x, and another operand of the formula for x."""
    for operand in operands(node):
        yield operand, f"-{ast.unparse(operand)}"
        for other in function.another(operand, operands(node)):
            yield operand, other


def another_order(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield sub(y, t) for sub(t, y): neighbours change places, but for a product of numbers."""
    if isinstance(node, ast.Call) and re.match(r"torch\.(?!mul\b)", ast.unparse(node)):
        for i, (left, right) in enumerate(pairwise(node.args)):
            if not any(isinstance(one, (ast.Constant, ast.Tuple)) for one in (left, right)):
                yield node, with_field(node, args=[*node.args[:i], right, left, *node.args[i + 2 :]])


def nothing(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield x for x.neg_(), and nothing for a call or an assignment to what lasts longer than the function."""
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=name)) if is_in_place(node) or name == "t":
            yield node, ast.unparse(owner)
        case ast.Expr(value=ast.Call() as call) if not is_in_place(call):
            yield node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield node, "pass"


OPERATORS: tuple[Operator, ...] = (
    another_name, another_sign, another_branch, another_number, another_factor, another_index, another_operand,
    another_order, nothing,
)  # fmt: skip
