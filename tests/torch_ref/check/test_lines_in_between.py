"""A value in between without a partner: its statement is accused, and those that it is computed from."""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np
import pytest

import torch_ref
from torch_ref.verdict.report import Report


def functions(text: str, name: str) -> dict[str, Any]:
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    found: dict[str, Any] = {"np": np}
    exec(compile(text, name, "exec"), found)
    return found


def report_of(text: str, wrong: tuple[str, str] | None, inputs: list[Any]) -> Report:
    if wrong:
        assert text.count(wrong[0]) == 1
        text = text.replace(*wrong)
    found = functions(text, "<program>")
    return torch_ref.check_lines(found["forward"], found.get("backward"), inputs, power=False)


def lines_of(report: Report) -> list[tuple[str, str]]:
    return [(row.source.partition(":")[2], row.others.partition(":")[2]) for row in report.guilty]


MEASURED = """
def forward(X, W1, b1, W2, b2, t):
    Z1 = np.dot(X, W1) + b1
    A1 = np.maximum(0, Z1)
    Y = np.dot(A1, W2) + b2
    return 0.5 * float(((Y - t) ** 2).sum()) / len(X), (Z1, A1, Y)
def backward(X, W1, b1, W2, b2, t, cache):
    Z1, A1, Y = cache
    dY = (Y - t) / len(X)
    dW2 = np.dot(A1.T, dY)
    db2 = np.sum(dY, axis=0)
    dA1 = np.dot(dY, W2.T)
    dA1 = dA1 * 1.0
    dZ1 = dA1 * (Z1 > 0)
    dW1 = np.dot(X.T, dZ1)
    db1 = np.sum(dZ1, axis=0)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
"""
"""Autograd cannot follow float()."""


def given() -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in ((7, 4), (4, 5), (5,), (5, 3), (3,), (7, 3))]


@pytest.mark.long(but=("wrong0", "wrong3"))
@pytest.mark.parametrize(
    ("wrong", "accused"),
    [
        (("dY = (Y - t) /", "dY = (Y + t) /"), ("9", "")),
        (("dW2 = np.dot(A1.T, dY)", "dW2 = np.dot(2 * A1.T, dY)"), ("10", "")),
        (("db2 = np.sum(dY", "db2 = np.mean(dY"), ("11", "")),
        (("dA1 = np.dot(dY, W2.T)", "dA1 = np.dot(-dY, W2.T)"), ("12", "")),
        (("dA1 = dA1 * 1.0", "dA1 = dA1 * 2.0"), ("13", "")),
        (("(Z1 > 0)", "(Z1 < 0)"), ("14", "")),
        (("dW1 = np.dot(X.T, dZ1)", "dW1 = np.dot(X.T, dZ1) / 7"), ("15", "")),
        (("db1 = np.sum(dZ1", "db1 = np.mean(dZ1"), ("16", "")),
    ],
)
@pytest.mark.long(but=1)
def test_measured_gradients_have_one_accusation_for_what_they_share(
    wrong: tuple[str, str], accused: tuple[str, str]
) -> None:
    report = report_of(MEASURED, wrong, given())
    assert "central differences" in str(report)
    assert lines_of(report) == [accused], str(report)
    assert not report.ok


@pytest.mark.long
def test_the_verdict_says_where_else_it_may_be_and_what_is_wrong_with_it() -> None:
    report = report_of(MEASURED, ("dA1 * 1.0", "np.sort(dA1) * 1.3"), given())  # two mistakes in one line
    first = report.verdict.splitlines()[0]
    assert first == (
        "Wrong: dZ1 = dA1 * (Z1 > 0), at <program>:14, or a line that it is computed from: <program>:12 to 13."
    )
    assert "Wrong because of the same lines: gradient of b1." in report.verdict
    assert [row["others"] for row in report.to_dict()["rows"] if row["blame"]] == ["<program>:12 to 13"]


