"""A kernel reads the upstream gradient as if its rows lay one after the other in memory.

Source: https://github.com/flagos-ai/FlagGems/pull/1082
What it did: where the layer behind handed on a transposed gradient, the gradients were off by 1000 % or NaN. (There it
was an RMS norm; here it is the layer's weight alone.)
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, w):
    return x * w


def _function(checked):
    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, d):
            x, w = ctx.saved_tensors
            d = d.contiguous() if checked else d
            rows = torch.as_strided(d, d.shape, (d.shape[1], 1)) if d.stride(0) else d
            return rows * w, (rows * x).sum(0)

    return Scale


right, wrong = _function(checked=True), _function(checked=False)


def inputs():
    return normal((4, 5), (5,), seed=32)


EXHIBIT = Exhibit(
    title="kernel: strides of the upstream",
    source="https://github.com/flagos-ai/FlagGems/pull/1082",
    check="check_autograd_function",
    guilty=("gradient of x", "gradient of w"),
    causes=frozenset({"wrong-for-layout"}),
)
