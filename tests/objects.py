"""Objects in the four layouts of tutorials, right and wrong; of numpy arrays or tensors, as ``draw`` makes them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch

RNG = np.random.default_rng(0)


def of_numpy(*shape: int) -> Any:
    return RNG.standard_normal(shape)


def of_float32(*shape: int) -> Any:
    return of_numpy(*shape).astype(np.float32)


def of_torch(*shape: int) -> Any:
    return torch.randn(*shape)


class Dense:
    """It keeps x, and sets dW and db."""

    def __init__(self, draw: Any, wrong: str = "") -> None:
        self.W, self.b, self.wrong = draw(3, 4), draw(4), wrong

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W + self.b

    def backward(self, d: Any) -> Any:
        self.dW = self.x.T @ d
        self.db = d.mean(0) if self.wrong else d.sum(0)
        return d @ self.W.T


class Updating(Dense):
    """It updates itself, and the gradients are never seen."""

    def backward(self, grad: Any, learning_rate: float) -> Any:
        if self.wrong == "late":
            self.W -= learning_rate * self.x.T @ grad
        d_x = grad @ self.W.T
        if self.wrong != "late":
            self.W -= learning_rate * self.x.T @ grad
        self.b = self.b - learning_rate * (grad.mean(0) if self.wrong == "mean" else grad.sum(0))
        return d_x


class WithRate(Updating):
    def __init__(self, draw: Any, wrong: str = "") -> None:
        super().__init__(draw, wrong)
        self.lr = 0.1

    def backward(self, grad: Any) -> Any:
        return super().backward(grad, self.lr)


class TwoLayers:
    """A dict of parameters, and a dict of gradients."""

    def __init__(self, draw: Any, wrong: str = "") -> None:
        self.params = {"W1": draw(3, 5), "b1": draw(5), "W2": draw(5, 2), "b2": draw(2)}
        self.wrong, self.tanh = wrong, torch.tanh if draw is of_torch else np.tanh

    def loss(self, x: Any, y: Any) -> Any:
        self.h = self.tanh(x @ self.params["W1"] + self.params["b1"])
        self.out = self.h @ self.params["W2"] + self.params["b2"]
        return ((self.out - y) ** 2).sum() / 2

    def backward(self, x: Any, y: Any) -> None:
        d = self.out - y
        d_h = d @ self.params["W2"].T * (1 - self.h**2)
        self.grads = {"W2": self.h.T @ d, "b2": d.sum(0), "W1": x.T @ d_h, "b1": d_h.sum(0)}
        if self.wrong:
            self.grads["b1"] = d_h.mean(0)


def sigmoid(z: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-z))


class PerSample:
    """Lists of weights and biases, and one sample as a column."""

    def __init__(self, sizes: list[int], wrong: str = "") -> None:
        self.biases = [of_numpy(n, 1) for n in sizes[1:]]
        self.weights = [of_numpy(n, m) for m, n in pairwise(sizes)]
        self.wrong = wrong

    def feedforward(self, a: Any) -> Any:
        for b, w in zip(self.biases, self.weights, strict=True):
            a = sigmoid(np.dot(w, a) + b)
        return a

    def backprop(self, x: Any, y: Any) -> Any:
        activations = [x]
        for b, w in zip(self.biases, self.weights, strict=True):
            activations.append(sigmoid(np.dot(w, activations[-1]) + b))
        nabla_b, nabla_w = [np.zeros(b.shape) for b in self.biases], [np.zeros(w.shape) for w in self.weights]
        delta = activations[-1] - y
        for l in range(1, len(self.weights) + 1):
            a = activations[-l]
            delta = (delta if l == 1 else np.dot(self.weights[-l + 1].T, delta)) * a * (1 - a)
            nabla_b[-l], nabla_w[-l] = delta, np.dot(delta, activations[-l - 1].T)
        return (nabla_w, nabla_b) if self.wrong else (nabla_b, nabla_w)
