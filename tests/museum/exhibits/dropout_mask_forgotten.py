"""Backward of dropout divides by 1 − p, and forgets which units were dropped.

Source: https://github.com/ddbourgin/numpy-ml/issues/94
What it did: units that were dropped got a gradient, larger than without dropout.
"""

import torch
from museum.exhibit import Exhibit, normal

P = 0.4


def forward(x, keep):
    return x * keep / (1 - P)


def right(d, x, keep):
    return d * keep / (1 - P), None


def wrong(d, x, keep):
    return d / (1 - P), None


def inputs():
    x, u = normal((4, 6), (4, 6), seed=29)
    return [x, torch.sigmoid(u) > P]


EXHIBIT = Exhibit(
    title="dropout: mask forgotten",
    source="https://github.com/ddbourgin/numpy-ml/issues/94",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"wrong-mask", "slope-missing", "term-missing"}),
)
