"""Which side of the kink a number is on is read from the output; with a negative slope that is the wrong side.

Source: https://github.com/apache/mxnet/pull/3277
What it did: the learned slopes of a deep network grew without end once some were negative, and accuracy fell.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, slope):
    return torch.where(x > 0, x, slope * x)


def _backward(d, x, slope, mask):
    return torch.where(mask, d, slope * d), torch.where(x > 0, 0 * d, d * x).sum(0)


def right(d, x, slope):
    return _backward(d, x, slope, x > 0)


def wrong(d, x, slope):
    return _backward(d, x, slope, forward(x, slope) > 0)


def inputs():
    return [*normal((6, 4), seed=23), torch.tensor([0.25, -0.3, 0.1, -0.5])]


EXHIBIT = Exhibit(
    title="PReLU: mask of the output",
    source="https://github.com/apache/mxnet/pull/3277",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"wrong-mask", "slope-at-output"}),
)
