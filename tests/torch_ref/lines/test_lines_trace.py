# ruff: noqa: RET504, E702
"""Values of variables, read while somebody's function runs."""

import functools
import linecache
import math
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from torch_ref.lines.trace import Run, code_of, run


def made_by(run: Run, place: str) -> list[str]:
    return [version.where.text for version in run.places[place]]


def shown(run: Run, place: str) -> list[list[float]]:
    return [np.asarray(version.value).tolist() for version in run.places[place]]


def test_a_variable_has_a_version_wherever_it_is_bound_again_or_changed_in_place() -> None:
    def backward(h):
        dh = h * 2
        dh[h < 0] = 0
        dh = dh + 1
        return dh

    found = run(backward, [torch.tensor([1.0, -1.0])])
    assert made_by(found, "dh") == ["dh = h * 2", "dh[h < 0] = 0", "dh = dh + 1"]
    assert shown(found, "dh") == [[2, -2], [2, 0], [3, 1]], "what is changed later keeps what it was"
    assert [version.given for version in found.places["h"]] == [True]
    assert found.origin(found.places["return"][0]).where.text == "dh = dh + 1"


def test_numbers_of_numpy_that_a_statement_changes_in_place_are_seen_whatever_it_calls() -> None:
    def backward(a, index):
        d = np.zeros(3)
        np.add.at(d, index, 1.0)
        np.multiply(d, 2, out=d)
        part = d[1:]
        part += 5
        return a

    found = run(backward, [np.ones(2), np.array([0, 0, 1])])
    assert shown(found, "d") == [[0, 0, 0], [2, 1, 0], [4, 2, 0], [4, 7, 5]]
    assert made_by(found, "d")[-1] == "part += 5", "a view of it was changed"
    assert shown(found, "a") == [[1, 1]]


def test_not_a_number_is_no_change() -> None:
    def backward(a):
        a + 1
        return a

    assert len(run(backward, [np.array([np.nan, 1.0])]).places["a"]) == 1


def test_parts_of_lists_and_dicts_and_attributes_are_variables() -> None:
    class Net:
        def __init__(self) -> None:
            self.layers = [SimpleNamespace(W=np.ones(2))]

        def backward(self, x):
            grads, hs = {}, []
            for _ in range(2):
                hs.append(x * 2)
            grads["W1"] = hs[0]
            self.dW = x + 1
            for layer in self.layers:
                layer.dW = x * 7
            return grads

    found = run(Net().backward, [np.ones(1)])
    assert {"grads['W1']", "hs[0]", "hs[1]", "self.dW", "self.layers[0].dW", "return['W1']"} <= set(found.places)
    assert found.origin(found.places["grads['W1']"][0]).place == "hs[0]"
    assert found.origin(found.places["self.layers[0].dW"][0]).where.text == "layer.dW = x * 7"


def test_the_steps_of_a_loop_are_counted() -> None:
    def forward(h):
        for _ in range(3):
            h = h + 1
        return h

    versions = run(forward, [torch.zeros(1)]).places["h"]
    assert [version.time for version in versions[1:]] == [1, 2, 3]
    assert [version.order for version in versions] == sorted(version.order for version in versions)


def test_statements_on_one_line_are_told_apart() -> None:
    # fmt: off
    def backward(h):
        d = h * 2; d = d + 1; d[0] = 9; return d
    # fmt: on

    for function in (lambda h: backward(h), backward):
        found = run(function, [torch.tensor([1.0, 2.0])])
        assert made_by(found, "d") == ["d = h * 2", "d = d + 1", "d[0] = 9"]
        assert shown(found, "d") == [[2, 4], [3, 5], [9, 5]]


def test_a_statement_of_several_lines_is_one() -> None:
    def backward(h):
        d = torch.add(
            h,  # the same
            h,
        )
        return d

    (version,) = run(backward, [torch.ones(1)]).places["d"]
    assert version.where.text == "d = torch.add(h, h)"
    assert version.where.line == backward.__code__.co_firstlineno + 1


