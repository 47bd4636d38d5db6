"""Mistakes undone: of each wrong line the right one is among its mends, under the code of the mistake."""

import ast
from collections.abc import Iterator

import pytest
import torch

from torch_ref.lines.expressions import Known, Mend, told_apart
from torch_ref.lines.mends import mends
from torch_ref.lines.source import Scope

VALUES = {"d": torch.zeros(3, 4), "x": torch.zeros(3, 4), "w": torch.zeros(4, 4), "n": 3, "k": 2, "t": 1}
KNOWN = Known(VALUES, frozenset({"d"}), frozenset({"x", "w"}), "x")


def scope_of_line(line: str) -> Scope:
    body = "\n".join(f"    {one}" for one in line.splitlines())
    scope = ast.parse(f"def backward(d, x, w):\n{body}").body[0]
    assert isinstance(scope, ast.FunctionDef)
    return scope


def looked_at(line: str) -> Iterator[tuple[str, Mend]]:
    """Yield what the line is while each of its mends is looked at, with the mend."""
    scope = scope_of_line(line)
    for mend in mends(scope, KNOWN, lambda one: True):
        yield "\n".join(map(ast.unparse, scope.body)), mend  # type: ignore[union-attr]


MISTAKES = [
    # wrong, right, code
    ("d_x = d + x", "d_x = d - x", "plus-for-minus"),
    ("d_x = d + (1 - x)", "d_x = d * (1 - x)", "slope-added"),
    ("d_x = d / x", "d_x = d * x", "slope-divided"),
    ("d_x = d * x", "d_x = d / x", "wrong-power"),
    ("d_x = d * n", "d_x = d / n", "factor"),
    ("d_x = x - d", "d_x = d - x", "wrong-sign"),
    ("d_x = d * (x < 0)", "d_x = d * (x > 0)", "wrong-mask"),
    ("d_x = d * (x >= 0)", "d_x = d * (x > 0)", "wrong-mask"),
    ("d_x = d * (x == 0)", "d_x = d * (x != 0)", "wrong-mask"),
    ("d_x = d * (x > 1)", "d_x = d * (x > 0)", "wrong-mask"),
    ("d_x = -d", "d_x = d", "wrong-sign"),
    ("d_x = d * ~m", "d_x = d * m", "wrong-mask"),
    ("d_x = d * x * x", "d_x = d * x", "input-too-often"),
    ("d_x = d * x * d", "d_x = d * x", "upstream-twice"),
    ("d_x = s * x * s", "d_x = s * x", "wrong-power"),
    ("d_x = s * m", "d_x = s", "another-tensor"),
    ("d_x = s / m", "d_x = s", "slope-divided"),
    ("d_x = 2 * d", "d_x = d", "factor"),
    ("d_x = d * len(x)", "d_x = d", "factor"),
    ("d_x = d / x.shape[0]", "d_x = d", "factor"),
    ("d_x = s + m", "d_x = s", "part-twice"),
    ("d_x = s + 1", "d_x = s", "constant-added"),
    ("d_w = s + 0.1 * w", "d_w = s", "weight-decay"),
    ("d_x = d @ (w - 0.1 * g)", "d_x = d @ w", "stale-weights"),
    ("d_x = d * x ** 2", "d_x = d * x", "wrong-power"),
    ("d_x = d * x ** 3", "d_x = d * x ** 2", "wrong-power"),
    ("d_x = 2 * d", "d_x = 4 * d", "factor"),
    ("d_x = 0.3 * d", "d_x = 0.7 * d", "factor"),
    ("d_x = d * (2 - x)", "d_x = d * (1 - x)", "slope-miswritten"),
    ("d_x = d.sum(0)", "d_x = d.sum(1)", "another-axis"),
    ("d_x = d.sum(dim=0)", "d_x = d.sum(dim=-1)", "another-axis"),
    ("d_x = d.sum()", "d_x = d.sum(0)", "another-axis"),
    ("d_x = d.sum()", "d_x = d.sum(1, keepdim=True)", "another-axis"),
    ("d_x = d.flip(0)", "d_x = d.flip(1)", "shifted"),
    ("d_x = d.roll(1, 0)", "d_x = d", "shifted"),
    ("d_x = d.mean(0)", "d_x = d.sum(0)", "mean-for-sum"),
    ("d_x = d.argmax(0)", "d_x = d.argmin(0)", "wrong-mask"),
    ("d_x = d * x.sin()", "d_x = d * x.cos()", "slope-of-another-function"),
    ("d_x = d @ w.T", "d_x = d @ w", "transposed-weights"),
    ("d_x = g.T", "d_x = g", "transposed"),
    ("d_x = d @ w.abs()", "d_x = d @ w", "weights-without-sign"),
    ("d_x = torch.tanh(h)", "d_x = h", "applied-twice"),
    ("d_x = s.clamp(0, 1)", "d_x = s", "another-expression"),
    ("d_x = g[:1]", "d_x = g", "one-sample"),
    ("d_x = d[:, 1]", "d_x = d.sum(1)", "step-missing"),
    ("d_x = d[0]", "d_x = d.sum(0)", "step-missing"),
    ("d_x = d[1:]", "d_x = d[:-1]", "shifted"),
    ("d_x = d[:-1]", "d_x = d[1:]", "shifted"),
    ("d_x = d[:, :-2, :-2]", "d_x = d[:, 1:-1, 1:-1]", "shifted"),
    ("d_x = g[t]", "d_x = g[t - 1]", "shifted"),
    ("d_x = g[t - 1]", "d_x = g[t]", "shifted"),
    ("d_x = g[t - 2]", "d_x = g[t - 1]", "shifted"),
    ("d_x[-1 - t] = g", "d_x[t] = g", "shifted"),
    ("d_x = pad(d[:-1], (1, 0))", "d_x = pad(d[1:], (0, 1))", "shifted"),
    ("d_x = pad(d[:, 2:], (0, 2, 0, 0))", "d_x = pad(d[:, :-2], (2, 0, 0, 0))", "shifted"),
    ("d_x = np.pad(d[1:], ((0, 1), (0, 0)))", "d_x = np.pad(d[:-1], ((1, 0), (0, 0)))", "shifted"),
    ("d_x = torch.cat([z, d[:-1]], 0)", "d_x = torch.cat([d[1:], z], 0)", "shifted"),
    ("d_x = torch.cat([d[1:], z], 0)", "d_x = torch.cat([z, d[:-1]], 0)", "shifted"),
    ("d_x[t] = g", "d_x[t] += g", "duplicates-overwritten"),
    ("d_x = g", "d_x += g", "part-missing"),
    ("d_x += g", "d_x = g", "part-twice"),
    ("d_x += g", "d_x -= g", "plus-for-minus"),
    ("d_x[-1] = 0", "d_x[-1] += 0", "zero-rows"),
    ("d_x = d @ x.T + x @ d.T", "d_x = x @ x.T + d @ d.T", "swapped"),
    ("d_x = torch.cat([g, h], 1)", "d_x = torch.cat([h, g], 1)", "swapped"),
    ("d_w = f(d[:, t:], x[:, :t])", "d_w = f(d[:, :t], x[:, t:])", "swapped"),
    ("a = 0.3 * d\nb = 0.7 * x", "a = 0.7 * d\nb = 0.3 * x", "swapped"),
    ("d_x = torch.exp(2 * x)", "d_x = torch.exp(x)", "wrong-argument"),
    ("d_x = torch.sigmoid(-x)", "d_x = torch.sigmoid(x)", "wrong-argument"),
    ("d_x = x.std(0, correction=0)", "d_x = x.std(0, correction=1)", "another-expression"),
    ("if n > 2:\n    d_x = d", "if n < 2:\n    d_x = d", "wrong-mask"),
    ("for i in range(1, n):\n    d_x[i] = d", "for i in range(0, n):\n    d_x[i] = d", "another-expression"),
]


