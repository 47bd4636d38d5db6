"""Backpropagation by hand. Put the formula in the place of every `raise NotImplementedError`.

Delete the classes that you do not do. Grade what is there, as often as you like:

    python -m torch_ref grade student.py

By hand means: plain tensor operations (@, *, sums, torch.exp, torch.where, ...). No autograd, no torch.nn, no
*_backward function of torch, no import of somebody else's formulas.

Letters.  N rows (samples), n_in inputs and n_out outputs of a layer; a row for each sample.
    x (N, n_in)   net (N, n_out)   weight (n_out, n_in)   bias (n_out,)   t (N, n_out)

The error of a quantity q is -dL/dq, with a minus sign; the gradient of a parameter is +dL/dparameter.

A layer    forward(x)             -> (y, saved)                            saved: whatever your backward reads
           backward(error, saved) -> (error of x, {parameter: gradient})   error: the error of y

A loss     output(x)              -> y       the network's answer
           forward(x, t)          -> (L, saved)                            L: a tensor without dimensions
           backward(saved)        -> error of x

Every formula is graded on its own, at numbers that you do not see: N = 1 and more, as many inputs as outputs and not,
float32 and float64, large numbers (x from -1000 to 1000) and zeros too. Results have the dtype of x. Change no argument
in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Linear:
    """The total input of a layer's units."""

    weight: Tensor  # (n_out, n_in): weight[i, j] goes from unit j below to unit i
    bias: Tensor | None = None  # (n_out,), or None: then there is no gradient of it

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return net (N, n_out) and what backward reads."""
        # E1: net_i = sum over j of W_ij x_j, plus b_i
        raise NotImplementedError("TODO: E1")

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the error of x (N, n_in) and the gradients; error is delta (N, n_out), the error of net."""
        # E14: error of x_j = sum over k of W_kj delta_k
        # E12: dL/dW_ij = -delta_i x_j, summed over the rows (n_out, n_in)      {"weight": ...}
        #      dL/db_i = -delta_i, summed over the rows (n_out,)               {"bias": ...}
        raise NotImplementedError("TODO: E14, E12")


@dataclass(frozen=True)
class Sigmoid:
    """The lecture's activation: x is net (N, n), y is the output of the units (N, n)."""

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return y (N, n) and what backward reads."""
        # E3: y = 1 / (1 + e^-x)
        raise NotImplementedError("TODO: E3")

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return delta, the error of x (N, n), and no gradients: {}."""
        # E15: delta = slope times error; E16: the slope is y (1 - y)
        raise NotImplementedError("TODO: E15, E16")


@dataclass(frozen=True)
class Tanh:
    """tanh x = (e^x - e^-x) / (e^x + e^-x), which overflows for a large x; 2 sigmoid(2x) - 1 does not."""

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return y (N, n) and what backward reads."""
        # E2: y = tanh x
        raise NotImplementedError("TODO: E2")

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return delta, the error of x (N, n), and no gradients: {}."""
        # E15: delta = slope times error, the slope is 1 - y^2
        raise NotImplementedError("TODO: E15")


@dataclass(frozen=True)
class ReLU:
    """The larger of 0 and x."""

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return y (N, n) and what backward reads."""
        # E2: y = max(0, x)
        raise NotImplementedError("TODO: E2")

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return delta, the error of x (N, n), and no gradients: {}."""
        # E15: delta = slope times error, the slope is 1 where x > 0, else 0 (so 0 at x = 0)
        raise NotImplementedError("TODO: E15")


@dataclass(frozen=True)
class SquaredError:
    """Half the squared distance to the target: summed over the samples, or their mean (the sum over N)."""

    reduction: str = "mean"  # or "sum"

    def output(self, x: Tensor) -> Tensor:
        """Return the network's answer (N, n)."""
        # E4: y = x, the last layer's output
        raise NotImplementedError("TODO: E4")

    def forward(self, x: Tensor, t: Tensor) -> tuple[Tensor, Any]:
        """Return L, a tensor without dimensions, and what backward reads."""
        # E6: L = 1/2 sum of (t - y)^2, over N for the mean
        raise NotImplementedError("TODO: E6")

    def backward(self, saved: Any) -> Tensor:
        """Return the error of x (N, n)."""
        # E13: t - y, over N for the mean
        raise NotImplementedError("TODO: E13")


@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """Cross-entropy of the softmax of x, the last layer's net: summed over the samples, or their mean.

    For large numbers, subtract the largest x of each row first (m below): y and L stay the same, e^x stays finite,
    and ln y_k = x_k - m - ln(sum over j of e^(x_j - m)) keeps its digits where y_k is almost 0.
    """

    reduction: str = "mean"  # or "sum"

    def output(self, x: Tensor) -> Tensor:
        """Return the network's answer (N, n), each row summing to 1."""
        # E5: y_k = e^x_k / sum over j of e^x_j
        raise NotImplementedError("TODO: E5")

    def forward(self, x: Tensor, t: Tensor) -> tuple[Tensor, Any]:
        """Return L, a tensor without dimensions, and what backward reads; each row of t sums to 1."""
        # E8: L = -sum of t_k ln y_k, over N for the mean
        raise NotImplementedError("TODO: E8")

    def backward(self, saved: Any) -> Tensor:
        """Return delta, the error of x (N, n)."""
        # E17: t - y, over N for the mean
        raise NotImplementedError("TODO: E17")


def example() -> None:
    """Print the lecture's example X2: x = (0.35, 0.9), t = 0.5, two layers of sigmoids without biases."""
    hidden, last = Linear(torch.tensor([[0.1, 0.8], [0.4, 0.6]])), Linear(torch.tensor([[0.3, 0.9]]))
    sigmoid, loss = Sigmoid(), SquaredError()
    net1, saved_net1 = hidden.forward(torch.tensor([[0.35, 0.9]]))
    x1, saved_x1 = sigmoid.forward(net1)
    net2, saved_net2 = last.forward(x1)
    y, saved_y = sigmoid.forward(net2)
    _, saved_l = loss.forward(y, torch.tensor([[0.5]]))
    delta2, _ = sigmoid.backward(loss.backward(saved_l), saved_y)
    error1, gradients2 = last.backward(delta2, saved_net2)
    delta1, _ = sigmoid.backward(error1, saved_x1)
    _, gradients1 = hidden.backward(delta1, saved_net1)
    print("x^1 ", x1, "expected 0.680267, 0.663739")
    print("y   ", y, "expected 0.690283")
    print("d^2 ", delta2, "expected -0.040681")
    print("d^1 ", delta1, "expected -0.002654, -0.008172")
    print("dW^2", gradients2["weight"], "expected 0.027674, 0.027002")
    print("dW^1", gradients1["weight"], "expected 0.000929, 0.002389; 0.002860, 0.007354")


if __name__ == "__main__":
    example()
