"""The first direction writes its result over the upstream gradient, which the other direction still has to read.

Source: https://github.com/apache/mxnet/pull/18203
What it did: bidirectional layers of an LSTM had wrong gradients of their inputs on CPUs without one library.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, a, b):
    return torch.tanh(x @ a) + torch.tanh(x.flip(0) @ b).flip(0)


def _backward(d, x, a, b, buffer):
    d_a_z = d * (1 - torch.tanh(x @ a) ** 2)
    d_a = x.T @ d_a_z
    buffer.copy_(d_a_z @ a.T)  # the input's part of the first direction
    d_b_z = d.flip(0) * (1 - torch.tanh(x.flip(0) @ b) ** 2)
    return buffer + (d_b_z @ b.T).flip(0), d_a, x.flip(0).T @ d_b_z


def right(d, x, a, b):
    return _backward(d, x, a, b, torch.empty_like(x))


def wrong(d, x, a, b):
    return _backward(d, x, a, b, d)


def inputs():
    return normal((4, 3), (3, 3), (3, 3), seed=45)


EXHIBIT = Exhibit(
    title="two directions: one buffer",
    source="https://github.com/apache/mxnet/pull/18203",
    check="check_function",
    guilty=("gradient of x", "gradient of a", "gradient of b"),
    causes=frozenset({"changes-input", "another-tensor", "wrong-argument"}),
)
