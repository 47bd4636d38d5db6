"""Small changes of somebody's backward that may mend it, each with the mistake that it would undo.

    d_x[t] = d_h * p[t - 1]        mended by p[t]       'shifted'
    d_b = (d * x).sum(1)           mended by sum(0)     'another-axis'

These are mistakes as people make them, undone: another sign, operator, name, number or index, one factor too many or
too few. A tree is changed while a mend is looked at, and is then as it was.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch_ref.lines.expressions import (
    FUNCTIONS,
    SLOPED,
    TURNS,
    Known,
    Mend,
    Place,
    Suspected,
    called,
    kind_of,
    parsed,
    places_of,
    statements_in,
)
from torch_ref.lines.mends_of_slices import moved_together, of_subscript, the_other_way
from torch_ref.lines.mends_of_statements import exchanged, numbers_exchanged, of_assignment
from torch_ref.lines.source import Scope

LARGEST_NUMBER = 64
"""Of those that are changed: a larger one may be a size, and its double too much memory."""

SUMMED = {"sum": "mean", "mean": "sum", "nansum": "nanmean", "nanmean": "nansum"}

OF_LARGEST = {"max": "min", "min": "max", "amax": "amin", "amin": "amax", "argmax": "argmin", "argmin": "argmax"}
OF_LARGEST |= {"maximum": "minimum", "minimum": "maximum", "triu": "tril", "tril": "triu"}


METHODS = {
    "T": "transposed",
    "mT": "transposed",
    "t": "transposed",
    "transpose": "transposed",
    "flip": "shifted",
    "roll": "shifted",
    "abs": "weights-without-sign",
    "sign": "sign-alone",
    "conj": "conjugate-missing",
    "tril": "wrong-mask",
    "triu": "wrong-mask",
}
"""Methods that may be too much, with the mistake that this is; of others it is another function."""

COMPARED: Mapping[type[ast.cmpop], Sequence[type[ast.cmpop]]] = {
    ast.Lt: (ast.Gt, ast.LtE, ast.GtE),
    ast.Gt: (ast.Lt, ast.GtE, ast.LtE),
    ast.LtE: (ast.GtE, ast.Lt, ast.Gt),
    ast.GtE: (ast.LtE, ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}

Family = Callable[[Place, Known], Iterator[tuple[str, ast.expr]]]
"""Yields what may be meant in a place, with the code of the mistake."""


def mends(scope: Scope, known: Known, suspected: Suspected) -> Iterator[Mend]:
    """Yield the mends of a function, the plainest first; ``scope`` is changed while each is looked at."""
    places = [place for place in places_of(scope) if place.is_within(suspected)]
    for family in FAMILIES:
        for place in places:
            for code, new in family(place, known):
                yield from _held(place, code, new)
    for statement in statements_in(scope):
        if suspected(statement):
            yield from of_assignment(scope, statement)
            yield from exchanged(statement, [p for p in places if p.above[0] is statement], known)
    yield from numbers_exchanged(places)


def _held(place: Place, code: str, new: ast.expr) -> Iterator[Mend]:
    if place.text == ast.unparse(new):
        return
    if place.is_compared and not place.is_in_index:
        code = "wrong-mask"
    elif place.is_argument and code in ("wrong-sign", "factor"):
        code = "wrong-argument"
    if not any(new is part for part in ast.walk(place.node)):  # which stands elsewhere in the line
        ast.copy_location(new, place.node)
    ast.fix_missing_locations(new)
    texts = place.texts(new)
    place.put(new)
    try:
        yield Mend(code, *texts)
    finally:
        place.put(place.node)


def _of_comparison(place: Place, known: Known) -> Iterator[tuple[str, ast.expr]]:
    node = place.node
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for kind in COMPARED.get(type(node.ops[0]), ()):
            yield "wrong-mask", ast.Compare(node.left, [kind()], node.comparators)


def _of_operator(place: Place, known: Known) -> Iterator[tuple[str, ast.expr]]:
    node = place.node
    if isinstance(node, ast.BinOp):
        number = kind_of(node.right, known) == "number"
        if isinstance(node.op, ast.Add | ast.Sub):
            other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            code = "shifted" if place.is_in_index else "plus-for-minus"
            yield code, ast.BinOp(node.left, other, node.right)
            if isinstance(node.op, ast.Add) and not place.is_in_index and not number:
                yield "slope-added", ast.BinOp(node.left, ast.Mult(), node.right)
        if isinstance(node.op, ast.Mult):
            yield "factor" if number else "wrong-power", ast.BinOp(node.left, ast.Div(), node.right)
        if isinstance(node.op, ast.Div):
            yield "factor" if number else "slope-divided", ast.BinOp(node.left, ast.Mult(), node.right)
        if isinstance(node.op, ast.Sub) and not place.is_in_index:
            yield "wrong-sign", ast.BinOp(node.right, ast.Sub(), node.left)
    if isinstance(node, ast.UnaryOp) and place.name != "step":  # of x[::-1] no x[::1], but x
        code = "shifted" if place.is_in_index else "wrong-mask" if isinstance(node.op, ast.Invert) else "wrong-sign"
        yield code, node.operand


def _of_number(place: Place, known: Known) -> Iterator[tuple[str, ast.expr]]:
    node = place.node
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        return
    number: Any = node.value
    if abs(number) > LARGEST_NUMBER:
        return
    holder = place.holder
    if place.is_in_index:
        is_step = isinstance(holder, ast.BinOp) and isinstance(holder.op, ast.Add | ast.Sub)
        code, others = "shifted", [n for n in (number + 1, number - 1) if n or not is_step]
    elif place.is_axis:
        is_turn = isinstance(holder, ast.Call) and called(holder) in TURNS
        code, others = "shifted" if is_turn else "another-axis", [0, 1, 2, -1, -2]
    elif isinstance(holder, ast.BinOp) and isinstance(holder.op, ast.Pow):
        code, others = "wrong-power", [number + 1, number - 1, 2 * number, number / 2, -number]
    elif isinstance(holder, ast.BinOp) and isinstance(holder.op, ast.Add | ast.Sub):
        others = [n for n in (2 * number, number / 2, 1 - number, -number) if n]  # without it is another change
        code = "slope-miswritten"
    elif isinstance(holder, ast.BinOp):
        code, others = "factor", [2 * number, number / 2, 4 * number, number / 4, 1 - number, number**2]
    else:
        is_turn = isinstance(holder, ast.Call) and called(holder) in TURNS
        code, others = (
            "shifted" if is_turn else "another-expression",
            [-number, 1 - number, number + 1, number - 1, 2 * number, number / 2],
        )
    for other in dict.fromkeys(others):
        if other != number or type(other) is not type(number):
            whole = isinstance(number, int) and other == int(other)
            yield code, ast.Constant(int(other) if whole else other)


def _of_less(place: Place, known: Known) -> Iterator[tuple[str, ast.expr]]:
    """Yield an expression without one of its parts."""
    node = place.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield _too_much(node, node.right, known), node.left
        if isinstance(node.op, ast.Mult):
            yield _too_much(node, node.left, known), node.right
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        for kept, other in ((node.left, node.right), (node.right, node.left)):
            yield ("shifted" if place.is_in_index else _summand(node, kept, other, known)), kept
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield "wrong-power", node.left
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield _undone(node.func.attr, node.func.value, known), node.func.value
    if isinstance(node, ast.Call) and node.args:
        yield _undone(called(node), node.args[0], known), node.args[0]
    if isinstance(node, ast.Attribute) and node.attr in METHODS:
        yield _undone(node.attr, node.value, known), node.value
    if isinstance(node, ast.Subscript):
        yield "one-sample", node.value


def _summand(node: ast.BinOp, kept: ast.expr, other: ast.expr, known: Known) -> str:
    """Return the code of a summand that is too much."""
    if kind_of(other, known) == "number":
        return "constant-added"
    factors = (other.left, other.right) if isinstance(other, ast.BinOp) and isinstance(other.op, ast.Mult) else ()
    is_small = any(isinstance(one, ast.Constant) for one in factors)
    if is_small and any(ast.unparse(one) in known.inputs for one in factors):
        return "weight-decay"
    if ast.unparse(kept) in known.inputs and isinstance(node.op, ast.Sub):
        return "stale-weights"
    return "part-twice"


def _undone(name: str, inside: ast.expr, known: Known) -> str:
    """Return the code of a function or method that is too much."""
    code = METHODS.get(name, "applied-twice" if name in SLOPED else "another-expression")
    return "transposed-weights" if code == "transposed" and ast.unparse(inside) in known.inputs else code


def _too_much(node: ast.BinOp, part: ast.expr, known: Known) -> str:
    """Return the code of a factor that is too much."""
    text = ast.unparse(part)
    if kind_of(part, known) == "number":
        return "factor"
    if text in known.upstream:
        return "upstream-twice"
    if text in known.inputs:
        return "input-too-often"
    if isinstance(node.op, ast.Div):
        return "slope-divided"
    return "wrong-power" if text in ast.unparse(node.left if part is node.right else node.right) else "another-tensor"


def _of_sum(place: Place, known: Known) -> Iterator[tuple[str, ast.expr]]:
    node = place.node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        for table, code in ((SUMMED, "mean-for-sum"), (OF_LARGEST, "wrong-mask")):
            if (other := table.get(node.func.attr)) is not None:
                yield code, ast.Call(ast.Attribute(node.func.value, other, ast.Load()), node.args, node.keywords)
        if node.func.attr in SUMMED and not node.args and not node.keywords:
            for d in (0, 1):
                yield "another-axis", ast.Call(node.func, [ast.Constant(d)], [])
                kept = ast.keyword("keepdim" if known.is_of_torch else "keepdims", ast.Constant(True))
                yield "another-axis", ast.Call(node.func, [ast.Constant(d)], [kept])
        if node.func.attr in FUNCTIONS:
            for other in FUNCTIONS:
                yield (
                    "slope-of-another-function",
                    ast.Call(ast.Attribute(node.func.value, other, ast.Load()), node.args, node.keywords),
                )
    if isinstance(node, ast.Call):
        yield from the_other_way(node)
    if isinstance(node, ast.Subscript) and not place.is_in_index:
        yield from of_subscript(node)
        yield from moved_together(node)


def _of_index(place: Place, known: Known) -> Iterator[tuple[str, ast.expr]]:
    """Yield an index or an end of a slice one place beside."""
    if not place.is_in_index or known.is_array(place.text):
        return
    if isinstance(place.node, ast.Name | ast.BinOp | ast.Call) and not isinstance(place.holder, ast.BinOp):
        for text in ("{} + 1", "{} - 1", "-{} - 1"):
            yield "shifted", parsed(text.format(f"({place.text})" if isinstance(place.node, ast.BinOp) else place.text))


FAMILIES: tuple[Family, ...] = (
    _of_comparison,
    _of_operator,
    _of_number,
    _of_less,
    _of_sum,
    _of_index,
)
"""The plainest first."""