@pytest.mark.parametrize(("wrong", "right", "code"), MISTAKES, ids=[f"{a} -> {b}" for a, b, _ in MISTAKES])
def test_a_mistake_is_undone_under_its_code(wrong: str, right: str, code: str) -> None:
    expected = ast.unparse(ast.parse(right))
    assert code in {mend.code for line, mend in looked_at(wrong) if line == expected}


def test_a_comparison_is_turned_round_before_a_difference_is() -> None:
    right = ["r = t - y\nd_y = d * (r > 0)", "r = y - t\nd_y = d * (r < 0)"]
    lines = [line for line, _ in looked_at("r = t - y\nd_y = d * (r < 0)")]
    assert lines.index(right[0]) < lines.index(right[1])


def test_a_tree_is_as_it_was_after_each_mend() -> None:
    loop = "for i in range(n):\n    g[i] += torch.cat([a, x.T @ d], 1)[:, i]"
    lines = f"a = d.sum(0) * (x[1:] - 1) / n\n{loop}\nreturn (g, a)"
    scope = scope_of_line(lines)
    before = ast.dump(scope, include_attributes=True)
    found = [*mends(scope, KNOWN, lambda one: True)]
    assert len(found) > 40
    assert ast.dump(scope, include_attributes=True) == before


def test_a_mend_that_is_left_in_the_middle_puts_the_tree_back() -> None:
    scope = scope_of_line("d_x = d + x")
    looking = mends(scope, KNOWN, lambda one: True)
    next(looking)
    looking.close()  # type: ignore[attr-defined]
    assert ast.unparse(scope.body[0]) == "d_x = d + x"  # type: ignore[union-attr]


def test_a_mend_says_what_stood_there_and_in_which_line() -> None:
    found = {mend for _, mend in looked_at("s = d\nd_x = g[t]")}
    assert Mend("shifted", "g[t]", "g[t - 1]", 3) in found  # with what is around a single letter
    assert all(mend.old != mend.new for mend in found)


def test_of_long_codes_what_differs_is_shown() -> None:
    long = "mu + a[users] + b[items] + (p[users] * q[items]).sum(1) - residual"
    assert told_apart(long, f"({long}) * 2") == (
        "mu + a[users] + ... (1) - residual",
        "(mu + a[users] + ... (1) - residual) * 2",
    )
    old, new = (f"first_name + other_name_of_it * {sign}third_name_of_them / fourth_name_of_all" for sign in ("", "-"))
    assert told_apart(old, new) == (
        "first_name + other_name_of_it * third_name_of_them ... fourth_name_of_all",
        "first_name + other_name_of_it * -third_name_of_them ... fourth_name_of_all",
    )
    assert told_apart("a * b", "a + b") == ("a * b", "a + b")


def test_only_what_is_suspected_is_changed() -> None:
    scope = scope_of_line("a = d + 1\nb = d + 2")
    second = scope.body[1]  # type: ignore[index]
    assert {mend.line for mend in mends(scope, KNOWN, lambda one: one is second)} == {3}


def test_large_numbers_and_what_is_written_into_stay() -> None:
    changed = {line for line, _ in looked_at("d[0] = x * 1000")}
    assert "d[0] = x * 2000" not in changed
    assert all(line.startswith(("d[", "d = ", "d[0]")) for line in changed)
    assert not any(line.startswith(("x[", "w[")) for line in changed)
