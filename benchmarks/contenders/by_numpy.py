"""The same formulas in numpy, by hand."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import numpy.typing as npt

from benchmarks.cases import Array, Problem


class Numpy:
    """Products into ready arrays, everything elementwise in place."""

    scope = nullcontext
    exact = True

    def __init__(self, problem: Problem) -> None:
        """Copy the parameters and make the arrays that a step writes into."""
        self.case, self.all = problem.case, problem.arrays()
        self.weights = self.all[::2] if self.case.bias else self.all
        self.biases = self.all[1::2] if self.case.bias else [None] * len(self.weights)
        self.t, self.values = problem.t.numpy(), [problem.x.numpy()]
        self.values += [np.empty((self.case.batch, len(w)), np.float32) for w in self.weights]
        self.errors = [np.empty_like(value) for value in self.values]
        self.d_weights = [np.empty_like(w) for w in self.weights]

    def step(self) -> np.float32:
        """Take one step."""
        for i in range(len(self.weights)):
            self._forward(i)
        loss = self._loss()
        for i in reversed(range(len(self.weights))):
            self._backward(i)
        return loss

    def _forward(self, i: int) -> None:
        net, bias = self.values[i + 1], self.biases[i]
        np.dot(self.values[i], self.weights[i].T, out=net)
        if bias is not None:
            net += bias
        if i == len(self.weights) - 1 and self.case.loss == "cross-entropy":
            return
        if self.case.activation == "relu":
            np.maximum(net, 0, out=net)
        else:
            sigmoid(net)

    def _loss(self) -> np.float32:
        y, d, n = self.values[-1], self.errors[-1], self.case.batch
        if self.case.loss == "squared error":
            np.subtract(y, self.t, out=d)
            loss = np.float32(0.5 / n * np.vdot(d, d))
            d *= slope(y, self.case.activation)
        else:
            loss = softmax_cross_entropy(y, self.t, d)
        d *= np.float32(1 / n)
        return loss

    def _backward(self, i: int) -> None:
        """Compute the error below with the old weights, then update; here the error of q is +∂L/∂q."""
        x, d, bias, lr = self.values[i], self.errors[i + 1], self.biases[i], np.float32(self.case.lr)
        if i:
            np.dot(d, self.weights[i], out=self.errors[i])
            self.errors[i] *= slope(x, self.case.activation)
        d *= lr  # here rather than on the larger gradient
        self.weights[i] -= np.dot(d.T, x, out=self.d_weights[i])
        if bias is not None:
            bias -= d.sum(0)

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        return [p.copy() for p in self.all]


def sigmoid(net: Array) -> None:
    """Turn net into σ(net) in place."""
    np.negative(net, out=net)
    np.exp(net, out=net)
    net += 1
    np.reciprocal(net, out=net)


def slope(x: Array, activation: str) -> Array | npt.NDArray[np.bool_]:
    """Return σ′(net) from x = σ(net); a bool multiplies as 0 or 1."""
    if activation == "relu":
        return np.greater(x, 0)
    return x * (1 - x)


def softmax_cross_entropy(net: Array, t: Array, d: Array) -> np.float32:
    """Return the mean cross-entropy, and write y − t into ``d``."""
    net -= net.max(1, keepdims=True)
    np.exp(net, out=d)
    total = d.sum(1, keepdims=True)
    loss = (np.log(total).sum() - np.vdot(net, t)) / np.float32(len(net))
    d /= total
    d -= t
    return np.float32(loss)
