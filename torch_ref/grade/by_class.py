"""What a student's file may not use, class by class, and the file without it.

A forbidden line costs the classes that reach it, by themselves or through a function, a class or a name of the same
file. Nobody pays for what no graded class reaches: a self-test with autograd, a plot, an import that is not used. Such
statements are left out of what is run, and so is everything under ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy
import torch

from torch_ref.grade.forbidden import Violation
from torch_ref.grade.students_rules import own_attributes, violations_of

WHOLE = {"torch": torch, "numpy": numpy}
"""What ``from … import *`` can stand for."""


@dataclass(frozen=True)
class Statement:
    """One statement at the top level of a file; of an import, one name."""

    node: ast.stmt
    """As it stands in the file."""
    alone: ast.stmt
    """Of an import, the one name alone; else the same."""
    binds: frozenset[str]
    """The names that it gives a meaning, or changes."""
    uses: frozenset[str]
    """The names of the file that it reads, anywhere inside."""
    found: tuple[Violation, ...]
    """What it uses that is forbidden."""


@dataclass(frozen=True)
class Checked:
    """A file as it may be run, and what its classes reach."""

    source: str
    refused: dict[str, list[Violation]]
    """By class: what it uses that is forbidden."""
    modules: dict[str, set[str]]
    """By class: the modules that it uses."""
    imported: frozenset[str] = frozenset()
    """The modules that the file imports at its top level."""


def checked(source: str, tree: ast.Module, classes: Iterable[str]) -> Checked:
    """Return the file without what is forbidden, and the classes that reach it."""
    statements = statements_of(tree)
    tainted = _tainted(statements)
    dropped = [s for s in statements if s.found or s.uses & tainted.keys()]
    modules = {name: _modules(name, statements) for name in classes}
    refused = {name: tainted[name] for name in classes if name in tainted}
    imported = frozenset().union(*map(_imported, statements))
    return Checked(_without(source, tree, statements, dropped), refused, modules, imported)


def statements_of(tree: ast.Module) -> list[Statement]:
    """Return the statements at the top level of a file, but for those that run only where it is run by itself."""
    own, aliases = own_attributes(tree), dict(_aliases(tree))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found = []
    for node in tree.body:
        if is_main_guard(node):
            continue
        for alone in _names_apart(node, used):
            binds, uses = _names(alone)
            wrong = violations_of(alone, own, aliases)
            match alone:
                case ast.Import(names=[ast.alias(name=name, asname=None)]) if "." in name:
                    binds = set()  # import torch.nn gives no meaning but to torch
            found.append(Statement(node, alone, frozenset(binds), frozenset(uses), tuple(wrong)))
    return found


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names under which modules are imported, each with the module's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((a.asname or a.name, f"{node.module}.{a.name}") for a in node.names if node.module == "torch")


def _names_apart(node: ast.stmt, used: set[str]) -> Iterator[ast.stmt]:
    """Yield an import name by name, and any other statement as it is."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        yield node
        return
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield ast.copy_location(ast.Import([alias]), node)
            continue
        of = WHOLE.get(node.module or "")
        every = [ast.alias(n) for n in of.__all__ if n in used] if of and alias.name == "*" else [alias]
        for one in every:
            yield ast.copy_location(ast.ImportFrom(node.module, [one], node.level), node)


def _names(node: ast.stmt) -> tuple[set[str], set[str]]:
    """Return the names that a statement binds at the top level of its file, and those of the file that it reads."""
    table = symtable.symtable(ast.unparse(node), "?", "exec")
    binds = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    uses = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    inner = [*table.get_children()]
    while inner:
        scope = inner.pop()
        inner += scope.get_children()
        uses |= {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()}
        binds |= {s.get_name() for s in scope.get_symbols() if s.is_declared_global() and s.is_assigned()}
    return binds | _changed(node), uses


def _changed(node: ast.stmt) -> set[str]:
    """Return the names whose attributes or entries a statement at the top level sets: Sigmoid.backward = f."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return set()
    roots = [n.value for n in ast.walk(node) if isinstance(n, ast.Attribute | ast.Subscript) and _is_set(n)]
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and ast.unparse(n.func) == "setattr" and n.args]
    return {n.id for n in [*roots, *(call.args[0] for call in calls)] if isinstance(n, ast.Name)} - WHOLE.keys()


def _is_set(node: ast.Attribute | ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Store)


def _tainted(statements: list[Statement]) -> dict[str, list[Violation]]:
    """Return the names that lead to something forbidden, each with what that is."""
    tainted: dict[str, list[Violation]] = {}
    grown = True
    while grown:
        grown = False
        for s in statements:
            reached = [*s.found, *(v for name in sorted(s.uses) for v in tainted.get(name, ()))]
            for name in s.binds if reached else ():
                if name not in tainted:
                    tainted[name], grown = list(dict.fromkeys(reached)), True
    return tainted


def _modules(name: str, statements: list[Statement]) -> set[str]:
    """Return the modules that a name of the file reaches."""
    reached, waiting, modules = set[str](), [name], set[str]()
    while waiting:
        one = waiting.pop()
        for s in statements if one not in reached else ():
            if one in s.binds:
                waiting += s.uses
                modules |= _imported(s)
        reached.add(one)
    return modules


def _imported(s: Statement) -> set[str]:
    """Return the module that an import is of."""
    match s.alone:
        case ast.Import(names=[alias]):
            return {alias.name.partition(".")[0]}
        case ast.ImportFrom(module=str(module)):
            return {module.partition(".")[0]}
    return set()


def is_main_guard(node: ast.stmt) -> bool:
    """Tell whether a statement runs only where the file is run by itself."""
    if not isinstance(node, ast.If) or node.orelse:
        return False
    return ast.unparse(node.test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _without(source: str, tree: ast.Module, statements: list[Statement], dropped: list[Statement]) -> str:
    """Return the source without some statements; every line that is left keeps its number."""
    gone = {id(s) for s in dropped}
    texts = {id(node): "pass" for node in tree.body if is_main_guard(node)}
    for s in dropped:
        beside = [o for o in statements if o.node is s.node and id(o) not in gone]
        instead = [*(ast.unparse(o.alone) for o in beside), *_import_of_root(s.alone)]
        texts[id(s.node)] = "; ".join(dict.fromkeys(instead)) or "pass"
    lines = source.encode().splitlines(keepends=True)
    for node in reversed(tree.body):
        if id(node) in texts:
            _put(lines, node, texts[id(node)])
    return b"".join(lines).decode()


def _import_of_root(node: ast.stmt) -> list[str]:
    """Return the import of torch that is left of one of torch.nn."""
    match node:
        case ast.Import(names=[ast.alias(name=name, asname=None)]) if name.partition(".")[0] in WHOLE:
            return [f"import {name.partition('.')[0]}"]
    return []


def _put(lines: list[bytes], node: ast.stmt, text: str) -> None:
    """Put a text in the place of a statement, on as many lines."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
    last, end = (node.end_lineno or node.lineno) - 1, node.end_col_offset or 0
    before, after = lines[first][: node.col_offset], lines[last][end:]
    lines[first : last + 1] = [before + text.encode() + b"\n" * (last - first) + after]
