"""Backpropagation by hand: layer norm. Put the formula in the place of every `raise NotImplementedError`.

Grade what is there, as often as you like:

    python -m torch_ref grade student.py --chapter norm

By hand means: plain tensor operations (@, *, sums, torch.exp, torch.where, ...). No autograd, no torch.nn, no
*_backward function of torch, no import of somebody else's formulas.

Letters.  N rows (samples) of n numbers.
    x (N, n)   y (N, n)   weight (n,)   bias (n,)

The error of a quantity q is -dL/dq, with a minus sign; the gradient of a parameter is +dL/dparameter.

A layer    forward(x)             -> (y, saved)                            saved: whatever your backward reads
           backward(error, saved) -> (error of x, {parameter: gradient})   error: the error of y

Every formula is graded on its own, at numbers that you do not see: N = 1 and more, float32 and float64, large numbers
and zeros too. Results have the dtype of x. Change no argument in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class LayerNorm:
    """Each row with mean 0 and variance 1, then a weight and a bias for each column."""

    weight: Tensor  # (n,)
    bias: Tensor  # (n,)
    epsilon: float = 1e-5

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return y (N, n) and what backward reads."""
        # N1: c = x - the mean of its row   v = the mean of c^2 in the row   r = 1 / sqrt(v + epsilon)   h = c r
        # N2: y_j = w_j h_j + b_j
        raise NotImplementedError("TODO: N1, N2")

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the error of x (N, n) and the gradients."""
        # N3: dL/dw_j = -error_j h_j, summed over the rows      {"weight": ...}
        #     dL/db_j = -error_j, summed over the rows          {"bias": ...}
        # N4: error of h_j = w_j error_j   error of r = sum over j of (error of h_j) c_j   error of v = -r^3 / 2 of that
        #     error of c_j = r (error of h_j) + 2 c_j (error of v) / n
        #     error of x_j = error of c_j - the mean of the errors of c in the row
        raise NotImplementedError("TODO: N3, N4")


def example() -> None:
    """Print a row of three numbers on its way forward and back."""
    layer = LayerNorm(torch.tensor([1.0, 2.0, -1.0]), torch.tensor([0.5, 0.0, 0.0]))
    y, saved = layer.forward(torch.tensor([[1.0, 2.0, 6.0]]))
    error, gradients = layer.backward(torch.tensor([[1.0, 0.5, 2.0]]), saved)
    print("y    ", y, "expected -0.425819, -0.925819, -1.388729")
    print("error", error, "expected -0.132259, 0.165325, -0.033067")
    print("dw   ", gradients["weight"], "expected 0.925819, 0.231455, -2.777457")
    print("db   ", gradients["bias"], "expected -1, -0.5, -2")


if __name__ == "__main__":
    example()
