"""The expressions of a function, each in its place in the syntax tree, and what is known where it stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from torch_ref.lines.source import BLOCKS, LONGEST, Scope

SHORT = 5
"""Characters of an expression that is shown with what it stands in: t - 1 with p[t - 1]."""

AXES = frozenset(
    {"sum", "mean", "cumsum", "cumprod", "softmax", "log_softmax", "flip", "max", "min", "amax", "amin", "norm", "prod"}
    | {"var", "std", "cat", "stack", "concatenate", "logsumexp", "argmax", "argmin", "unsqueeze", "squeeze", "take"}
)
"""Functions that are told an axis by a number."""

AXIS_NAMES = ("dim", "axis")

FUNCTIONS = ("sigmoid", "tanh", "relu", "exp", "log", "sqrt", "sin", "cos", "abs", "sign", "square")
"""Functions of single numbers that may stand for each other."""

SLOPED = frozenset({*FUNCTIONS, "logsigmoid", "softplus", "gelu", "silu", "erf", "expm1", "log1p", "softmax", "rsqrt"})

TURNS = frozenset({"flip", "roll", "rot90"})


class Mend(NamedTuple):
    """One change."""

    code: str
    """What is wrong without it, as in docs/causes.md."""
    old: str
    new: str
    line: int


@dataclass(frozen=True)
class Known:
    """What a backward has at hand, as its variables are when it returns."""

    values: Mapping[str, Any]
    upstream: frozenset[str] = frozenset()
    """The names of what comes from above."""
    inputs: frozenset[str] = frozenset()
    first: str = ""
    """The name of the first of the inputs, which is rarely a parameter."""

    def alike(self, name: str) -> list[str]:
        """Return the names of other values of the same kind and shape."""
        value = self.values.get(name)
        if value is None:
            return []
        return [other for other, v in self.values.items() if other != name and _is_alike(v, value)]

    @cached_property
    def is_of_torch(self) -> bool:
        """Tell whether tensors are at hand, and no arrays."""
        return any(isinstance(v, Tensor) for v in self.values.values())

    def is_array(self, name: str) -> bool:
        """Tell whether a name stands for a tensor of more than one number."""
        value: Any = self.values.get(name)
        return is_array(value) and value.ndim > 0


def is_array(value: Any) -> bool:
    """Tell whether a value is a tensor or an array."""
    return isinstance(value, Tensor | np.ndarray)


def is_number(value: Any) -> bool:
    """Tell whether a value is one real number."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _is_alike(a: Any, b: Any) -> bool:
    if is_array(a) and is_array(b):
        return bool(a.shape == b.shape and a.dtype == b.dtype)
    return is_number(a) and is_number(b)


@dataclass(frozen=True)
class Place:
    """Where an expression stands in a statement."""

    node: ast.expr
    holder: ast.AST
    name: str
    """The field of the holder in which it stands."""
    index: int | None
    above: tuple[ast.AST, ...] = field(repr=False)
    """All that holds it, from the statement to the holder."""

    @property
    def text(self) -> str:
        """Return its code."""
        return ast.unparse(self.node)

    def is_within(self, suspected: Suspected) -> bool:
        """Tell whether it stands in a statement, or in a part of what is returned, that may be wrong."""
        return any(suspected(one) for one in (*self.above, self.node))

    @property
    def is_in_index(self) -> bool:
        """Tell whether it stands between square brackets."""
        chain = (*self.above, self.node)
        return any(isinstance(a, ast.Subscript) and b is a.slice for a, b in pairwise(chain))

    @property
    def is_compared(self) -> bool:
        """Tell whether a mask is made of it."""
        return any(isinstance(a, ast.Compare) for a in self.above)

    @property
    def is_argument(self) -> bool:
        """Tell whether a function of single numbers is applied to it."""
        holder = self.holder
        by_method = isinstance(holder, ast.Attribute) and holder.attr in SLOPED
        return by_method or (isinstance(holder, ast.Call) and called(holder) in SLOPED)

    @property
    def is_axis(self) -> bool:
        """Tell whether it tells a function along which axis it runs."""
        if not isinstance(self.node, ast.Constant | ast.UnaryOp | ast.Tuple):
            return False
        for a in reversed(self.above):
            if isinstance(a, ast.keyword):
                return a.arg in AXIS_NAMES
            if isinstance(a, ast.Call):
                return called(a) in AXES and self.node is not a.func
            if not isinstance(a, ast.UnaryOp | ast.Tuple):
                return False
        return False

    @cached_property
    def shown(self) -> ast.AST:
        """Return the smallest part of the statement that holds it, says enough, and stands once in its line."""
        for whole in (self.node, *reversed(self.above[1:])):
            if not isinstance(whole, ast.expr) or isinstance(whole, ast.Slice | ast.Starred):
                continue
            text = ast.unparse(whole)
            alike = (one for one in ast.walk(self.above[0]) if getattr(one, "lineno", 0) == whole.lineno)
            is_enough = len(text) > SHORT or isinstance(whole, ast.Subscript)
            if is_enough and sum(isinstance(one, ast.expr) and ast.unparse(one) == text for one in alike) == 1:
                return whole
        return self.above[0]

    def texts(self, new: ast.AST) -> tuple[str, str, int]:
        """Return the code that is shown, with and without another expression in this place, and its line."""
        whole = self.shown
        old = ast.unparse(whole)
        self.put(new)
        try:
            changed = ast.unparse(new if whole is self.node else whole)
        finally:
            self.put(self.node)
        return *told_apart(old, changed), getattr(whole, "lineno", self.node.lineno)

    def put(self, new: ast.AST) -> None:
        """Put another expression there."""
        if self.index is None:
            setattr(self.holder, self.name, new)
        else:
            getattr(self.holder, self.name)[self.index] = new


