"""The gradient of a convolution's weights is divided by the number of places that the kernel visits.

Source: https://github.com/sebgao/cTensor/issues/3
What it did: the weights of every convolution learned by a fraction of their gradient; a reader asked why, and the
author agreed.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, w):
    return torch.einsum("nhwij,oij->nohw", x.unfold(1, 3, 1).unfold(2, 3, 1), w)


def right(d, x, w):
    windows = x.unfold(1, 3, 1).unfold(2, 3, 1)
    d_x = torch.nn.functional.conv_transpose2d(d, w[:, None])[:, 0]
    return d_x, torch.einsum("nhwij,nohw->oij", windows, d)


def wrong(d, x, w):
    d_x, d_w = right(d, x, w)
    return d_x, d_w / (d.shape[0] * d.shape[2] * d.shape[3])


def inputs():
    return normal((2, 6, 5), (3, 3, 3), seed=37)


EXHIBIT = Exhibit(
    title="convolution: weights averaged",
    source="https://github.com/sebgao/cTensor/issues/3",
    check="check_function",
    guilty=("gradient of w",),
    causes=frozenset({"factor", "mean-for-sum"}),
)
