"""The program that the cells of a notebook make: of all that was run, what the classes to be graded reach.

Of a name that several cells define, the last definition counts, as it does in the notebook. What the classes do not
reach is left out: a plot, a line for the shell, a cell that raises.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch_ref.grade.by_class import Statement, statements_of

FILE = "cells.py"
"""The name under which the program is graded."""

MAGIC = re.compile(r"\s*(\w+\s*=\s*)?[%!]|.*\?\s*$|\s*\?")
"""A line that is no Python: %magic, !shell, files = !ls, help?"""


@dataclass(frozen=True)
class Program:
    """Its text, and for each line of it the cell and the line there, both from 1."""

    text: str
    origin: tuple[tuple[int, int], ...]

    def placed(self, told: str) -> str:
        """Return what the grader says with cells in the place of lines of the program."""

        def place(found: re.Match[str]) -> str:
            line = int(found[1])
            cell = self.origin[line - 1] if 0 < line <= len(self.origin) else (0, 0)
            return f"cell {cell[0]}, line {cell[1]}" if cell[0] else found[0]

        return re.sub(rf"\b{re.escape(FILE)}:(\d+)", place, told)


def program(cells: Sequence[str], classes: Iterable[str]) -> Program:
    """Return the program of these classes; it lacks those that no cell defines."""
    run = [(i, cell.split("\n"), _statements(cell)) for i, cell in enumerate(map(without_magics, cells))]
    kept = _reached([(i, s) for i, _, found in run for s in found], set(classes))
    lines, origin = list[str](), list[tuple[int, int]]()
    for future in (True, False):  # which Python wants first
        for i, text, found in run:
            for s in dict.fromkeys(s.node for s in found if id(s) in kept and _is_future(s.node) is future):
                first = min([s.lineno, *(d.lineno for d in getattr(s, "decorator_list", []))])
                numbers = [n for n in range(first, (s.end_lineno or first) + 1) if (i + 1, n) not in origin]
                lines += [text[n - 1] for n in numbers]
                origin += [(i + 1, n) for n in numbers]
    return Program("".join(f"{line}\n" for line in lines), tuple(origin))


def defined(cell: str, names: Iterable[str]) -> list[str]:
    """Return those of the names that a cell defines as classes."""
    own = {s.node.name for s in _statements(without_magics(cell)) if isinstance(s.node, ast.ClassDef)}
    return [name for name in names if name in own]


def without_magics(cell: str) -> str:
    """Return a cell with empty lines in the place of magics and lines for the shell."""
    cell = re.sub(r"^\s*%%.*", "", cell)
    if _parsed(cell) is not None:  # a line that begins with % may be the rest of a formula
        return cell
    return "\n".join("" if MAGIC.match(line) else line for line in cell.split("\n"))


def _statements(cell: str) -> list[Statement]:
    tree = _parsed(cell)
    return statements_of(tree) if tree else []


def _parsed(cell: str) -> ast.Module | None:
    """Return the tree of a cell; None of one that is no Python, in which there is nothing to reach."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(cell)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _reached(run: Sequence[tuple[int, Statement]], names: set[str]) -> set[int]:
    """Return the identities of the statements that names reach, by themselves or through others."""
    kept, seen = {id(s) for _, s in run if _is_future(s.node)}, set[str]()
    while names:
        seen |= names
        found = [s for name in names for s in _meaning(name, run)]
        kept |= {id(s) for s in found}
        names = {used for s in found for used in s.uses | s.binds} - seen
    return kept


def _meaning(name: str, run: Sequence[tuple[int, Statement]]) -> list[Statement]:
    """Return what gives a name its meaning: in the last cell that defines it, and what changes it later."""
    of_name = [(i, s) for i, s in run if name in s.binds]
    last = max((i for i, s in of_name if _defines(s.node, name)), default=-1)
    return [s for i, s in of_name if i >= last]


def _defines(node: ast.stmt, name: str) -> bool:
    """Tell whether a statement gives a name a new meaning, whatever it had: a class, a function, an import, x = 1."""
    match node:
        case ast.ClassDef() | ast.FunctionDef() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Assign(targets=targets):
            names = [n for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            return any(n.id == name and isinstance(n.ctx, ast.Store) for n in names)
        case ast.AnnAssign(target=ast.Name(id=target), value=value):
            return target == name and value is not None
    return False


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"
