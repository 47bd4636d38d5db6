"""Mutants: a file of the package with one edit in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from mutation.functions import PACKAGE, Function, functions
from mutation.operators import OPERATORS


@dataclass(frozen=True)
class Mutant:
    """One edit: where, what, and the file's whole source with it."""

    file: str
    line: int
    function: str
    change: str
    source: str

    @property
    def name(self) -> str:
        """Return it as it is shown: 'linear.py:67 delta -> -delta'."""
        return f"{self.file}:{self.line} {self.change}"

    @property
    def key(self) -> str:
        """Return a name that other lines above it do not change: 'linear.py Linear.backward: delta -> -delta'."""
        return f"{self.file} {self.function}: {self.change}"


def mutants(file: str) -> list[Mutant]:
    """Return every mutant of a file of the package, in the order of its source."""
    source = (PACKAGE / file).read_text(encoding="utf-8")
    found: dict[str, Mutant] = {}
    for function in functions(file, source):
        for mutant in mutants_of(function, source):
            found.setdefault(mutant.source, mutant)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def mutants_of(function: Function, source: str) -> Iterator[Mutant]:
    """Yield the mutants of one function: what each operator makes of each node."""
    for node in function.nodes():
        for operator in OPERATORS:
            for place, text in operator(node, function):
                if ast.unparse(place) != text:
                    change = f"{ast.unparse(place)} -> {text}"
                    mutated = edited(source, place, text)
                    yield Mutant(function.file, place.lineno, function.name, change, mutated)


def edited(source: str, node: ast.expr | ast.stmt, text: str) -> str:
    """Return the source with the text in the node's place; the syntax tree counts in bytes."""
    lines = source.encode().splitlines(keepends=True)
    first, last = lines[node.lineno - 1], lines[(node.end_lineno or node.lineno) - 1]
    before = b"".join(lines[: node.lineno - 1]) + first[: node.col_offset]
    after = last[node.end_col_offset :] + b"".join(lines[node.end_lineno :])
    put = text if isinstance(node, ast.stmt) else f"({text})"
    return (before + put.encode() + after).decode()
