"""Every slip that could blind a check or make it cry wolf: operators for conditions, guards, calls and numbers.

They look at everything in a file but docstrings, annotations, imports, texts and what is raised.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from mutation.functions import Function
from mutation.operators import Edit, Operator, with_field

OPPOSITE: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr, ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip
OTHER_NAME = {"all": "any", "any": "all", "min": "max", "max": "min", "amax": "amin", "amin": "amax"}
TO_LEAVE_OUT = ("abs", "clone", "detach", "double")
"""Methods whose result may pass for what they are called on."""
SYMMETRIC = ("max", "min", "torch.maximum", "torch.minimum", "torch.equal")
"""Functions to which the order of two arguments is all the same."""
NOT_PUT_TO_THE_TEST = ("strict", "stacklevel")
"""Arguments that guard against what cannot happen, or only say where a warning comes from."""
BY_TYPE = {"bool": ("True", "False"), "str": ("''",)}
A_STEP = 10
"""How much a bound is moved: tests may leave a factor of ten between what passes and what does not."""


NO_FUNCTION = ast.FunctionDef(
    name="file", args=ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]), body=[]
)
"""What stands for the function of a statement that is in none."""


@dataclass(frozen=True)
class Logic(Function):
    """A function with its guards; or, without a name, what a file does outside all of them."""

    statements: tuple[ast.stmt, ...] = ()

    def nodes(self) -> list[ast.AST]:
        """Return everything in it that an operator may look at, in the order of the source."""
        return [node for statement in self.statements for node in spelled_out(statement)]


def functions(file: str, source: str) -> list[Function]:
    """Return every function and method of a file, and what stands outside them, classes' defaults too."""
    found: list[Function] = []
    outside: list[ast.stmt] = []
    collect(file, "", ast.parse(source).body, found, outside)
    return [*found, Logic(file, "file", NO_FUNCTION, tuple(outside))] if outside else found


def collect(file: str, prefix: str, body: list[ast.stmt], found: list[Function], outside: list[ast.stmt]) -> None:
    """Sort the statements of a file or class into functions and the rest."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            collect(file, f"{prefix}{statement.name}.", statement.body, found, outside)
        elif isinstance(statement, ast.FunctionDef):
            found.append(Logic(file, prefix + statement.name, statement, (statement,)))
        elif not isinstance(statement, (ast.Import, ast.ImportFrom)):
            outside.append(statement)


def spelled_out(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and what is in it, but for texts and annotations."""
    if isinstance(node, (ast.Raise, ast.JoinedStr)) or is_text(node):
        return
    if isinstance(node, ast.Assign) and is_type(node.value):
        return
    if isinstance(node, ast.keyword) and node.arg in NOT_PUT_TO_THE_TEST:
        return
    yield node
    for name, field in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list"):
            for child in field if isinstance(field, list) else [field]:
                if isinstance(child, ast.AST):
                    yield from spelled_out(child)


def is_text(node: ast.AST) -> bool:
    """Tell whether the node is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_type(value: ast.expr) -> bool:
    """Tell whether a name is given to a type: `Outputs = tuple[Tensor, ...]`."""
    return isinstance(value, ast.Subscript) and ast.unparse(value.value) in ("tuple", "dict", "Callable", "Literal")


def flipped(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield > for <=, `not in` for `in`, `or` for `and`, - for +, c for `not c`."""
    match node:
        case ast.Compare():
            for i, op in enumerate(node.ops):
                yield node, with_field(node, ops=[*node.ops[:i], OPPOSITE[type(op)](), *node.ops[i + 1 :]])
        case ast.BoolOp() | ast.BinOp() if type(node.op) in OPPOSITE:
            yield node, with_field(node, op=OPPOSITE[type(node.op)]())
        case ast.UnaryOp():
            yield node, ast.unparse(node.operand)


