"""The softmax of attention is differentiated with the numbers after dropout, and without dropout's own backward.

Source: https://github.com/aws-neuron/nki-samples/pull/81
What it did: queries and keys got wrong gradients wherever dropout was on.
"""

import torch
from museum.exhibit import Exhibit, normal

P = 0.25


def forward(q, k, v, keep):
    return (torch.softmax(q @ k.mT / 2, -1) * keep.to(q) / (1 - P)) @ v


def _backward(d, q, k, v, p, d_p, dropped):
    d_s = p * (d_p - (d_p * p).sum(-1, keepdim=True)) / 2
    return d_s @ k, d_s.mT @ q, dropped.mT @ d, None


def right(d, q, k, v, keep):
    p, mask = torch.softmax(q @ k.mT / 2, -1), keep.to(q) / (1 - P)
    return _backward(d, q, k, v, p, d @ v.mT * mask, p * mask)


def wrong(d, q, k, v, keep):
    dropped = torch.softmax(q @ k.mT / 2, -1) * keep.to(q) / (1 - P)
    return _backward(d, q, k, v, dropped, d @ v.mT, dropped)


def inputs():
    q, k, v, u = normal((5, 4), (6, 4), (6, 3), (5, 6), seed=30)
    return [q, k, v, torch.sigmoid(u) > P]


EXHIBIT = Exhibit(
    title="attention: softmax after dropout",
    source="https://github.com/aws-neuron/nki-samples/pull/81",
    check="check_function",
    guilty=("gradient of q", "gradient of k"),
    causes=frozenset({"another-tensor", "wrong-mask", "part-missing", "term-missing"}),
)
