"""Other values in place of an expression while a function runs: each gives what the changed code would give."""

import ast
import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from torch_ref.lines.expressions import Known
from torch_ref.lines.instead import wrapped
from torch_ref.lines.other_values import FAMILIES, expressions
from torch_ref.lines.source import Scope, scope_of

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of a root of what is negative

X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]]).double()
D = torch.tensor([[0.3, -0.7, 1.1], [2.0, -0.4, 0.9]]).double()
Q = torch.tensor([[2.0, 1.0, 0.5], [-1.0, 3.0, 2.5], [0.5, -2.0, 1.5]]).double()
KNOWN = Known({"d": D, "x": X, "q": Q}, frozenset({"d"}), frozenset({"x", "q"}), "x")


def tree_of(function: Any) -> Scope:
    code = function.__code__
    scope = copy.deepcopy(scope_of(code))
    assert scope is not None
    return scope


def changes(function: Callable[..., Any], *inputs: Any) -> dict[tuple[str, str], tuple[str, Any]]:
    """Return by old and new text the code of each change, and what the function gives with it."""
    scope, found = tree_of(function), dict[tuple[str, str], tuple[str, Any]]()
    texts = expressions(scope)
    for one in wrapped(function, scope, KNOWN, lambda statement: True):
        assert torch.equal(torch.as_tensor(one.function(*inputs)), torch.as_tensor(function(*inputs)))
        for family in FAMILIES:
            for other in family(one, texts):
                one.hook.change = other.change
                mend = one.mend(other)
                try:
                    found.setdefault((one.place.text, other.text), (mend.code, one.function(*inputs)))
                except Exception:  # of a change that does not fit
                    continue
                finally:
                    one.hook.change = None
    return found


def backward(d: Tensor, x: Tensor, q: Tensor) -> Tensor:
    n, s = 4, torch.sigmoid(x)
    rows = x.sum(1)
    return d * s + rows.sum() / n


EXPECTED = [
    ("d", "-d", "wrong-sign"),
    ("d", "d * 2", "factor"),
    ("d", "d * 0.5", "factor"),
    ("d", "x", "another-tensor"),
    ("s", "d", "another-tensor"),
    ("d", "d * x", "input-missing"),
    ("s", "s * d", "upstream-missing"),
    ("d", "d * (1 - s)", "term-missing"),
    ("s", "s / x", "input-missing"),
    ("d", "d + x", "part-missing"),
    ("d", "d - s", "part-missing"),
    ("d", "d @ q", "weights-missing"),
    ("d", "d * n", "factor"),
    ("s", "1 - s", "term-missing"),
    ("s", "s ** 2", "wrong-power"),
    ("s", "s ** -1", "wrong-power"),
    ("d", "abs(d)", "weights-without-sign"),
    ("d", "sign(d)", "sign-alone"),
    ("s", "log(s)", "wrong-logarithm"),
    ("x", "x * 2", "wrong-argument"),
    ("n", "s", "wrong-divisor"),
    ("s", "torch.sigmoid(x)", None),
    ("d", "d * (torch.sigmoid(x))", "term-missing"),
]


@pytest.mark.parametrize(("old", "new", "code"), EXPECTED, ids=[f"{a} -> {b}" for a, b, _ in EXPECTED])
def test_a_change_gives_what_its_text_gives(old: str, new: str, code: str | None) -> None:
    found = changes(backward, D, X, Q)
    if code is None:
        assert (old, new) in found  # the same value: it is tried, and changes nothing
        return
    s = torch.sigmoid(X)
    variables = {"d": D, "x": X, "q": Q, "s": s, "n": 4, "torch": torch, "sign": torch.sign, "log": torch.log}
    lines = {"d": "({}) * s + x.sum(1).sum() / n", "s": "d * ({}) + x.sum(1).sum() / n"}
    lines |= {"x": "d * torch.sigmoid({}) + x.sum(1).sum() / n", "n": "d * s + x.sum(1).sum() / ({})"}
    expected = eval(lines[old].format(new), {"abs": abs}, variables)
    assert found[old, new][0] == code
    assert torch.allclose(found[old, new][1], expected, rtol=1e-12, atol=0)


def test_a_square_matrix_is_transposed() -> None:
    def product(d: Tensor, q: Tensor) -> Tensor:
        return d @ q

    found = changes(product, D, Q)
    assert found["q", "q.T"][0] == "transposed-weights"
    assert torch.equal(found["q", "q.T"][1], D @ Q.T)
    assert torch.equal(found["q", "q.mT"][1], D @ Q.T)


def test_a_gradient_of_the_same_shape_that_is_returned_is_another_one() -> None:
    kept: list[Tensor] = []

    def both(d: Tensor, x: Tensor) -> Tensor:
        d_a = d * x
        d_b = d + x
        kept.append(d_b)
        return d_a

    code, value = changes(both, D, X)["d_a", "d_b"]
    assert code == "another-gradient"
    assert torch.equal(value, D + X)


def test_a_mask_is_reversed_and_what_is_compared_makes_a_mask() -> None:
    def cut(d: Tensor, x: Tensor) -> Tensor:
        on = x > 0
        return d * on

    found = changes(cut, D, X)
    assert found["on", "~on"][0] == "wrong-mask"
    assert torch.equal(found["on", "~on"][1], D * (X <= 0))
    assert found["x", "abs(x)"][0] == "wrong-mask"


def test_in_a_loop_the_variables_are_those_of_each_round() -> None:
    def loop(d: Tensor, x: Tensor) -> Tensor:
        total = torch.zeros_like(d)
        for i in range(3):
            step = x * i
            assert step.shape == d.shape
            total = total + d
        return total

    found = changes(loop, D, X)
    assert torch.equal(found["d", "d * step"][1], D * (X * 0) + D * (X * 1) + D * (X * 2))


def test_numbers_take_the_place_of_numbers() -> None:
    class Layer:
        stride = 2

    layer = Layer()

    def window(d: Tensor) -> Tensor:
        i, end = 1, 3
        assert layer.stride == 2
        return d[:, i:end]

    found = changes(window, D)
    assert found["i", "end"][0] == "shifted"
    assert torch.equal(found["i", "i * layer.stride"][1], D[:, 2:3])


def test_arrays_of_numpy() -> None:
    def of_arrays(d: np.ndarray, x: np.ndarray) -> np.ndarray:
        return d * x

    found = changes(of_arrays, D.numpy(), X.numpy())
    assert np.array_equal(found["x", "abs(x)"][1], D.numpy() * np.abs(X.numpy()))
    assert np.array_equal(found["d", "d * x"][1], D.numpy() * X.numpy() ** 2)


def test_the_tree_of_the_function_stays_as_it_was() -> None:
    scope = tree_of(backward)
    before = ast.dump(scope, include_attributes=True)
    assert len([*wrapped(backward, scope, KNOWN, lambda statement: True)]) > 5
    assert ast.dump(scope, include_attributes=True) == before