def test_only_the_first_frame_of_the_function_is_read() -> None:
    def helper(x):
        inside = x * 3
        return inside

    def forward(x, depth=2):
        y = helper(x)
        if depth:
            forward(y, depth - 1)
        return sum(v for v in [y])

    found = run(forward, [torch.ones(1)])
    assert "inside" not in found.places
    assert len(found.places["y"]) == 1


def test_an_early_return_ends_it() -> None:
    def forward(x):
        y = x + 1
        if y.sum() > 0:
            return y
        z = y + 1
        return z

    found = run(forward, [torch.ones(1)])
    assert "z" not in found.places
    assert found.returned.tolist() == [2]


def test_what_a_function_raises_is_said_with_its_line() -> None:
    def backward(x):
        y = x + 1
        raise ValueError(f"no {y.item():.0f}")

    found = run(backward, [torch.ones(1)])
    assert found.failure.startswith("raises ValueError: no 2 (raise ValueError(")
    assert "test_lines_trace.py:" in found.failure
    assert "y" in found.places


def test_a_trace_function_that_was_there_is_put_back() -> None:
    seen: list[str] = []

    def earlier(frame: Any, event: str, argument: Any) -> None:
        seen.append(event)

    before = sys.gettrace()
    sys.settrace(earlier)
    try:
        run(lambda x: x + 1, [torch.ones(1)])
        now = sys.gettrace()
    finally:
        sys.settrace(before)
    assert now is earlier


def test_functions_come_in_many_forms() -> None:
    class Adds:
        def __call__(self, x):
            y = x + 1
            return y

    class Module(nn.Module):
        def forward(self, x):
            y = x + 1
            return y

    @torch.no_grad()
    def decorated(x):
        y = x + 1
        return y

    def two(x, z):
        y = x + z
        return y

    for function in (Adds(), Module(), decorated, functools.partial(two, z=1)):
        assert shown(run(function, [torch.ones(1)]), "y") == [[2]]


def test_a_lambda_that_calls_a_function_is_that_function() -> None:
    def mine(x, z):
        y = x + z
        return y

    assert shown(run(lambda x: mine(x, 1), [torch.ones(1)]), "y") == [[2]]


def test_what_is_not_python_is_refused() -> None:
    with pytest.raises(TypeError, match="expects one written in Python, got <built-in function exp>"):
        code_of(math.exp)


def test_code_without_source_is_read_by_its_lines() -> None:
    variables: dict[str, Any] = {}
    exec(compile("def f(x):\n    y = x * 2\n    y += 1\n    return y", "<nowhere>", "exec"), variables)
    found = run(variables["f"], [np.ones(1)])
    assert shown(found, "y") == [[2], [3]]
    assert [version.where.source for version in found.places["y"]] == ["line 2 of <nowhere>", "line 3 of <nowhere>"]


def test_code_that_linecache_knows_has_its_source() -> None:
    text = "def f(x):\n    y = x * 2\n    return y\n"
    linecache.cache["<cell>"] = (len(text), None, text.splitlines(keepends=True), "<cell>")
    variables: dict[str, Any] = {}
    exec(compile(text, "<cell>", "exec"), variables)
    (version,) = run(variables["f"], [np.ones(1)]).places["y"]
    assert version.where.source == "y = x * 2, at <cell>:2"


def test_what_is_kept_is_the_callers_choice() -> None:
    found = run(lambda x: x * 2, [torch.ones(2)], keep=lambda value: value.shape)
    assert [version.value for version in found.versions] == [(2,), (2,)]


def test_of_very_many_numbers_the_last_of_a_statement_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def backward(x):
        total = np.zeros(4)
        for i in range(5):
            total += x * i
        return total

    assert len(run(backward, [np.ones(4)]).places["total"]) == 5
    monkeypatch.setattr("torch_ref.lines.record.MOST_BYTES", 100)
    found = run(backward, [np.ones(4)])
    assert shown(found, "total") == [[0] * 4, [10] * 4]
    assert [version.order for version in found.versions] == list(range(len(found.versions)))


def test_a_million_numbers_are_read_in_a_moment() -> None:
    def step(x, W):
        for _ in range(5):
            h = x @ W
            dW = x.T @ h
        return dW

    begin = time.perf_counter()
    run(step, [np.ones((4, 1000)), np.ones((1000, 1000))])
    assert time.perf_counter() - begin < 1.5
