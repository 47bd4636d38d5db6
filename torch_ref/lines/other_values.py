"""What may be meant in place of the value of an expression, computed from the variables that are there."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torch_ref.lines.expressions import TURNS, Known, Place, called, is_array, is_number, places_of
from torch_ref.lines.instead import Change, Other, Wrapped
from torch_ref.lines.source import Scope

LONGEST = 40
"""Characters of an expression that may be a factor elsewhere."""

LARGEST_SIZE = 10_000
"""Of a product of two whole numbers: it may be the size of a tensor, and of all memory."""

Family = Callable[[Wrapped, Sequence[str]], Iterator[Other]]
"""Yields what may be meant in a place; given the expressions that may be a factor."""


def of_another(one: Wrapped, texts: Sequence[str]) -> Iterator[Other]:
    """Yield other variables of the same shape."""
    value = one.hook.value
    if is_array(value) and _is_measured(one.place):
        for name, _ in _arrays(one):
            if name != one.place.text:
                yield Other("another-expression", name, _read(name))
    elif is_array(value):
        for name, other in _arrays(one):
            if _shape(other) == _shape(value) and name != one.place.text:
                yield Other("another-gradient" if _is_returned(one.place) else "another-tensor", name, _read(name))
            if len(_shape(other)) == 2 and _shape(other)[::-1] == _shape(value):
                code = "transposed-weights" if name == one.place.text else "another-tensor"
                yield Other(code, f"{name}.T", _read(f"{name}.T"))
    elif is_number(value):
        code = (
            "shifted" if one.place.is_in_index else "wrong-divisor" if _is_divisor(one.place) else "another-expression"
        )
        for name, other in one.hook.variables.items():
            if name != one.place.text and ((is_number(other) and other != value) or _stands_for_number(one, other)):
                yield Other(code, name, _read(name))


def _is_measured(place: Place) -> bool:
    """Tell whether only the shape or the length of a value is asked for."""
    holder = place.holder
    if isinstance(holder, ast.Call):
        return called(holder) == "len"
    return isinstance(holder, ast.Attribute) and holder.attr in ("shape", "size", "numel")


def _is_returned(place: Place) -> bool:
    """Tell whether it is returned as it is."""
    return all(isinstance(a, ast.Return | ast.Tuple) for a in place.above)


def _is_divisor(place: Place) -> bool:
    holder = place.holder
    return isinstance(holder, ast.BinOp) and isinstance(holder.op, ast.Div) and holder.right is place.node


def _stands_for_number(one: Wrapped, other: Any) -> bool:
    """Tell whether a tensor may stand for a number: what is multiplied with it, or divided by it, can be a tensor."""
    holder = one.place.holder
    return is_array(other) and isinstance(holder, ast.BinOp) and isinstance(holder.op, ast.Mult | ast.Div)


def of_scale(one: Wrapped, texts: Sequence[str]) -> Iterator[Other]:
    """Yield the value with the other sign, doubled and halved."""
    if isinstance(one.hook.value, int) and is_number(one.hook.value) and not isinstance(one.place.holder, ast.UnaryOp):
        holder = one.place.holder
        code = "shifted" if isinstance(holder, ast.Call) and called(holder) in TURNS else "another-expression"
        yield Other(code, f"-{_inner(one.place.text)}", _times(-1))
    if not _has_numbers(one) or _is_first_of_product(one.place):
        return
    inner = _inner(one.place.text)
    if not isinstance(one.place.holder, ast.UnaryOp):
        yield Other("wrong-sign", f"-{inner}", _times(-1.0))
    for number in (2.0, 0.5):
        yield Other("factor", f"{inner} * {number:g}", _times(number))


def of_factor(one: Wrapped, texts: Sequence[str]) -> Iterator[Other]:
    """Yield the value times, and over, each variable, and plain numbers."""
    inner = _inner(one.place.text)
    if is_number(one.hook.value):
        for name, other in [*_numbers(one), *_attributes(one, texts)]:
            if name == one.place.text or not isinstance(other, int) or not isinstance(one.hook.value, int):
                continue
            if abs(one.hook.value * other) <= LARGEST_SIZE or _is_divisor(one.place):
                yield Other("another-expression", f"{inner} * {name}", _product(_read(name)))
    if not _has_numbers(one) or _is_first_of_product(one.place):
        return
    for name, other in [*_arrays(one), *_numbers(one), *_attributes(one, texts)]:
        if name != one.place.text and _fits(one.hook.value, other):
            code = _missing(name, other, one.known)
            yield Other(code, f"{inner} * {name}", _product(_read(name)))
            yield Other(code, f"{inner} / {name}", _quotient(_read(name)))
            yield Other(code, f"{inner} * (1 - {name})", _product(_rest(_read(name))))


def _missing(name: str, value: Any, known: Known) -> str:
    """Return the code of a factor that is missing."""
    if name in known.upstream:
        return "upstream-missing"
    if not _shape(value):
        return "factor"
    if name not in known.inputs:
        return "term-missing"
    return "input-missing" if name == known.first else "weights-missing"


def of_term(one: Wrapped, texts: Sequence[str]) -> Iterator[Other]:
    """Yield the value plus, and minus, each variable, and their matrix product."""
    value = one.hook.value
    if not _has_numbers(one):
        return
    inner = _inner(one.place.text)
    for name, other in _arrays(one):
        if name == one.place.text:
            continue
        if _fits(value, other):
            yield Other("part-missing", f"{inner} + {name}", _sum(_read(name), 1))
            yield Other("part-missing", f"{inner} - {name}", _sum(_read(name), -1))
        if len(_shape(other)) == 2 == len(_shape(value)) and _shape(other)[0] == _shape(other)[1] == _shape(value)[1]:
            yield Other("weights-missing", f"{inner} @ {name}", _matrix_product(_read(name)))


def of_function(one: Wrapped, texts: Sequence[str]) -> Iterator[Other]:
    """Yield a sign, a power, a transposition or a function of the value."""
    value, inner = one.hook.value, _inner(one.place.text)
    if isinstance(value, Tensor | np.ndarray) and value.dtype in (torch.bool, np.bool_):
        yield Other("wrong-mask", f"~{inner}", lambda v, g, l: ~v)
    if not _has_numbers(one):
        return
    yield Other("term-missing", f"1 - {inner}", lambda v, g, l: 1 - v)
    for p in (2, -1, 0.5, -0.5, 3):
        yield Other("wrong-power", f"{inner} ** {p}", _power(p))
    if len(_shape(value)) > 1 and _shape(value)[-1] == _shape(value)[-2]:
        yield Other("transposed", f"{inner}.mT", lambda v, g, l: v.swapaxes(-1, -2))
    for code, name in FUNCTIONS.items():
        of_torch, of_numpy = getattr(torch, name), getattr(np, name)
        function = of_torch if isinstance(value, Tensor) else of_numpy
        yield Other(code, f"{name}({one.place.text})", _called(function))


FUNCTIONS = {"weights-without-sign": "abs", "sign-alone": "sign", "wrong-logarithm": "log", "slope-missing": "exp"}


def of_expression(one: Wrapped, texts: Sequence[str]) -> Iterator[Other]:
    """Yield another expression of the code in its place, and the value times, and over, that one."""
    inner = _inner(one.place.text)
    for text in texts:
        other = None if text == one.place.text else _tried(text, one)
        if not is_array(other):
            continue
        if is_number(one.hook.value) and _stands_for_number(one, other):
            yield Other("wrong-divisor" if _is_divisor(one.place) else "another-tensor", text, _read(text))
        if not is_array(one.hook.value):
            continue
        if _shape(other) == _shape(one.hook.value):
            yield Other("another-tensor", text, _read(text))
        if _is_real(one.hook.value) and _is_real(other) and _fits(one.hook.value, other):
            yield Other("term-missing", f"{inner} * ({text})", _product(_read(text)))
            yield Other("term-missing", f"{inner} / ({text})", _quotient(_read(text)))


FAMILIES: tuple[Family, ...] = (of_scale, of_another, of_factor, of_function, of_term, of_expression)
"""The plainest first."""


def expressions(*scopes: Scope) -> list[str]:
    """Return the expressions of functions that may be a factor elsewhere."""
    found = (
        place.text
        for scope in scopes
        for place in places_of(scope)
        if isinstance(place.node, ast.BinOp | ast.Call | ast.Attribute) and not place.is_in_index
    )
    return [text for text in dict.fromkeys(found) if len(text) <= LONGEST]


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(getattr(value, "shape", ()))


def _arrays(one: Wrapped) -> list[tuple[str, Any]]:
    return [(name, v) for name, v in one.hook.variables.items() if is_array(v)]


def _numbers(one: Wrapped) -> list[tuple[str, Any]]:
    return [(name, v) for name, v in one.hook.variables.items() if is_number(v) and abs(v) not in (0, 1)]


def _attributes(one: Wrapped, texts: Sequence[str]) -> list[tuple[str, Any]]:
    """Return the numbers among the attributes that the code reads, such as self.stride."""
    found = ((text, _tried(text, one)) for text in texts if text.replace(".", "").isidentifier())
    return [(text, value) for text, value in found if is_number(value) and abs(value) not in (0, 1)]


def _tried(text: str, one: Wrapped) -> Any:
    """Return the value of an expression in a place; None where a variable is not there."""
    try:
        with torch.no_grad():
            return _evaluated(text, one.hook.globals, one.hook.variables)
    except Exception:  # of an expression of another place
        return None


def _has_numbers(one: Wrapped) -> bool:
    """Tell whether a value is a tensor whose numbers count, not its shape alone."""
    return _is_real(one.hook.value) and not _is_measured(one.place)


def _is_real(value: Any) -> bool:
    """Tell whether a value is a tensor or an array of floating-point or complex numbers."""
    if isinstance(value, Tensor):
        return value.is_floating_point() or value.is_complex()
    return isinstance(value, np.ndarray | np.floating) and value.dtype.kind in "fc"


def _fits(value: Any, other: Any) -> bool:
    """Tell whether another value can be broadcast to the shape of one."""
    try:
        return bool(np.broadcast_shapes(_shape(value), _shape(other)) == _shape(value))
    except ValueError:
        return False


def _is_first_of_product(place: Place) -> bool:
    """Tell whether it is a product that is the first factor of another one: a change of the whole does the same."""
    node, holder = place.node, place.holder
    if not isinstance(holder, ast.BinOp) or not isinstance(node, ast.BinOp) or holder.left is not node:
        return False
    return isinstance(holder.op, ast.Mult | ast.Div) and isinstance(node.op, ast.Mult | ast.Div)


def _inner(text: str) -> str:
    node = ast.parse(text, mode="eval").body
    return text if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({text})"


@lru_cache(512)
def _compiled(text: str) -> CodeType:
    return compile(text, "<expression>", "eval")


def _evaluated(text: str, names: Mapping[str, Any], variables: Mapping[str, Any]) -> Any:
    return eval(_compiled(text), {**names}, variables)  # an expression of the code that is checked


def _read(text: str) -> Change:
    if text.isidentifier():
        return lambda value, names, variables: variables[text]
    return lambda value, names, variables: _evaluated(text, names, variables)


def _rest(other: Change) -> Change:
    return lambda *given: 1 - other(*given)


def _times(number: float) -> Change:
    return lambda value, names, variables: value * number


def _product(other: Change) -> Change:
    return lambda value, *given: value * other(value, *given)


def _quotient(other: Change) -> Change:
    return lambda value, *given: value / other(value, *given)


def _sum(other: Change, sign: int) -> Change:
    return lambda value, *given: value + sign * other(value, *given)


def _matrix_product(other: Change) -> Change:
    return lambda value, *given: value @ other(value, *given)


def _power(p: float) -> Change:
    return lambda value, *given: value**p


def _called(function: Callable[[Any], Any]) -> Change:
    return lambda value, *given: function(value)
