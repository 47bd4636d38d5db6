"""Mean and variance of the batch are taken as constants: what comes back through them is missing.

Source: https://github.com/facebookresearch/CrypTen/pull/143
What it did: gradients of the input were wrong in training mode. The unit test never switched training mode on.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, g, b):
    return torch.nn.functional.batch_norm(x, None, None, g, b, training=True)


def _function(constant):
    class BatchNorm(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, g, b):
            r = (x.var(0, unbiased=False) + 1e-5).rsqrt()
            h = (x - x.mean(0)) * r
            ctx.save_for_backward(h, r, g)
            return h * g + b

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, d):
            h, r, g = ctx.saved_tensors
            k = d * g
            d_x = r * k if constant else r * (k - k.mean(0) - h * (k * h).mean(0))
            return d_x, (d * h).sum(0), d.sum(0)

    return BatchNorm


right, wrong = _function(constant=False), _function(constant=True)


def inputs():
    return normal((10, 4), (4,), (4,), seed=4)


EXHIBIT = Exhibit(
    title="batch norm: constant statistics",
    source="https://github.com/facebookresearch/CrypTen/pull/143",
    check="check_autograd_function",
    guilty=("gradient of x",),
    causes=frozenset({"path-detached", "projection-missing", "part-missing"}),
)
