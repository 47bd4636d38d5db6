"""Forward divides what it keeps by 1 − p; backward multiplies by p.

Source: https://github.com/NVIDIA/apex/pull/816
What it did: gradients of attention with dropout had the wrong size.
"""

import torch
from museum.exhibit import Exhibit, normal

P = 0.3


def forward(x, keep):
    return x * keep / (1 - P)


def right(d, x, keep):
    return d * keep / (1 - P), None


def wrong(d, x, keep):
    return d * keep * P, None


def inputs():
    x, u = normal((4, 6), (4, 6), seed=28)
    return [x, torch.sigmoid(u) > P]


EXHIBIT = Exhibit(
    title="dropout: scale p for 1/(1 − p)",
    source="https://github.com/NVIDIA/apex/pull/816",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"factor"}),
)