def test_the_right_program_is_accepted() -> None:
    assert report_of(MEASURED, None, given()).ok


UNNAMED = """
def forward(X, W1, b1, W2):
    h = np.tanh(X @ W1 + b1)
    return np.sum((h @ W2) ** 2) / 2, (h, h @ W2)
def backward(X, W1, b1, W2, cache):
    h, y = cache
    dW2 = h.T @ y
    error1 = (y @ W2.T) * (1 - h ** 2)
    dW1 = X.T @ error1
    db1 = error1.sum(0)
    return dW1, db1, dW2
"""


@pytest.mark.long(but=2)
@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (("(1 - h ** 2)", "(1 - h)"), "8"),
        (("X.T @ error1", "X.T @ error1 * 2"), "9"),
        (("error1.sum(0)", "error1.mean(0)"), "10"),
        (("h.T @ y", "h.T @ -y"), "7"),
    ],
)
def test_of_a_chain_two_gradients_accuse_the_one_statement_that_they_share(wrong: tuple[str, str], line: str) -> None:
    X, W1, b1, W2 = given()[:4]
    report = report_of(UNNAMED, wrong, [X, W1, b1, W2])
    assert lines_of(report) == [(line, "")], str(report)


SAME_SUM = ("(y @ W2.T) * (1 - h ** 2)", "((y @ W2.T) * (1 - h ** 2))[::-1]")


def test_a_right_sum_does_not_clear_what_two_others_share() -> None:
    """Rows in another order: the bias is right all the same, what comes through the weights is not."""
    text = UNNAMED.replace("return dW1, db1, dW2", "dX = error1 @ W1.T\n    return dX, dW1, db1, dW2")
    report = report_of(text, SAME_SUM, given()[:4])
    assert lines_of(report) == [("8", "")], str(report)


SEVERAL = """
def forward(X, W, t):
    s = X @ W
    e = np.exp(s - s.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return -np.sum(np.log(p[np.arange(len(t)), t])) / len(t), (p, len(t))
def backward(X, W, t, cache):
    p, N = cache
    ds = p.copy()
    ds[np.arange(N), t] -= 1
    ds /= N
    return {"W": X.T @ ds}
"""


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    ("wrong", "accused"),
    [(("-= 1", "+= 1"), ("10", "")), (("/= N", "/= 2"), ("11", "10"))],  # no small change makes N of 2
)
def test_of_several_statements_of_one_gradient_all_that_may_be_wrong_are_named(
    wrong: tuple[str, str], accused: tuple[str, str]
) -> None:
    X, W = given()[:2]
    report = report_of(SEVERAL, wrong, [X, W, np.arange(7) % 5])
    assert lines_of(report) == [accused], str(report)


LOOP = """
def forward(xs, Wx, Wh, bh):
    a, states, h = np.zeros((len(xs), len(bh))), [], np.zeros(len(bh))
    for t in range(len(xs)):
        a[t] = h = np.tanh(Wx @ xs[t] + Wh @ h + bh)
    return a, (a, xs)
def cell(dh, h):
    return dh * (1 - h * h)
def backward(da, cache, xs, Wx, Wh, bh):
    a, xs = cache
    dWx, dWh, dbh = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(bh)
    dnext = np.zeros_like(bh)
    for t in reversed(range(len(xs))):
        dz = cell(da[t] + dnext, a[t])
        dWx += np.outer(dz, xs[t])
        dbh += dz
        dWh += np.outer(dz, a[t - 1] if t else 0 * dz)
        dnext = Wh.T @ dz
    return {"dWx": dWx, "dWh": dWh, "dbh": dbh}
"""


def test_a_loop_that_autograd_cannot_follow_has_one_accusation() -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=shape) for shape in ((5, 3), (4, 3), (4, 4), (4,))]
    text = LOOP
    assert report_of(text, None, inputs).ok
    assert lines_of(report_of(text, ("da[t] + dnext", "da[t]"), inputs)) == [("14", "")]
    assert lines_of(report_of(text, ("np.outer(dz, xs[t])", "np.outer(dz, -xs[t])"), inputs)) == [("15", "")]


