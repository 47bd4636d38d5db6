"""The backward of a gather gathers once more, where it has to add up at the places that were read.

Source: https://github.com/ooples/AiDotNet.Tensors/pull/894
What it did: sources that were never read got a gradient, and indices out of range were wrapped round without an error.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(table, i):
    return table[i]


def right(d, table, i):
    return torch.zeros_like(table).index_add(0, i, d), None


def wrong(d, table, i):
    return torch.stack([d[i[row % len(i)] % len(d)] for row in range(len(table))]), None


def inputs():
    return [*normal((4, 5), seed=8), torch.tensor([2, 0, 2])]


EXHIBIT = Exhibit(
    title="gather: gathers again in backward",
    source="https://github.com/ooples/AiDotNet.Tensors/pull/894",
    check="check_function",
    guilty=("gradient of table",),
    causes=frozenset({"wrong-sample", "another-tensor", "duplicates-overwritten", "another-axis"}),
)
