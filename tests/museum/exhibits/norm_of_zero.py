"""The gradient of a norm divides by the norm, also where it is 0.

Source: https://github.com/pytorch/pytorch/issues/2421
What it did: one vector of zeros made every parameter NaN; people searched for hours.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x):
    return torch.linalg.vector_norm(x, dim=-1)


def right(d, x):
    length = forward(x)[:, None]
    return torch.where(length > 0, d[:, None] * x / length.clamp_min(1e-30), 0)


def wrong(d, x):
    return d[:, None] * x / forward(x)[:, None]


def inputs():
    (x,) = normal((4, 3), seed=27)
    x[2] = 0
    return [x]


EXHIBIT = Exhibit(
    title="norm: 0/0 at a vector of zeros",
    source="https://github.com/pytorch/pytorch/issues/2421",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"not-finite"}),
)
