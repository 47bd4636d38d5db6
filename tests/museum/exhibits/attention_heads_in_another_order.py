"""Query heads are numbered in one way by forward, and split by the other count in backward.

Source: https://github.com/XunhaoLai/native-sparse-attention-triton/issues/27
What it did: gradients of keys came back as garbage or NaN, unless both counts of heads were equal.
"""

import torch
from museum.exhibit import Exhibit, normal

KEYS, SHARING = 2, 3  # heads of keys, query heads for each of them


def forward(q, k):
    return torch.stack([q[h] @ k[h % KEYS].mT for h in range(len(q))])


def _backward(d, q, k, count):
    d_k = torch.zeros(KEYS * SHARING, *k.shape[1:], dtype=k.dtype)
    for h in range(len(q)):
        slot = (h % count) * SHARING + h // count
        if slot < len(d_k):
            d_k[slot] = d[h].mT @ q[h]
    d_q = torch.stack([d[h] @ k[h % KEYS] for h in range(len(q))])
    return d_q, d_k.unflatten(0, (KEYS, SHARING)).sum(1)


def right(d, q, k):
    return _backward(d, q, k, KEYS)


def wrong(d, q, k):
    return _backward(d, q, k, SHARING)


def inputs():
    return normal((KEYS * SHARING, 4, 3), (KEYS, 5, 3), seed=31)


EXHIBIT = Exhibit(
    title="attention: heads in another order",
    source="https://github.com/XunhaoLai/native-sparse-attention-triton/issues/27",
    check="check_function",
    guilty=("gradient of k",),
    causes=frozenset(
        {"another-axis", "shifted", "wrong-sample", "unit-beside", "another-tensor", "duplicates-overwritten"}
    ),
)
