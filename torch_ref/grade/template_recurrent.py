"""Backpropagation by hand: a recurrent layer. Put the formula in the place of every `raise NotImplementedError`.

Grade what is there, as often as you like:

    python -m torch_ref grade student.py --chapter recurrent

By hand means: plain tensor operations (@, *, sums, torch.exp, torch.where, ...). No autograd, no torch.nn, no
*_backward function of torch, no import of somebody else's formulas.

Letters.  N sequences of T steps, with n_in numbers at each step; n units.
    x (N, T, n_in)   h (N, T, n)   W is weight_ih_l0 (n, n_in), V is weight_hh_l0 (n, n), b is bias_ih_l0 (n,),
    c is bias_hh_l0 (n,)

The error of a quantity q is -dL/dq, with a minus sign; the gradient of a parameter is +dL/dparameter.

A layer    forward(x)             -> (h, saved)                            saved: whatever your backward reads
           backward(error, saved) -> (error of x, {parameter: gradient})   error: the error of h from the layer above

Every formula is graded on its own, at numbers that you do not see: N = 1 and more, T = 1 and more, as many inputs as
units and not, float32 and float64, large numbers and zeros too. Results have the dtype of x. Change no argument in
place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class RNN:
    """A layer that sees at each step what it put out at the step before."""

    weight_ih_l0: Tensor  # W (n, n_in)
    weight_hh_l0: Tensor  # V (n, n)
    bias_ih_l0: Tensor  # b (n,)
    bias_hh_l0: Tensor  # c (n,)

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return h (N, T, n) and what backward reads."""
        # R1: net_t = W x_t + b + V h_(t-1) + c, where h_0 = 0
        # R2: h_t = tanh(net_t)
        raise NotImplementedError("TODO: R1, R2")

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the error of x (N, T, n_in) and the gradients of the four parameters by name."""
        # R3: error of h_t = error_t + V^T delta_(t+1), nothing comes back to the last step
        # R4: delta_t = (1 - h_t^2) (error of h_t)
        # R5: error of x_t = W^T delta_t
        # R6: dL/dW = -delta_t x_t^T, summed over the steps and the sequences   {"weight_ih_l0": ...}
        #     dL/dV = -delta_t h_(t-1)^T, summed                                {"weight_hh_l0": ...}
        #     dL/db = dL/dc = -delta_t, summed                                  {"bias_ih_l0": ..., "bias_hh_l0": ...}
        raise NotImplementedError("TODO: R3, R4, R5, R6")


def example() -> None:
    """Print a sequence of two steps on its way forward and back."""
    layer = RNN(torch.tensor([[0.5]]), torch.tensor([[-1.0]]), torch.tensor([0.1]), torch.tensor([0.2]))
    h, saved = layer.forward(torch.tensor([[[1.0], [2.0]]]))
    error, gradients = layer.backward(torch.tensor([[[1.0], [0.5]]]), saved)
    print("h    ", h, "expected 0.664037, 0.562145")
    print("error", error, "expected 0.183930, 0.170998")
    for name in "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0":
        print(name, gradients[name])
    print("expected -1.051854, -0.227098, -0.709857, -0.709857")


if __name__ == "__main__":
    example()
