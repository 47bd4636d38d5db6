"""Mutants: a file of a package with one edit in it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mutation.functions import Function
from mutation.operators import Operator
from mutation.targets import FORMULAS, Target

LONGEST = 100
"""Characters of a change that are shown as they are; of a longer one, what differs."""


@dataclass(frozen=True)
class Mutant:
    """One edit: where, what, and the file's whole source with it."""

    file: str
    line: int
    function: str
    change: str
    source: str
    again: int = 0
    """How many times the same change was made above it in the function."""

    @property
    def name(self) -> str:
        """Return it as it is shown: 'linear.py:67 delta -> -delta'."""
        return f"{self.file}:{self.line} {self.change}"

    @property
    def key(self) -> str:
        """Return a name that other lines above it do not change: 'linear.py Linear.backward: delta -> -delta'."""
        return f"{self.file} {self.function}: {self.change}" + (f" ({self.again + 1})" if self.again else "")


def mutants(file: str, target: Target = FORMULAS) -> list[Mutant]:
    """Return every mutant of a file of the target, in the order of its source."""
    source = target.source(file)
    found: dict[str, Mutant] = {}
    for function in target.functions(file, source):
        for mutant in mutants_of(function, source, target.operators):
            found.setdefault(mutant.source, mutant)
    return numbered(sorted(found.values(), key=lambda mutant: mutant.line))


def numbered(found: list[Mutant]) -> list[Mutant]:
    """Return the mutants, those of the same change in one function with their numbers: every key is another."""
    times: Counter[str] = Counter()
    for i, mutant in enumerate(found):
        found[i] = replace(mutant, again=times[mutant.key])
        times[mutant.key] += 1
    return found


def mutants_of(function: Function, source: str, operators: tuple[Operator, ...]) -> Iterator[Mutant]:
    """Yield the mutants of one function: what each operator makes of each node."""
    for node in function.nodes():
        for operator in operators:
            for place, text in operator(node, function):
                if (before := ast.unparse(place)) != text:
                    mutated = edited(source, place, text)
                    yield Mutant(function.file, place.lineno, function.name, change(before, text), mutated)


def change(before: str, after: str) -> str:
    """Return 'x -> y'; without most of what both have in common, where that is long."""
    before, after = " ".join(before.split()), " ".join(after.split())
    if len(before) + len(after) <= LONGEST:
        return f"{before} -> {after}"
    same = common(before, after)
    rest = common(before[same:][::-1], after[same:][::-1])
    start = max(0, same - 30)
    shown = [text[start : len(text) - rest] for text in (before, after)]
    return " -> ".join(f"{'…' if start else ''}{text}…" for text in shown)


def common(a: str, b: str) -> int:
    """Return how many characters two texts have in common at their beginnings."""
    return next((i for i, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b)))


def edited(source: str, node: ast.expr | ast.stmt, text: str) -> str:
    """Return the source with the text in the node's place; the syntax tree counts in bytes."""
    lines = source.encode().splitlines(keepends=True)
    first, last = lines[node.lineno - 1], lines[(node.end_lineno or node.lineno) - 1]
    before = b"".join(lines[: node.lineno - 1]) + first[: node.col_offset]
    after = last[node.end_col_offset :] + b"".join(lines[node.end_lineno :])
    put = text if isinstance(node, ast.stmt) else f"({text})"
    return (before + put.encode() + after).decode()
