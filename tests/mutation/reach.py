"""Which tests reach which code: one run of the tests on the source as it is, with a mark in every block of it.

A mutant need not meet a test that never comes near it. Those that do come in the order of how much else they reach:
a test of one function says more about it, in less time, than a trial of everything.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import pytest

MARK = "__reached__"
"""The name, among Python's own, of what a mark calls."""

Block = tuple[str, int]
"""A file and the line of the first statement."""


@dataclass(frozen=True)
class Span:
    """The lines that a block stands in; those of a function begin with its `def`, for the defaults."""

    block: Block
    first: int
    last: int


def spans(file: str, source: str) -> list[Span]:
    """Return every block of the functions of a file; what is done when the file is imported is in none."""
    return [span for span, _ in blocks(file, ast.parse(source), inside=False)]


def marked(file: str, source: str) -> ast.Module:
    """Return the source with a mark at the beginning of every block, as a syntax tree: its lines are what they were."""
    tree = ast.parse(source)
    for span, statements in list(blocks(file, tree, inside=False)):
        call = ast.parse(f"{MARK}({span.block!r})").body[0]
        for node in ast.walk(call):
            ast.copy_location(node, statements[0])
        after_docstring = len(statements) > 1 and is_docstring(statements[0])
        statements.insert(int(after_docstring), call)
    return ast.fix_missing_locations(tree)


def is_docstring(statement: ast.stmt) -> bool:
    """Tell whether a statement is a text alone."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def blocks(file: str, node: ast.AST, inside: bool) -> Iterator[tuple[Span, list[ast.stmt]]]:
    """Yield the blocks in a node with their statements, those in functions only."""
    is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        if (inside or is_function) and name in ("body", "orelse", "finalbody") and isinstance(value, list) and value:
            first = node.lineno if isinstance(node, ast.stmt) and is_function else value[0].lineno
            yield Span((file, value[0].lineno), first, value[-1].end_lineno or first), value
        for child in children:
            if isinstance(child, ast.AST):
                yield from blocks(file, child, inside or is_function)


@dataclass
class Reached:
    """Which tests reach which block, and how long each took. As a plugin of pytest it takes notice of that itself."""

    tests: dict[Block, set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, float] = field(default_factory=dict)
    _now: set[Block] = field(default_factory=set)

    def pytest_configure(self) -> None:
        """Let the marks be heard."""
        setattr(builtins, MARK, self._now.add)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note what a test reaches, with its set-up."""
        self._now.clear()
        try:
            return (yield)  # type: ignore[return-value]
        finally:
            for block in self._now:
                self.tests[block].add(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how long a test took."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration

    def __add__(self, other: Reached) -> Reached:
        """Return what the tests of both reach."""
        both = Reached(seconds=self.seconds | other.seconds)
        for found in (self, other):
            for block, tests in found.tests.items():
                both.tests[block] |= tests
        return both

    def plain(self) -> Reached:
        """Return it without functions, so that it can be sent to another process."""
        return Reached(dict(self.tests), self.seconds)

    def cost(self, test: str) -> float:
        """Return its seconds times the blocks that it reaches: the fewer, the more it says about each."""
        return self._breadth[test] * (0.01 + self.seconds[test])

    @cached_property
    def _breadth(self) -> Counter[str]:
        return Counter(test for tests in self.tests.values() for test in tests)
