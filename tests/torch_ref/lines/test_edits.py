"""Small changes of one statement."""

import ast
from collections.abc import Sequence

import pytest

from torch_ref.lines.edits import changed, completed


def alike(name: str) -> Sequence[str]:
    return {"x": ["y"], "": ["N"]}.get(name, [])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("d = a - b", "d = a + b"),
        ("d = a * b", "d = a + b"),
        ("d = a / b", "d = a * b"),
        ("d = a", "d = a * b"),
        ("d = b", "d = a + b"),
        ("d -= 1", "d += 1"),
        ("d = a", "d = -a"),
        ("d = a**2", "d = a**3"),
        ("d = a.sum(0)", "d = a.mean(0)"),
        ("d = a.sum(1)", "d = a.sum(0)"),
        ("d = W", "d = W.T"),
        ("d = p", "d = exp(p)"),
        ("d[h < 0] = 0", "d[h > 0] = 0"),
        ("return y + 1", "return x + 1"),
    ],
)
def test_a_part_that_is_wrong_is_changed(right: str, wrong: str) -> None:
    assert ast.unparse(ast.parse(right)) in [ast.unparse(one) for one in changed(ast.parse(wrong).body[0], alike)]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("d = -a", "d = a"), ("d = a / N", "d = a"), ("d = a + N", "d = a"), ("d = a * 2", "d = a"), ("d += a", "d = a")],
)
def test_a_part_that_is_missing_is_put_in(right: str, wrong: str) -> None:
    assert right in [ast.unparse(one) for one in completed(ast.parse(wrong).body[0], alike)]


def test_a_statement_stays_where_it_is_and_as_it_is() -> None:
    statement = ast.parse("\n\nd = a.T @ (x - 1)").body[0]
    found = [*changed(statement, alike), *completed(statement, alike)]
    assert {one.lineno for one in found} == {3}
    assert ast.unparse(statement) == "d = a.T @ (x - 1)"