def decided(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield True and False for a condition; a loop that never ends is no mutant."""
    conditions: list[ast.expr] = []
    match node:
        case ast.If() | ast.IfExp():
            conditions = [node.test]
        case ast.While():
            yield node.test, "False"
        case ast.comprehension():
            conditions = node.ifs
    for condition in conditions:
        yield condition, "True"
        yield condition, "False"


def another_answer(node: ast.AST, function: Function) -> Iterator[Edit]:
    """Yield both answers for what tells whether, '' for a text, and None for any other value that is returned."""
    if isinstance(node, ast.FunctionDef):
        kind = ast.unparse(node.returns) if node.returns else ""
        for inner in own(node):
            if isinstance(inner, ast.Return) and inner.value is not None:
                for answer in BY_TYPE.get(kind, ("None",)):
                    yield inner.value, answer


def own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield what is in a function, but not what is in a function inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def another_constant(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield False for True, 1 for 0, n + 1 for n, and a tenth and ten times a number with a point."""
    match node:
        case ast.Constant(value=bool(value)):
            yield node, str(not value)
        case ast.Constant(value=int(value)):
            yield node, str(value + 1)
        case ast.Constant(value=float(value)) if value:
            yield node, repr(value * A_STEP)
            yield node, repr(value / A_STEP)
        case ast.Constant(value=float()):
            yield node, "1.0"


def another_name(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield any for all, min for max."""
    if isinstance(node, ast.Name) and node.id in OTHER_NAME:
        yield node, OTHER_NAME[node.id]
    elif isinstance(node, ast.Attribute) and node.attr in OTHER_NAME:
        yield node, f"{ast.unparse(node.value)}.{OTHER_NAME[node.attr]}"


def without_effect(node: ast.AST, function: Function) -> Iterator[Edit]:
    """Yield nothing for a statement that only has an effect, or gives a name another value."""
    match node:
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Delete():
            yield node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AnnAssign(target=ast.Attribute()):
            yield node, "pass"
        case ast.Assign(targets=[ast.Name(id=name)]) if name in bound_above(function.code, node.lineno):
            yield node, "pass"
        case ast.Call(func=ast.Attribute(value=owner, attr=name), args=[]) if name in TO_LEAVE_OUT:
            yield node, ast.unparse(owner)


def bound_above(code: ast.FunctionDef, line: int) -> set[str]:
    """Return the names that have a value above a line of a function."""
    stored = [n for n in ast.walk(code) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    every = [*code.args.posonlyargs, *code.args.args, *code.args.kwonlyargs]
    return {a.arg for a in every} | {n.id for n in stored if n.lineno < line}


def without_guard(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield a handler that catches nothing, a context that does nothing, and nothing for an unconditional `raise`."""
    match node:
        case ast.ExceptHandler(type=ast.expr() as kind):
            yield kind, "()"
        case ast.With():
            for item in node.items:
                if item.optional_vars is None:
                    yield item.context_expr, "__import__('contextlib').nullcontext()"
    if isinstance(node, (ast.ExceptHandler, ast.With, ast.FunctionDef)):
        for statement in node.body:
            if isinstance(statement, ast.Raise):
                yield statement, "pass"


def other_arguments(node: ast.AST, _: Function) -> Iterator[Edit]:
    """Yield f(a) for f(a, b) and for f(a, b=b), and f(b, a) for f(a, b) where that is another."""
    if not isinstance(node, ast.Call):
        return
    for i, keyword in enumerate(node.keywords):
        if keyword.arg not in NOT_PUT_TO_THE_TEST:
            yield node, with_field(node, keywords=node.keywords[:i] + node.keywords[i + 1 :])
    if len(node.args) > 1:
        yield node, with_field(node, args=node.args[:-1])
    if ast.unparse(node.func) in SYMMETRIC:
        return
    for i, (left, right) in enumerate(pairwise(node.args)):
        if not any(isinstance(one, (ast.Starred, ast.JoinedStr)) for one in (left, right)):
            yield node, with_field(node, args=[*node.args[:i], right, left, *node.args[i + 2 :]])


OPERATORS: tuple[Operator, ...] = (
    flipped, decided, another_answer, another_constant, another_name, without_effect, without_guard, other_arguments,
)  # fmt: skip
