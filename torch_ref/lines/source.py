"""The statements of a piece of code: what each says, which names it mentions, and which instruction belongs to which.

The text comes from ``linecache``, which also knows notebook cells and what was put there under a name of its own. Where
there is no text, every line counts as a statement that may mention anything.
"""

from __future__ import annotations

import ast
import linecache
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import CodeType

LONGEST = 60
"""Characters of a statement that are shown: with 'Wrong: ' and its place it fits into two lines of 80 columns."""

MOST_KEPT = 64
"""Functions and files whose statements are kept; a check reads the same ones again and again."""

BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")
"""The fields of a statement that hold statements."""

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Module


@dataclass(frozen=True)
class Statement:
    """One statement; of a loop or a condition its first line alone."""

    file: str
    line: int
    text: str = ""
    """On one line, shortened; '' where there is no source."""
    mentions: frozenset[str] | None = None
    """Names and attributes that it reads or writes, 'W1' and 'self.W1'; None where it may be any."""
    column: int = 0
    reads: frozenset[str] = frozenset()
    """Names and attributes whose values go into what it does: of ``d += x`` both, of ``d = x`` x alone."""
    parts: frozenset[str] = frozenset()
    """The same with their keys, without what is only written into: of ``g['b'] = g['z'].sum(0)`` g['z']."""
    elements: tuple[frozenset[str], ...] = ()
    """Of what is returned the same, part by part: of ``return dW / n, db`` n and dW, and db."""
    is_several: bool = False
    """Whether it makes several values, each by itself, as ``return {'W': dW * 2, 'b': dz.sum(0)}``."""

    @property
    def at(self) -> str:
        """Return 'mine.py:17', relative to the working directory if below it."""
        return f"{_shown(self.file)}:{self.line}"

    @property
    def source(self) -> str:
        """Return text and place: 'dz1 = dh + (1 - h**2), at mine.py:17'."""
        return f"{self.text}, at {self.at}" if self.text else f"line {self.line} of {_shown(self.file)}"

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(name.split(".")[0] for name in self.mentions or ())

    def may_name(self, variable: str) -> bool:
        """Tell whether it mentions a variable, or something that it holds."""
        return self.mentions is None or variable in self._names

    def may_touch(self, place: str) -> bool:
        """Tell whether it mentions a place, 'grads' for grads['W1'], or something that holds it."""
        if self.mentions is None:
            return True
        return any(place == name or place.startswith((f"{name}.", f"{name}[")) for name in self.mentions)