DICT = """
def forward(X, p):
    c = {"A0": X}
    for l in (1, 2, 3):
        c["Z" + str(l)] = c["A" + str(l - 1)] @ p["W" + str(l)]
        c["A" + str(l)] = np.tanh(c["Z" + str(l)])
    return np.sum(c["A3"] ** 2) / 2, c
def backward(X, p, c):
    g = {}
    dA = c["A3"]
    for l in (3, 2, 1):
        g["dZ" + str(l)] = dA * (1 - c["A" + str(l)] ** 2)
        g["dW" + str(l)] = c["A" + str(l - 1)].T @ g["dZ" + str(l)]
        dA = g["dZ" + str(l)] @ p["W" + str(l)].T
    return g
"""


@pytest.mark.long(but=("wrong2",))
@pytest.mark.parametrize(
    ("wrong", "accused"),
    [
        (("** 2)\n        g[", "** 1)\n        g["), ("12", "")),
        (("= c['A' + str(l - 1)].T @", "= -c['A' + str(l - 1)].T @"), ("13", "")),
        (("].T\n", "].T * 2\n"), ("14", "")),
    ],
)
def test_a_statement_of_a_loop_is_accused_once(wrong: tuple[str, str], accused: tuple[str, str]) -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(6, 4)), {f"W{l}": rng.normal(size=(4, 4)) for l in (1, 2, 3)}]
    assert report_of(DICT, None, inputs).ok
    report = report_of(DICT, tuple(one.replace("'", '"') for one in wrong), inputs)  # type: ignore[arg-type]
    assert lines_of(report) == [accused], str(report)


RETURNED = """
def forward(params, x):
    Wx, Wh = params
    hs, loss = [np.zeros(3)], 0
    for t in range(len(x)):
        hs.append(np.tanh(Wx @ x[t] + Wh @ hs[-1]))
        loss = loss + 0.5 * (hs[-1] ** 2).sum()
    dWx, dWh = [np.zeros_like(p) for p in params]
    dh_next = 0
    for t in range(len(x) - 1, -1, -1):
        dh = hs[t + 1] + dh_next
        dz = (1 - hs[t + 1] ** 2) * dh
        dWx += np.outer(dz, x[t])
        dWh += np.outer(dz, hs[t])
        dh_next = Wh.T @ dz
    return loss, [dWx, dWh]
"""


@pytest.mark.long
def test_a_return_is_not_accused_of_what_it_returns() -> None:
    rng = np.random.default_rng(0)
    inputs = [[rng.normal(size=(3, 4)), rng.normal(size=(3, 3))], rng.normal(size=(5, 4))]
    report = report_of(RETURNED, ("np.outer(dz, hs[t])", "np.outer(dz, hs[t + 1])"), inputs)
    assert lines_of(report) == [("14", "")], str(report)


def test_a_right_gradient_that_is_taken_for_another_is_accused_where_it_is_taken() -> None:
    text = """
def forward(u, v, t):
    a = np.tanh(u)
    b = np.tanh(v)
    r = a - b - t
    return 0.5 * np.sum(r ** 2), (a, b, r)
def backward(u, v, t, cache):
    a, b, r = cache
    dr = 1.0 * r
    da, db = dr, -dr
    return da * (1 - a ** 2), db * (1 - b ** 2), -dr
"""
    inputs = [one[:3] for one in given()[4:5] * 3]
    inputs = [inputs[0], inputs[1] + 1, inputs[2] - 1]
    assert report_of(text, None, inputs).ok
    report = report_of(text, ("dr, -dr\n", "dr, dr\n"), inputs)
    assert lines_of(report) == [("10", "")], str(report)
