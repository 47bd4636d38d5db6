"""Which statements feed which part of what a function returns."""

import ast

from torch_ref.lines.feeding import feeding, suspects
from torch_ref.lines.source import Scope


def scope_of_body(body: str) -> Scope:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    scope = ast.parse(f"def backward(d, x, w):\n{lines}").body[0]
    assert isinstance(scope, ast.FunctionDef)
    return scope


def lines_of(body: str) -> list[set[int]]:
    """Return for each part that is returned the lines, from 1, of the statements that feed it."""
    parts = feeding(scope_of_body(body))
    assert parts is not None
    return [{one.lineno - 1 for one in part if isinstance(one, ast.stmt)} for part in parts]


def test_what_a_part_reads_and_what_that_reads() -> None:
    assert lines_of("a = d * x\nb = d * w\nc = a + 1\nreturn c, b") == [{1, 3}, {2}]


def test_what_is_written_into() -> None:
    body = "g = new(x)\ng[0] = d\ng += w\ng.add_(x)\nother(g, out=h)\nreturn g, h"
    assert lines_of(body)[0] == {1, 2, 3, 4}
    assert 5 in lines_of(body)[1]


def test_the_loops_and_conditions_around_a_statement_feed_it_too() -> None:
    assert lines_of("n = len(x)\ng = 0\nfor i in range(n):\n    if w[i]:\n        g = g + d\nreturn g, n") == [
        {1, 2, 3, 4, 5},
        {1},
    ]


def test_several_names_at_once() -> None:
    assert lines_of("a, (b, *c) = f(d)\ne = c\nreturn a, e") == [{1}, {1, 2}]


def test_what_feeds_all_that_is_wrong_and_nothing_that_is_right() -> None:
    scope = scope_of_body("a = d * x\nb = a * w\nc = a + b\nreturn a, b, c")
    parts = feeding(scope)
    assert parts is not None
    found = suspects(parts, wrong=[1, 2], right=[0])
    assert {ast.unparse(one) for one in found} == {"b = a * w"}
    assert suspects(parts, wrong=[], right=[0]) == frozenset()


def test_what_is_returned_otherwise_is_not_told_apart() -> None:
    assert feeding(scope_of_body("return d")) is None
    assert feeding(scope_of_body("return {'x': d}")) is None
    assert feeding(scope_of_body("if d:\n    return d, x\nreturn x, d")) is None
