"""Rows beyond the last full tile of 32 are never written, and hold what lay in memory before.

Source: https://github.com/tenstorrent/tt-mlir/issues/9220
What it did: rows that no index had selected came back with garbage and no error. The vocabularies of BERT and GPT-2 are
no multiples of 32.
"""

import torch
from museum.exhibit import Exhibit, normal

TILE = 32


def forward(w, i):
    return w[i]


def right(d, w, i):
    return torch.zeros_like(w).index_add(0, i, d), None


def wrong(d, w, i):
    d_w, _ = right(d, w, i)
    d_w[len(w) // TILE * TILE :] = 0.37  # stands for what was left in the buffer
    return d_w, None


def inputs():
    return [*normal((40, 3), seed=9), torch.tensor([0, 5, 35, 5])]


EXHIBIT = Exhibit(
    title="embedding: rows beyond the tile",
    source="https://github.com/tenstorrent/tt-mlir/issues/9220",
    check="check_function",
    guilty=("gradient of w",),
    causes=frozenset({"only-some", "stale-buffer", "keeps-state"}),
)
