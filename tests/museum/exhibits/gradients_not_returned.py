"""Backward computes both gradients and returns nothing.

Source: https://github.com/huawei-noah/AdderNet/issues/21
What it did: training stopped at once with 'expected 2, got 1'; the return had been forgotten in the published code.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, w):
    return -(x[:, None] - w).abs().sum(-1)


def _function(returns):
    class Adder(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return -(x[:, None] - w).abs().sum(-1)

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, d):
            x, w = ctx.saved_tensors
            slope = d[..., None] * (x[:, None] - w).sign()
            d_x, d_w = -slope.sum(1), slope.sum(0)
            return (d_x, d_w) if returns else None

    return Adder


right, wrong = _function(returns=True), _function(returns=False)


def inputs():
    return normal((4, 5), (3, 5), seed=33)


EXHIBIT = Exhibit(
    title="Function: gradients not returned",
    source="https://github.com/huawei-noah/AdderNet/issues/21",
    check="check_autograd_function",
    guilty=("gradient of x", "gradient of w"),
    causes=frozenset({"wrong-return", "raises"}),
)
