"""A backward that only calls another, and a forward that does two things whose backward are two functions."""

from typing import Any

import numpy as np
import pytest

from tests.torch_ref.lines.programs import broken, made
from torch_ref import Report, check_lines

PROGRAM = """
def layer_forward(a, W, b):
    z = a @ W + b
    out = np.tanh(z)
    return out, (a, W, z)


def slope_backward(dout, z):
    dz = dout * (1 - np.tanh(z) ** 2)
    return dz


def linear_backward(dz, a, W):
    dW = a.T @ dz
    da = dz @ W.T
    return da, dW, dz.sum(0)


def loss(x, t, W, b):
    out, cache = layer_forward(x, W, b)
    loss = ((out - t) ** 2).sum()
    return loss


def backward_of(out, t, cache):
    a, W, z = cache
    dout = 2 * (out - t)
    dz = slope_backward(dout, z)
    da, dW, db = linear_backward(dz, a, W)
    return {"W": dW, "b": db, "x": da}


def backward(x, t, W, b):
    out, cache = layer_forward(x, W, b)
    return backward_of(out, t, cache)
"""


def check(text: str) -> Report:
    random = np.random.default_rng(0)
    inputs: list[Any] = [random.normal(size=size) for size in ((6, 3), (6, 4), (3, 4), (4,))]
    found = made(text)
    return check_lines(found["loss"], found["backward"], inputs, power=False)


def test_a_right_one_is_accepted() -> None:
    report = check(PROGRAM)
    assert report.ok, report.verdict


def test_a_mistake_is_named_in_the_function_that_is_called() -> None:
    text, where = broken(PROGRAM, "dout = 2 * (out - t)", "dout = 2 * (t - out)")
    (row,) = check(text).guilty
    assert row.source.endswith(where)
    assert row.called


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    ("line", "instead"), [("dW = a.T @ dz", "dW = 2 * a.T @ dz"), ("da = dz @ W.T", "da = -dz @ W.T")]
)
def test_a_gradient_of_what_lies_between_is_not_taken_for_that_of_the_output(line: str, instead: str) -> None:
    text, where = broken(PROGRAM, line, instead)
    _, call = broken(PROGRAM, "da, dW, db = linear_backward(dz, a, W)", "")
    (row,) = check(text).guilty
    assert row.source.endswith((where, call)), row.source
