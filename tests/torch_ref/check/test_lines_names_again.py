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


@pytest.mark.parametrize("style", ["dd *= ", "dd = dd * "])
@pytest.mark.parametrize(
    ("wrong", "line"),
    [(("dd = y @", "dd = -y @"), "11"), (("mask\n    dz", "(2 - mask)\n    dz"), "12"), (("z > 0", "z < 0"), "13")],
)
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
