"""Parameters in lists, whose gradients lie in lists of other names, at the same index."""

import numpy as np
import pytest

from tests.torch_ref.lines.programs import broken, made
from torch_ref import Report, check_lines

NET = """
class Net:
    def __init__(self):
        r = np.random.default_rng(0)
        self.weights = [r.normal(size=(4, 6)), r.normal(size=(6, 2))]
        self.biases = [np.zeros(6), np.zeros(2)]

    def forward(self, X, y):
        self.acts = [X]
        a = X
        for W, b in zip(self.weights, self.biases):
            a = np.tanh(a @ W + b)
            self.acts.append(a)
        return 0.5 * ((a - y) ** 2).sum()

    def backward(self, y):
        self.dW, self.db = [None, None], [None, None]
        delta = (self.acts[-1] - y) * (1 - self.acts[-1] ** 2)
        for i in (1, 0):
            self.dW[i] = self.acts[i].T @ delta
            self.db[i] = delta.sum(0)
            if i:
                delta = delta @ self.weights[i].T * (1 - self.acts[i] ** 2)
"""


def check(text: str) -> Report:
    net, rng = made(text)["Net"](), np.random.default_rng(1)
    return check_lines(net.forward, net.backward, [rng.normal(size=(5, 4)), rng.normal(size=(5, 2))], power=False)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("names", [("weights", "biases"), ("kernels", "shifts"), ("W", "b")])
def test_both_parameters_of_both_layers_are_compared(names: tuple[str, str]) -> None:
    weights, biases = names
    text = NET.replace("weights", weights).replace("biases", biases)
    report = check(text)
    assert report.ok, report.verdict
    expected = {f"gradient of self.{name}[{i}]" for name in names for i in range(2)}
    assert expected <= {row.quantity for row in report.rows}
    text, at = broken(text, "self.dW[i] = self.acts[i].T @ delta", "self.dW[i] = self.acts[i].T @ delta / len(y)")
    assert f"{at}." in check(text).verdict
