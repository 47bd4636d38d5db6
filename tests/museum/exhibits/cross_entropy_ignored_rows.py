"""Rows whose class is to be ignored still get a gradient.

Source: https://github.com/PaddlePaddle/Paddle/pull/28622
What it did: padded positions trained the network, although their loss was 0.
"""

import torch
from museum.exhibit import Exhibit, normal

IGNORED = 1


def forward(z, t):
    return torch.nn.functional.cross_entropy(z, t, ignore_index=IGNORED, reduction="none")


def _softmax_minus_target(z, t):
    return torch.softmax(z, 1) - torch.nn.functional.one_hot(t, z.shape[1])


def right(d, z, t):
    return d[:, None] * _softmax_minus_target(z, t) * (t != IGNORED)[:, None], None


def wrong(d, z, t):
    return d[:, None] * _softmax_minus_target(z, t), None


def inputs():
    return [*normal((6, 4), seed=20), torch.tensor([0, 1, 3, 2, 1, 0])]


EXHIBIT = Exhibit(
    title="cross-entropy: ignored rows train",
    source="https://github.com/PaddlePaddle/Paddle/pull/28622",
    check="check_function",
    guilty=("gradient of z",),
    causes=frozenset({"wrong-mask", "only-some"}),
)
