"""The biases of the input and output gates get the gradient of the forget gate.

Source: https://github.com/hanbt/learn_dl/issues/53
What it did: a copied line in a tutorial's LSTM: two biases followed the wrong gate.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, c, Wi, Wf, bi, bf):
    return torch.sigmoid(x @ Wf + bf) * c + torch.sigmoid(x @ Wi + bi)


def _deltas(d, x, c, Wi, Wf, bi, bf):
    i, f = torch.sigmoid(x @ Wi + bi), torch.sigmoid(x @ Wf + bf)
    return d * i * (1 - i), d * c * f * (1 - f), d * f


def right(d, x, c, Wi, Wf, bi, bf):
    d_i, d_f, d_c = _deltas(d, x, c, Wi, Wf, bi, bf)
    return d_i @ Wi.T + d_f @ Wf.T, d_c, x.T @ d_i, x.T @ d_f, d_i.sum(0), d_f.sum(0)


def wrong(d, x, c, Wi, Wf, bi, bf):
    d_i, d_f, d_c = _deltas(d, x, c, Wi, Wf, bi, bf)
    return d_i @ Wi.T + d_f @ Wf.T, d_c, x.T @ d_i, x.T @ d_f, d_f.sum(0), d_f.sum(0)


def inputs():
    return normal((6, 3), (6, 4), (3, 4), (3, 4), (4,), (4,), seed=48)


EXHIBIT = Exhibit(
    title="LSTM: bias follows another gate",
    source="https://github.com/hanbt/learn_dl/issues/53",
    check="check_function",
    guilty=("gradient of bi",),
    causes=frozenset({"another-gradient", "another-tensor", "swapped"}),
)
