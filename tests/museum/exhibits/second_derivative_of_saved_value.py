"""A value that forward computed is kept aside, so that its own derivative is missing in the second derivative.

Source: https://github.com/pytorch/pytorch/issues/58509
What it did: gradients were right, gradients of gradients (penalties, meta-learning) silently wrong.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x):
    return (2 * x) ** 2


def _function(kept):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.doubled = 2 * x
            return ctx.doubled**2

        @staticmethod
        def backward(ctx, d):
            (x,) = ctx.saved_tensors
            return 4 * (ctx.doubled if kept else 2 * x) * d

    return Square


right, wrong = _function(kept=False), _function(kept=True)


def inputs():
    return normal((3, 4), seed=16)


EXHIBIT = Exhibit(
    title="second derivative: kept value",
    source="https://github.com/pytorch/pytorch/issues/58509",
    check="check_autograd_function",
    guilty=("second derivative by x",),
    causes=frozenset({"path-detached", "part-missing", "zeros", "factor"}),
    needs={"second_order": True},
    why="the first derivative is right",
)
