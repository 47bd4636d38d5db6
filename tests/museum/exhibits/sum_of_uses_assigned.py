"""A value is used twice, and its gradient is assigned where it has to be added.

Source: https://github.com/karpathy/nn-zero-to-hero/issues/52
What it did: the notebook says that the lecture's video has = for +=. Who types what the video shows gets wrong
gradients for every value that is used more than once.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x):
    return x * torch.exp(x)


def right(d, x):
    d_x = d * torch.exp(x)  # the use as a factor
    d_x += d * x * torch.exp(x)  # the use inside exp
    return d_x


def wrong(d, x):
    d_x = d * torch.exp(x)
    d_x = d * x * torch.exp(x)
    return d_x


def inputs():
    return normal((2, 5), seed=36)


EXHIBIT = Exhibit(
    title="engine: = for +=",
    source="https://github.com/karpathy/nn-zero-to-hero/issues/52",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"part-missing", "path-detached", "term-missing"}),
)
