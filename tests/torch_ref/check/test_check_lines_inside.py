"""A mistake in a function that backward calls is named where it stands; one in the call where that stands."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.torch_ref.lines.programs import arrays, broken, made, pair_of
from tests.torch_ref.lines.programs_inside import CELLS, DROPPED, LAYERED, OBJECTS, PROPAGATE, SLOPES
from torch_ref import Report, check_lines
from torch_ref.check.lines_inside import Outside
from torch_ref.lines.calls import key_of
from torch_ref.lines.pairing import Pair
from torch_ref.steps.graph import place_of


def check_layered(text: str) -> Report:
    rng = np.random.default_rng(0)
    weights = arrays(rng, (4, 3), (4, 1), (1, 4), (1, 1))
    return check_lines(*pair_of(text), [rng.normal(size=(3, 7)), rng.integers(0, 2, (1, 7)).astype(float), *weights])


def check_dropped(text: str) -> Report:
    rng = np.random.default_rng(1)
    sizes = (5, 6, 4, 3)
    params = {f"W{i}": rng.normal(size=sizes[i : i + 2]) for i in range(3)}
    params |= {f"b{i}": rng.normal(size=sizes[i + 1]) for i in range(3)}
    masks = [(rng.random((7, n)) < 0.7) / 0.7 for n in (6, 4)]
    return check_lines(made(text)["loss"], None, [rng.normal(size=(7, 5)), rng.integers(0, 3, 7), params, masks])


def check_objects(text: str) -> Report:
    rng = np.random.default_rng(2)
    net = made(text)["Net"](*arrays(rng, (5, 6), (6,), (6, 4), (4,), (4, 3), (3,)))
    return check_lines(net.forward, net.backward, [rng.normal(size=(8, 5)), rng.integers(0, 3, 8)])


def check_slopes(text: str) -> Report:
    return check_lines(*pair_of(text), arrays(np.random.default_rng(3), (6, 5), (6, 3), (5, 4), (4, 3)))


def check_cells(text: str) -> Report:
    return check_lines(*pair_of(text), arrays(np.random.default_rng(4), (2, 3, 5), (4, 3), (4, 2), (4, 4), (4, 1)))


def check_propagate(text: str) -> Report:
    rng = np.random.default_rng(5)
    w, X = arrays(rng, (3, 1), (3, 6))
    return check_lines(made(text)["step"], None, [w, 0.3, X, rng.integers(0, 2, (1, 6)).astype(float)])


Check = Callable[[str], Report]
RIGHT: dict[str, tuple[Check, str]] = {
    "layered": (check_layered, LAYERED),
    "dropped": (check_dropped, DROPPED),
    "objects": (check_objects, OBJECTS),
    "slopes": (check_slopes, SLOPES),
    "cells": (check_cells, CELLS),
    "propagate": (check_propagate, PROPAGATE),
}

INSIDE = [
    ("layered", "dZ[Z <= 0] = 0", "dZ[Z >= 0] = 0"),
    ("layered", "return dA * s * (1 - s)", "return dA * s * (1 + s)"),
    ("layered", "dW = dZ @ A_prev.T / m", "dW = -dZ @ A_prev.T / m"),
    ("layered", "db = dZ.sum(axis=1, keepdims=True) / m", "db = dZ.sum(axis=1, keepdims=True)"),
    ("layered", "dA_prev = W.T @ dZ", "dA_prev = abs(W.T) @ dZ"),
    ("dropped", "return dout * (cache > 0)", "return dout * (cache < 0)"),
    ("dropped", "db = dout.sum(0)", "db = dout.mean(0)"),
    ("dropped", "dx = dout @ w.T", "dx = 2 * dout @ w.T"),
    ("dropped", "dscores /= len(y)", "dscores /= 2 * len(y)"),
    ("objects", "return grad * self.mask", "return grad * (1 - self.mask)"),
    ("objects", "self.db = grad.sum(axis=0)", "self.db = grad.mean(axis=0)"),
    ("objects", "return grad @ self.W.T", "return 2 * grad @ self.W.T"),
    ("objects", "dxhat = grad * self.gamma", "dxhat = grad"),
    ("objects", "self.dgamma = (grad * self.xhat).sum(axis=0)", "self.dgamma = (grad * self.xhat).sum()"),
    ("slopes", "return sigmoid(z) * (1 - sigmoid(z))", "return sigmoid(z)"),
    ("slopes", "return 0.5 * (1 + t) + 0.5 * x * (1 - t ** 2) * inner", "return 0.5 * (1 + t)"),
    ("slopes", "return a - y", "return y - a"),
    ("cells", "dtanh = (1 - h_next ** 2) * dh_next", "dtanh = (1 - h_next) * dh_next"),
    ("cells", "db = dtanh.sum(1, keepdims=True)", "db = dtanh.mean(1, keepdims=True)"),
    ("propagate", "dw = X @ (A - Y).T / m", "dw = X @ (A - Y).T"),
    ("propagate", "db = np.sum(A - Y) / m", "db = np.sum(Y - A) / m"),
]

OUTSIDE = [
    ("layered", 'dA1, dW2, db2 = layer_backward(dA2, cache2, "sigmoid")',
     'dA1, dW2, db2 = layer_backward(dA2, cache2, "relu")'),
    ("dropped", "da = relu_backward(dout, rc)", "da = relu_backward(dout, -rc)"),
    ("dropped", "dout = dout * mask", "dout = dout * mask * 2"),
    ("objects", "grad /= len(self.t)", "grad /= 3"),
    ("slopes", "dz2 = cost_derivative(a2, y) * sigmoid_prime(z2)", "dz2 = cost_derivative(a2, y)"),
    ("slopes", "dz2 = cost_derivative(a2, y) * sigmoid_prime(z2)",
     "dz2 = cost_derivative(a2, y) + sigmoid_prime(z2)"),
    ("slopes", "dz1 = dz2 @ W2.T * gelu_grad(z1)", "dz1 = dz2 @ W2.T * gelu_grad(a1)"),
    ("cells", "grads = cell_backward(dh[:, :, t] + dh_prev, caches[t])",
     "grads = cell_backward(dh[:, :, t], caches[t])"),
    ("propagate", "return cost, grads", 'return cost, {"dw": grads["dw"] * 2, "db": grads["db"]}'),
]  # fmt: skip


@pytest.mark.long(but=1)
@pytest.mark.parametrize("name", RIGHT)
def test_right_programs_with_functions_of_their_own_are_accepted(name: str) -> None:
    check, text = RIGHT[name]
    report = check(text)
    assert report.ok, str(report)


@pytest.mark.long(but=("return a - y", "cells-db"))
@pytest.mark.parametrize(("name", "line", "instead"), INSIDE)
def test_the_line_inside_is_named_and_who_called_it(name: str, line: str, instead: str) -> None:
    check, text = RIGHT[name]
    wrong, where = broken(text, line, instead)
    report = check(wrong)
    assert {row.source.rpartition(":")[2] for row in report.guilty} == {where[1:]}, str(report)
    assert all(row.called for row in report.guilty)
    assert ", called at program" in " ".join(report.verdict.split())


@pytest.mark.long(but=("propagate", "gelu_grad(a1)"))
@pytest.mark.parametrize(("name", "line", "instead"), OUTSIDE)
def test_a_right_function_is_not_accused_for_what_it_is_given(name: str, line: str, instead: str) -> None:
    check, text = RIGHT[name]
    wrong, where = broken(text, line, instead)
    report = check(wrong)
    assert {row.source.rpartition(":")[2] for row in report.guilty} == {where[1:]}, str(report)
    assert not any(row.called for row in report.guilty)


def test_of_lines_inside_that_nobody_can_tell_apart_all_are_said() -> None:
    wrong, where = broken(SLOPES, "inner = 0.8 * (1 + 0.12 * x ** 2)", "inner = 0.8 * (1 + 0.04 * x ** 2)")
    (row,) = check_slopes(wrong).guilty
    assert row.of.text.startswith("return 0.5 * (1 + t)")
    assert row.others.endswith(where)


def test_two_mistakes_in_one_function_are_two() -> None:
    wrong, _ = broken(OBJECTS, "self.db = grad.sum(axis=0)", "self.db = grad.mean(axis=0)")
    wrong, _ = broken(wrong, "self.dW = self.x.T @ grad", "self.dW = self.x.T @ grad * 3")
    texts = {row.of.text for row in check_objects(wrong).guilty}
    assert texts == {"self.db = grad.mean(axis=0)", "self.dW = self.x.T @ grad * 3"}


def test_json_says_where_it_was_called() -> None:
    wrong, _ = broken(SLOPES, "return a - y", "return y - a")
    (row,) = check_slopes(wrong).guilty
    (called,) = row.to_dict()["called"]
    assert called == row.called[0].replace("\\", "/")
    assert called != row.source


def test_where_no_factor_is_known_outside_gradients_inside_stay_as_they_are() -> None:
    w = torch.ones(3, requires_grad=True)
    pair = Pair("w", (place_of(w),), ((),), is_outcome=True)
    for is_wrong in (True, False):
        outside = Outside({key_of(w): is_wrong})
        assert outside.scaled(pair) is pair
        assert outside.agrees(pair) is is_wrong
