"""A name that is used again, for the gradient of what comes before: one wrong line is one accusation."""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np
import pytest

import torch_ref
from torch_ref.verdict.report import Report


def report_of(text: str, wrong: tuple[str, str] | None, inputs: list[Any]) -> Report:
    if wrong:
        assert text.count(wrong[0]) == 1
        text = text.replace(*wrong)
    linecache.cache["<again>"] = (len(text), None, text.splitlines(keepends=True), "<again>")
    found: dict[str, Any] = {"np": np}
    exec(compile(text, "<again>", "exec"), found)
    return torch_ref.check_lines(found["forward"], found["backward"], inputs, power=False)


def lines_of(report: Report) -> list[tuple[str, str]]:
    return [(row.source.partition(":")[2], row.others.partition(":")[2]) for row in report.guilty]


DROPOUT = """
def forward(x, mask, w, v):
    z = x @ w
    a = np.maximum(z, 0)
    d = a * mask
    y = d @ v
    return 0.5 * (y ** 2).sum(), (z, d, y)
def backward(x, mask, w, v, cache):
    z, d, y = cache
    dv = d.T @ y
    dd = y @ v.T
    dd *= mask
    dz = dd * (z > 0)
    return {"w": x.T @ dz, "v": dv}
"""


@pytest.mark.long(but=("wrong0",))
@pytest.mark.parametrize("style", ["dd *= ", "dd = dd * "])
@pytest.mark.parametrize(
    ("wrong", "line"),
    [(("dd = y @", "dd = -y @"), "11"), (("mask\n    dz", "(2 - mask)\n    dz"), "12"), (("z > 0", "z < 0"), "13")],
)
@pytest.mark.long(but=1)
def test_a_mask_that_is_an_input_is_no_reason_to_accuse_others(style: str, wrong: tuple[str, str], line: str) -> None:
    rng = np.random.default_rng(0)
    mask = (rng.normal(size=(6, 5)) > 0) / 0.5
    inputs = [rng.normal(size=(6, 4)), mask, rng.normal(size=(4, 5)), rng.normal(size=(5, 3))]
    text = DROPOUT.replace("dd *= ", style)
    assert report_of(text, None, inputs).ok
    report = report_of(text, wrong, inputs)
    assert lines_of(report) == [(line, "")], str(report)


IN_RETURN = """
def forward(x, w):
    c = {}
    c["z"] = x @ w
    c["a"] = np.tanh(c["z"])
    return np.sum(c["a"] ** 2), c
def backward(x, w, c):
    g = {}
    g["da"] = 2 * c["a"]
    g["dz"] = g["da"] * (1 - c["a"] ** 2)
    g["dw"] = x.T @ g["dz"]
    return g
"""


def test_what_a_dict_holds_and_is_returned_is_compared_once() -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(5, 4)), rng.normal(size=(4, 3))]
    report = report_of(IN_RETURN, None, inputs)
    assert report.ok
    assert sorted(row.quantity for row in report.rows) == ["gradient of c['a']", "gradient of c['z']", "gradient of w"]


ATTENTION = """
def forward(q, k, v):
    s = q @ k.T / np.sqrt(q.shape[1])
    s = np.where(np.triu(np.ones((4, 4)), 1) == 1, -1e9, s)
    e = np.exp(s - s.max(1, keepdims=True))
    a = e / e.sum(1, keepdims=True)
    y = a @ v
    return 0.5 * (y ** 2).sum(), (a, y)
def backward(q, k, v, cache):
    a, y = cache
    da = y @ v.T
    dv = a.T @ y
    ds = a * (da - (da * a).sum(1, keepdims=True))
    ds /= np.sqrt(q.shape[1])
    dq = ds @ k
    dk = ds.T @ q
    return dq, dk, dv
"""


@pytest.mark.long(but=("wrong3",))
@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (("ds /= np.sqrt(q.shape[1])", "ds /= q.shape[1]"), "14"),
        (("da - (da * a)", "da + (da * a)"), "13"),
        (("dq = ds @ k", "dq = ds.T @ k"), "15"),
        (("da = y @", "da = 2 * y @"), "11"),
    ],
)
@pytest.mark.long
def test_a_gradient_that_passes_a_mask_as_it_is_belongs_to_both_values(wrong: tuple[str, str], line: str) -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(4, 3)) for _ in range(3)]
    assert report_of(ATTENTION, None, inputs).ok
    report = report_of(ATTENTION, wrong, inputs)
    assert lines_of(report) == [(line, "")], str(report)


GATED = """
def forward(xs, Wz, Uz, Wh, h0):
    h, z, c = [h0], [], []
    for t in range(len(xs)):
        z.append(1 / (1 + np.exp(-(xs[t] @ Wz + h[t] @ Uz))))
        c.append(np.tanh(xs[t] @ Wh))
        h.append((1 - z[t]) * h[t] + z[t] * c[t])
    return 0.5 * (h[-1] ** 2).sum(), (h, z, c)
def backward(xs, Wz, Uz, Wh, h0, cache):
    h, z, c = cache
    dWz, dUz, dWh = np.zeros_like(Wz), np.zeros_like(Uz), np.zeros_like(Wh)
    dh = h[-1].copy()
    for t in reversed(range(len(xs))):
        dc = dh * z[t]
        dWh += xs[t].T @ (dc * (1 - c[t] ** 2))
        dz = dh * (c[t] - h[t])
        dpre = dz * z[t] * (1 - z[t])
        dWz += xs[t].T @ dpre
        dUz += h[t].T @ dpre
        dh = dh * (1 - z[t]) + dpre @ Uz.T
    return dWz, dUz, dWh, dh
"""


@pytest.mark.long(but=("wrong3",))
@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (("dh * (1 - z[t]) + dpre @ Uz.T", "dh * (1 - z[t])"), "20"),
        (("dc = dh * z[t]", "dc = dh * (1 - z[t])"), "14"),
        (("c[t] - h[t]", "h[t] - c[t]"), "16"),
        (("h[-1].copy()", "2 * h[-1]"), "12"),
    ],
)
@pytest.mark.long
def test_the_state_that_a_loop_begins_with_is_one_of_its_steps(wrong: tuple[str, str], line: str) -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=shape) for shape in ((4, 3, 5), (5, 2), (2, 2), (5, 2), (3, 2))]
    right = report_of(GATED, None, inputs)
    assert right.ok
    assert "gradient of h (5 steps)" in [row.quantity for row in right.rows]
    report = report_of(GATED, wrong, inputs)
    assert lines_of(report) == [(line, "")], str(report)
