"""Backpropagation by hand: images. Put the formula in the place of every `raise NotImplementedError`.

Delete the classes that you do not do. Grade what is there, as often as you like:

    python -m torch_ref grade student.py --chapter convolution

By hand means: plain tensor operations (@, *, sums, torch.exp, torch.where, ...). No autograd, no torch.nn, no
*_backward function of torch, no import of somebody else's formulas.

Letters.  N images of c channels, each h x w pixels; c_in channels go in, c_out come out.
    x (N, c_in, h, w)   net (N, c_out, h', w')   weight (c_out, c_in, k_h, k_w)   bias (c_out,)

The window p, q lies at the kernel's place i, j on the pixel u = p * stride + i - padding, v = q * stride + j - padding.
Outside of the image stands 0. There are h' = (h + 2 padding - k_h) // stride + 1 windows down, and w' across: pixels
that are left over at the end belong to no window.

The error of a quantity q is -dL/dq, with a minus sign; the gradient of a parameter is +dL/dparameter.

A layer    forward(x)             -> (y, saved)                            saved: whatever your backward reads
           backward(error, saved) -> (error of x, {parameter: gradient})   error: the error of y

Every formula is graded on its own, at numbers that you do not see: N = 1 and more, images that are not square, any
stride and padding, windows that overlap and not, pixels that are equal, float32 and float64, large numbers and zeros
too. Results have the dtype of x. Change no argument in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Conv2d:
    """A convolution: units that each see one window, all with the same weights."""

    weight: Tensor  # (c_out, c_in, k_h, k_w)
    bias: Tensor | None = None  # (c_out,), or None: then there is no gradient of it
    stride: int = 1
    padding: int = 0

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return net (N, c_out, h', w') and what backward reads."""
        # C1: net_cpq = sum over d, i, j of W_cdij x_duv, plus b_c
        raise NotImplementedError("TODO: C1")

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the error of x (N, c_in, h, w) and the gradients; error is delta, the error of net."""
        # C2: error of x_duv = sum over c, i, j of W_cdij delta_cpq, over all windows p, q that hold the pixel
        # C3: dL/dW_cdij = -delta_cpq x_duv, summed over the windows and the images      {"weight": ...}
        #     dL/db_c = -delta_cpq, summed over the windows and the images              {"bias": ...}
        raise NotImplementedError("TODO: C2, C3")


@dataclass(frozen=True)
class MaxPool2d:
    """The largest pixel of each window of kernel x kernel pixels; no padding."""

    kernel: int
    stride: int

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return y (N, c, h', w') and what backward reads."""
        # P1: y_cpq = the largest x_cuv of the window
        raise NotImplementedError("TODO: P1")

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the error of x (N, c, h, w), and no gradients: {}."""
        # P2: error of x_cuv = sum of e_cpq over the windows whose largest pixel it is. Where several pixels of a window
        #     are the largest, the first one, row by row, takes the whole error.
        raise NotImplementedError("TODO: P2")


@dataclass(frozen=True)
class AvgPool2d:
    """The mean of each window of kernel x kernel pixels; no padding."""

    kernel: int
    stride: int

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return y (N, c, h', w') and what backward reads."""
        # P3: y_cpq = sum of x_cuv over the window, over the number of its pixels
        raise NotImplementedError("TODO: P3")

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the error of x (N, c, h, w), and no gradients: {}."""
        # P4: error of x_cuv = sum of e_cpq over the windows that hold it, over the number of their pixels
        raise NotImplementedError("TODO: P4")


@dataclass(frozen=True)
class Flatten:
    """Images as rows: the same numbers, channel by channel, each row by row."""

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return y (N, c h w) and what backward reads."""
        raise NotImplementedError("TODO: y is x in another shape")

    def backward(self, error: Tensor, saved: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the error of x (N, c, h, w), and no gradients: {}."""
        raise NotImplementedError("TODO: the error in the shape of x")


def example() -> None:
    """Print one small image on its way through each layer."""
    x = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    delta = torch.tensor([[[[1.0, -1.0], [2.0, 0.5]]]])
    layer = Conv2d(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), torch.tensor([0.5]))
    net, saved = layer.forward(x)
    error, gradients = layer.backward(delta, saved)
    print("net  ", net, "expected 37.5, 47.5; 67.5, 77.5")
    print("error", error, "expected 1, 1, -2; 5, 5.5, -3; 6, 9.5, 2")
    print("dW   ", gradients["weight"], "expected -9.5, -12; -17, -19.5")
    print("db   ", gradients["bias"], "expected -2.5")
    for name, pooling, expected in (
        ("max  ", MaxPool2d(2, 1), "5, 6; 8, 9 and 0, 0, 0; 0, 1, -1; 0, 2, 0.5"),
        ("mean ", AvgPool2d(2, 1), "3, 4; 6, 7 and 0.25, 0, -0.25; 0.75, 0.625, -0.125; 0.5, 0.625, 0.125"),
    ):
        y, saved = pooling.forward(x)
        print(name, y, pooling.backward(delta, saved)[0], "expected", expected)
    y, saved = Flatten().forward(x)
    print("rows ", y, Flatten().backward(y, saved)[0], "expected 1 to 9 twice")


if __name__ == "__main__":
    example()
