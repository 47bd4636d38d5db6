"""Backward of a convolution moves its window by one place, forward by the stride.

Source: https://github.com/Kulbear/deep-learning-coursera/pull/34
What it did: a published solution of a course's homework gave wrong gradients for every stride but 1; two collections of
solutions had it.
"""

import torch
from museum.exhibit import Exhibit, normal

STRIDE = 2


def forward(x, w):
    return x.unfold(-1, len(w), STRIDE) @ w


def _backward(d, x, w, stride):
    d_x, d_w = torch.zeros_like(x), torch.zeros_like(w)
    for i in range(d.shape[-1]):
        start = i * stride
        d_x[:, start : start + len(w)] += d[:, i, None] * w
        d_w += d[:, i] @ x[:, start : start + len(w)]
    return d_x, d_w


def right(d, x, w):
    return _backward(d, x, w, STRIDE)


def wrong(d, x, w):
    return _backward(d, x, w, 1)


def inputs():
    return normal((3, 9), (3,), seed=38)


EXHIBIT = Exhibit(
    title="convolution: stride forgotten",
    source="https://github.com/Kulbear/deep-learning-coursera/pull/34",
    check="check_function",
    guilty=("gradient of x", "gradient of w"),
    causes=frozenset({"shifted", "wrong-sample", "another-tensor"}),
)
