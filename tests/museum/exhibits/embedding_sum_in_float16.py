"""Many rows of one index are added up in float16, where the sum stops growing.

Source: https://github.com/apache/mxnet/issues/17703
What it did: with 100,000 indices into 8 words the sums stood at 32 where 127 was right.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(w, i):
    return torch.nn.functional.one_hot(i, len(w)).to(w) @ w  # w[i]; autograd's own sum for that is in float16 too


def right(d, w, i):
    return torch.zeros(w.shape).index_add(0, i, d.float()).to(w.dtype), None


def wrong(d, w, i):
    d_w = torch.zeros_like(w)
    for turn in d.unflatten(0, (-1, len(w))):  # each turn has every word once, in the same order
        d_w += turn
    return d_w, None


def inputs():
    return [normal((2, 3), seed=10)[0].half(), torch.arange(20000) % 2]


EXHIBIT = Exhibit(
    title="embedding: long sums in float16",
    source="https://github.com/apache/mxnet/issues/17703",
    check="check_function",
    guilty=("gradient of w",),
    causes=frozenset({"half-precision-sum"}),
)
