"""Rows of equal index overwrite each other, and have to be added.

Source: https://github.com/tenstorrent/tt-metal/issues/6232
What it did: an embedding in which a word came twice learned from one of the two places only. The documentation then
asked for indices without repeats.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(w, i):
    return w[i]


def right(d, w, i):
    return torch.zeros_like(w).index_add(0, i, d), None


def wrong(d, w, i):
    d_w = torch.zeros_like(w)
    d_w[i] = d
    return d_w, None


def inputs():
    return [*normal((7, 4), seed=7), torch.tensor([1, 3, 3, 0, 6, 3])]


EXHIBIT = Exhibit(
    title="embedding: repeats overwrite",
    source="https://github.com/tenstorrent/tt-metal/issues/6232",
    check="check_function",
    guilty=("gradient of w",),
    causes=frozenset({"duplicates-overwritten", "sample-missing", "part-missing"}),
)
