"""Of the Jacobian of softmax only the diagonal y (1 − y) is computed.

Source: https://github.com/deeplearning4j/libnd4j/issues/440
What it did: softmax anywhere but in the last layer got a wrong gradient; the sum over the other units was missing.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(z):
    return torch.softmax(z, -1)


def right(d, z):
    y = torch.softmax(z, -1)
    return y * (d - (d * y).sum(-1, keepdim=True))


def wrong(d, z):
    y = torch.softmax(z, -1)
    return d * y * (1 - y)


def inputs():
    return normal((5, 4), seed=21)


EXHIBIT = Exhibit(
    title="softmax: diagonal of the Jacobian",
    source="https://github.com/deeplearning4j/libnd4j/issues/440",
    check="check_function",
    guilty=("gradient of z",),
    causes=frozenset({"softmax-not-differentiated", "projection-missing", "part-missing"}),
)