AROUND = 16
"""Characters that are shown of what two long codes share, beside what differs."""


def told_apart(old: str, new: str) -> tuple[str, str]:
    """Return two codes as they are shown: of long ones what differs, with the beginning and end of what they share."""
    if max(len(old), len(new)) <= LONGEST:
        return old, new
    a, b = (re.findall(r"\w+|\s+|.", code) for code in (old, new))
    shown: tuple[list[str], list[str]] = ([], [])
    for kind, i, i_end, j, j_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        first, second = "".join(a[i:i_end]), "".join(b[j:j_end])
        if kind == "equal" and len(first) > 2 * AROUND + len(" ... "):
            first = second = f"{_beginning(a[i:i_end]).rstrip()} ... {_beginning(a[i:i_end][::-1], -1).lstrip()}"
        shown[0].append(first)
        shown[1].append(second)
    return "".join(shown[0]), "".join(shown[1])


def _beginning(words: Sequence[str], order: int = 1) -> str:
    """Return the first words that are shown, in this order or the reverse: at least one."""
    lengths = accumulate(map(len, words))
    count = max(1, sum(length <= AROUND for length in lengths))
    return "".join(words[:count][::order])


def called(call: ast.Call) -> str:
    """Return the name of the function or method that is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


Suspected = Callable[[ast.AST], bool]
"""Tells whether a statement, or a part of what is returned, may be wrong."""


def statements_in(scope: Scope) -> Iterator[ast.AST]:
    """Yield the statements of a function with those in its loops and conditions; a lambda is its own."""
    if isinstance(scope, ast.Lambda):
        yield scope
        return
    waiting: list[ast.AST] = [*scope.body]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        yield node
        waiting += [part for block in BLOCKS for part in getattr(node, block, [])]


def places_of(scope: Scope) -> Iterator[Place]:
    """Yield every expression that is read in the statements of a function, from the outermost in."""
    for statement in statements_in(scope):
        fields = ["body"] if isinstance(statement, ast.Lambda) else [f for f in statement._fields if f not in BLOCKS]
        yield from _inside(statement, fields, (statement,))


def _inside(node: ast.AST, fields: Sequence[str], above: tuple[ast.AST, ...]) -> Iterator[Place]:
    for name in fields:
        value = getattr(node, name, None)
        for index, part in enumerate(value if isinstance(value, list) else [value]):
            is_written = isinstance(getattr(node, "ctx", None), ast.Store) and name == "value"  # d in d[i] = x
            is_read = isinstance(getattr(part, "ctx", None), ast.Load | None) and not is_written
            if isinstance(part, ast.expr) and is_read:
                yield Place(part, node, name, index if isinstance(value, list) else None, above)
            if isinstance(part, ast.expr | ast.keyword | ast.comprehension) and not isinstance(part, ast.Lambda):
                yield from _inside(part, part._fields, (*above, part))


def parsed(text: str) -> ast.expr:
    """Return the syntax tree of an expression."""
    return ast.parse(text, mode="eval").body


def kind_of(node: ast.AST, known: Known) -> str:
    """Return 'number', or 'tensor' for all that is not surely one."""
    if isinstance(node, ast.Constant) or (isinstance(node, ast.Call) and called(node) in ("len", "numel", "size")):
        return "number"
    if isinstance(node, ast.UnaryOp):
        return kind_of(node.operand, known)
    if isinstance(node, ast.BinOp):
        kinds = {kind_of(node.left, known), kind_of(node.right, known)}
        return "number" if kinds == {"number"} else "tensor"
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
        return "number"
    value = known.values.get(ast.unparse(node)) if isinstance(node, ast.Name | ast.Attribute) else None
    return "number" if value is not None and not known.is_array(ast.unparse(node)) else "tensor"
