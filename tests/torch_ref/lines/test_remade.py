"""A function made again from its changed tree: what it captured, what it is a method of, and what it reads besides."""

import ast
from collections.abc import Callable
from typing import Any

from torch_ref.lines.remade import remade
from torch_ref.lines.source import Scope, scope_of


def tree_of(function: Any) -> Scope:
    code = getattr(function, "__func__", function).__code__
    scope = scope_of(code)
    assert scope is not None
    return scope


def with_three(function: Callable[..., Any], **further: Any) -> Callable[..., Any]:
    """Return the function with 3 for each 2 in it."""
    tree = ast.parse(ast.unparse(tree_of(function))).body[0]

    class Three(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            return ast.copy_location(ast.Constant(3), node) if node.value == 2 else node

    changed = Three().visit(tree.value if isinstance(tree, ast.Expr) else tree)
    found = remade(function, changed, further)
    assert found is not None
    return found


FACTOR = 5


def doubled(x: int, more: int = 10, *, least: int = 100) -> int:
    return 2 * x * FACTOR + more + least


def test_globals_defaults_and_the_function_itself_stay() -> None:
    assert (with_three(doubled)(1), with_three(doubled)(1, 0, least=0), doubled(1)) == (125, 15, 120)


def test_what_a_function_captured_is_there() -> None:
    a, b = 7, [11]

    def inner(x: int) -> int:
        return 2 * x + a + b[0]

    assert (with_three(inner)(1), inner(1)) == (21, 20)
    b[0] = 0
    assert with_three(inner)(1) == 10


def test_a_method_keeps_its_object() -> None:
    class Layer:
        scale = 4

        def backward(self, d: int) -> int:
            return 2 * d * self.scale

    layer = Layer()
    assert (with_three(layer.backward)(1), layer.backward(1)) == (12, 8)


def test_a_lambda_is_a_function_too() -> None:
    triple = with_three(
        lambda x: 2 * x,
    )
    assert triple(4) == 12


def test_decorators_are_not_applied_again() -> None:
    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        function.calls = 0  # type: ignore[attr-defined]
        return function

    @counted
    def backward(d: int) -> int:
        return 2 * d

    assert with_three(backward)(1) == 3


def test_variables_that_it_reads_besides() -> None:
    tree = ast.parse("def doubled(x, more=10, *, least=100):\n    return extra + x").body[0]
    assert isinstance(tree, ast.FunctionDef)
    found = remade(doubled, tree, {"extra": 40})
    assert found is not None
    assert found(2) == 42


def test_what_is_not_written_in_python_is_not_made_again() -> None:
    assert remade(len, tree_of(doubled)) is None
