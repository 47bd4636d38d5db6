"""A network that is a dataclass: what it sets on itself beside its fields counts, too."""

import numpy as np
import pytest

from tests.torch_ref.lines.programs import broken, made
from torch_ref import Report, check_lines

NET = """
from dataclasses import dataclass

@dataclass
class Net:
    W: np.ndarray
    V: np.ndarray

    def forward(self, x):
        self.x = x
        self.h = np.tanh(x @ self.W)
        self.y = self.h @ self.V
        return 0.5 * (self.y**2).sum()

    def backward(self):
        self.dV = self.h.T @ self.y
        s = (self.y @ self.V.T) * (1 - self.h**2)
        self.dW = self.x.T @ s
"""


def check(text: str) -> Report:
    r, found = np.random.default_rng(0), made(text, __name__="__main__")
    net = found["Net"](r.normal(size=(4, 5)), r.normal(size=(5, 2)))
    return check_lines(net.forward, net.backward, [r.normal(size=(3, 4))], power=False)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("decorator", ["@dataclass", "@dataclass(eq=False)"])
def test_gradients_that_are_no_fields_are_compared(decorator: str) -> None:
    report = check(NET.replace("@dataclass", decorator))
    assert report.ok, report.verdict
    assert {"gradient of self.W", "gradient of self.V"} <= {row.quantity for row in report.rows}
    text, at = broken(NET, "self.dW = self.x.T @ s", "self.dW = 2 * self.x.T @ s")
    assert [(row.source[-len(at) :], row.others) for row in check(text).guilty] == [(at, "")]