@dataclass(frozen=True)
class Source:
    """The statements of a code object."""

    code: CodeType

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Return all statements in order; none where there is no source."""
        code = self.code
        held = frozenset((*code.co_varnames, *code.co_cellvars))
        lines = linecache.getlines(code.co_filename)
        return _statements("".join(lines), code.co_filename, code.co_name, code.co_firstlineno, held)

    @property
    def is_dense(self) -> bool:
        """Tell whether a line holds several statements, which only the instructions can tell apart."""
        starts = [statement.line for statement in self.statements]
        return len(set(starts)) < len(starts)

    def at_line(self, line: int) -> Statement:
        """Return the statement of a line; of several the last."""
        return self._at(line, 1_000_000)

    @cached_property
    def by_instruction(self) -> dict[int, Statement]:
        """Return the statement of every instruction, by its offset."""
        positions = enumerate(self.code.co_positions())
        return {2 * i: self._at(line, column or 0) for i, (line, _, column, _) in positions if line is not None}

    @cached_property
    def _starts(self) -> list[tuple[int, int]]:
        return [(statement.line, statement.column) for statement in self.statements]

    def _at(self, line: int, column: int) -> Statement:
        """Return the last statement that begins there or before: that of a loop comes before those in it."""
        i = bisect_right(self._starts, (line, column))
        return self.statements[i - 1] if i else Statement(self.code.co_filename, line)


@lru_cache(MOST_KEPT)
def _statements(text: str, file: str, name: str, first: int, held: frozenset[str]) -> tuple[Statement, ...]:
    """Return the statements of the scope of a name that begins at a line; a function runs again and again."""
    scope = _scope_of(text, name, first)
    if scope is None:
        return ()
    nested = frozenset(node.name for node in statements_of(scope) if isinstance(node, ast.FunctionDef))
    lines = [f"{line}\n" for line in text.split("\n")]
    found = [_statement(node, file, lines, held | nested) for node in statements_of(scope)]
    return tuple(sorted(found, key=lambda statement: (statement.line, statement.column)))


def _statement(node: ast.stmt | ast.expr, file: str, lines: list[str], held: frozenset[str]) -> Statement:
    parts = _own_parts(node)
    mentions = _Mentions(held)
    for part in parts:
        mentions.visit(part)
    found = None if mentions.anything else frozenset(mentions.found)
    at = file, node.lineno, _text(node, lines)
    read = frozenset(mentions.read), frozenset(name for part in parts for name in _parts_read(part))
    is_several = isinstance(getattr(node, "value", None), ast.Dict | ast.Tuple | ast.List)
    return Statement(*at, found, node.col_offset, *read, _elements(node), is_several)


def _elements(node: ast.AST) -> tuple[frozenset[str], ...]:
    value = node.value if isinstance(node, ast.Return) else None
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value] if value is not None else []
    return tuple(frozenset(_parts_read(part)) for part in parts)


def scope_of(code: CodeType) -> Scope | None:
    """Return the part of a file that a code object is made of; None where there is no source."""
    text = "".join(linecache.getlines(code.co_filename))
    return _scope_of(text, code.co_name, code.co_firstlineno)


def _scope_of(text: str, name: str, first: int) -> Scope | None:
    tree = _tree_of(text)
    if tree is None or name == "<module>":
        return tree if tree is not None and tree.body else None
    fits = [node for node in ast.walk(tree) if isinstance(node, Scope) and _is_of(node, name, first)]
    return fits[0] if len(fits) == 1 else None  # of two lambdas in a line nobody knows


@lru_cache(MOST_KEPT)
def _tree_of(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):  # no Python: the file is another by now
        return None


def _is_of(node: Scope, name: str, first: int) -> bool:
    if isinstance(node, ast.Module):
        return False
    if isinstance(node, ast.Lambda):
        return name == "<lambda>" and node.lineno == first
    begin = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return node.name == name and begin == first


def statements_of(scope: ast.AST) -> Iterator[ast.stmt | ast.expr]:
    """Yield the statements of a scope with those in its loops and conditions, without those of functions in it."""
    if isinstance(scope, ast.Lambda):
        yield scope.body
        return
    for field in BLOCKS:
        for node in getattr(scope, field, []):
            if isinstance(node, ast.stmt):
                yield node
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from statements_of(node)


def _own_parts(node: ast.AST) -> list[ast.AST]:
    """Return what a statement says itself: of a loop its target and what it runs over, not its body."""
    if not isinstance(node, ast.stmt) or not hasattr(node, "body"):
        return [node]
    parts: list[ast.AST] = []
    for name, value in ast.iter_fields(node):
        if name not in BLOCKS:
            parts += [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST)]
    return parts


class _Mentions(ast.NodeVisitor):
    """Collects names and dotted names; what a call of a function that a variable holds may touch is anything."""

    def __init__(self, held: frozenset[str]) -> None:
        self.held, self.found, self.read, self.anything = held, set[str](), set[str](), False

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if name := _dotted(node.target):
            self.read.add(name)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self._add(node.id, node.ctx)

    def _add(self, name: str, context: ast.expr_context) -> None:
        self.found.add(name)
        if isinstance(context, ast.Load):
            self.read.add(name)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = _dotted(node)
        if name:
            self._add(name, node.ctx)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in self.held:
            self.anything = True
        called = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        for part in (called, *node.args, *node.keywords):  # a method may touch all that its object holds
            self.visit(part)


def _parts_read(node: ast.AST) -> Iterator[str]:
    """Yield what is read, as g['z'] or self.W1; g alone where the key is computed."""
    context = getattr(node, "ctx", None)
    base = _dotted(node.value if isinstance(node, ast.Subscript) else node)
    if base and isinstance(context, ast.Load):
        key = node.slice if isinstance(node, ast.Subscript) else None
        yield f"{base}[{key.value!r}]" if isinstance(key, ast.Constant) else base
    within = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
    inside = [node.slice] if base and isinstance(node, ast.Subscript) else [] if base else ast.iter_child_nodes(node)
    for part in inside:
        yield from _parts_read(within if within is not None and part is node.func else part)  # type: ignore[attr-defined]


def _dotted(node: ast.AST) -> str:
    """Return 'self.W1' for such a chain, '' for another."""
    if isinstance(node, ast.Name):
        return node.id
    inside = _dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{inside}.{node.attr}" if inside and isinstance(node, ast.Attribute) else ""


def _text(node: ast.AST, lines: list[str]) -> str:
    """Return a statement on one line; of a loop or a condition the part before its body."""
    found = _segment(node, lines)
    body = getattr(node, "body", None)
    if isinstance(node, ast.stmt) and isinstance(body, list) and body:
        found = f"{ast.unparse(node)}\n".splitlines()[0]
    elif "\n" in found and "#" in found:  # a comment in the middle would hide the rest
        found = ast.unparse(node)
    return shortened(" ".join(found.replace("\\\n", " ").split()))


def _segment(node: ast.AST, lines: list[str]) -> str:
    """Return the text of a node as it stands; columns count bytes."""
    line, end, column, end_column = node.lineno, node.end_lineno, node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
    found = [text.encode() for text in lines[line - 1 : end]]
    found[-1] = found[-1][:end_column]
    found[0] = found[0][column:]
    return b"".join(found).decode()


def shortened(text: str) -> str:
    """Return a text of at most so many characters as are shown: of a long left side the beginning, and what follows."""
    if len(text) <= LONGEST:
        return text
    left = re.match(r"(.*?)( (?:[-+*/@%&|^]|\*\*|//|>>|<<)?= )", text)
    if left and len(left[1]) > LONGEST // 2:
        text = f"{left[1][: LONGEST // 2 - 4]} ...{text[left.end(1) :]}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4].rstrip()} ..."


def _shown(file: str) -> str:
    """Return a file relative to the working directory; a notebook's cell as it is called."""
    if "ipykernel" in file or file.startswith("<ipython-input"):
        return "notebook cell"
    if cell := re.fullmatch(r"<(\w+ cell) \d+>", file):
        return cell[1]
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
