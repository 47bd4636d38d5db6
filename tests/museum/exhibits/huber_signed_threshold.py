"""The threshold is compared with the difference itself, not with its size.

Source: https://github.com/BobMcDear/attorch/issues/13
What it did: every difference below the negative threshold was treated as small, a quarter of the numbers. (There
forward had the same mistake; here it is right.)
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(y, t):
    return torch.nn.functional.huber_loss(y, t, reduction="none", delta=0.8)


def _backward(d, e, small):
    d_y = d * torch.where(small, e, 0.8 * e.sign())
    return d_y, -d_y


def right(d, y, t):
    return _backward(d, y - t, (y - t).abs() < 0.8)


def wrong(d, y, t):
    return _backward(d, y - t, y - t < 0.8)


def inputs():
    return normal((5, 4), (5, 4), seed=18)


EXHIBIT = Exhibit(
    title="Huber loss: signed threshold",
    source="https://github.com/BobMcDear/attorch/issues/13",
    check="check_function",
    guilty=("gradient of y", "gradient of t"),
    causes=frozenset({"wrong-mask"}),
)
