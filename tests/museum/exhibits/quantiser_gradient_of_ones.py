"""The straight-through estimator of rounding returns 1, not the gradient that it is given.

Source: https://github.com/PannenetsF/TQT/issues/4
What it did: all that comes after the rounding, the loss as well, had no part in the gradient.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x):
    return torch.round(x)


def right(d, x):
    return d


def wrong(d, x):
    return torch.ones_like(d)


def inputs():
    return [4 * normal((3, 5), seed=15)[0]]


EXHIBIT = Exhibit(
    title="rounding: gradient of ones",
    source="https://github.com/PannenetsF/TQT/issues/4",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"upstream-ignored", "upstream-missing"}),
    needs={"differences": False},
    why="a straight-through estimator is not the derivative, and differences=False says that it is meant",
)
