"""The upstream gradient of a loss is one number, and backward reads one for each entry.

Source: https://github.com/flagos-ai/FlagGems/issues/5212
What it did: the first entry of the gradient was right, each other one was multiplied by what lay in memory behind. The
tests handed over an upstream gradient of full size.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(y, t):
    return ((y - t) ** 2).mean()


def right(d, y, t):
    d_y = d * 2 * (y - t) / y.numel()
    return d_y, -d_y


def wrong(d, y, t):
    memory = torch.zeros(y.numel()).to(d)  # stands for what lies behind the one number
    memory[0] = d
    d_y = memory.view(y.shape) * 2 * (y - t) / y.numel()
    return d_y, -d_y


def inputs():
    return normal((4, 3), (4, 3), seed=50)


EXHIBIT = Exhibit(
    title="loss: reads beyond its upstream",
    source="https://github.com/flagos-ai/FlagGems/issues/5212",
    check="check_function",
    guilty=("gradient of y", "gradient of t"),
    causes=frozenset({"only-some", "zero-rows", "one-sample", "wrong-mask"}),
)
