"""Layers that keep things on themselves are graded through an adapter of three lines."""

from pathlib import Path

import pytest

from torch_ref.grade.grader import grade

KEPT = """
import torch

class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + (0 if self.b is None else self.b)

    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(0)
        return grad @ self.W.T

class Logistic:
    def forward(self, x):
        self.y = 1 / (1 + torch.exp(-x))
        return self.y

    def backward(self, grad):
        return grad * self.y * (1 - self.y)
"""

ADAPTED = """
class Linear(Dense):
    __init__ = lambda self, weight, bias=None: Dense.__init__(self, weight.T, bias)
    forward = lambda self, x: (Dense.forward(self, x), None)
    backward = lambda self, e, _: (-Dense.backward(self, -e), {"weight": self.dW.T, "bias": self.db})

class Sigmoid(Logistic):
    forward = lambda self, x: (Logistic.forward(self, x), None)
    backward = lambda self, e, _: (-Logistic.backward(self, -e), {})
"""


def points(tmp_path: Path, text: str) -> dict[str, bool]:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    return {f"{mark.of.kind.__name__} {mark.of.makes}": mark.earned for mark in grade(path, seed=1).marks}


def test_a_right_layer_that_keeps_its_input_gets_every_point(tmp_path: Path) -> None:
    assert all(points(tmp_path, KEPT + ADAPTED).values())


@pytest.mark.parametrize(
    ("right", "wrong", "lost"),
    [
        ("return grad * self.y * (1 - self.y)", "return grad * (1 - self.y)", "Sigmoid error"),
        ("self.dW = self.x.T @ grad", "self.dW = self.x.T @ grad / len(grad)", "Linear weight"),
    ],
)
def test_a_wrong_one_loses_the_point_of_its_formula(tmp_path: Path, right: str, wrong: str, lost: str) -> None:
    found = points(tmp_path, KEPT.replace(right, wrong) + ADAPTED)
    assert [name for name, ok in found.items() if not ok] == [lost]
