"""Backward of a cross-entropy with soft targets takes for granted that each row of targets adds up to 1.

Source: https://github.com/NVIDIA-NeMo/Automodel/pull/2428
What it did: nothing yet: a review found it. Targets that do not add up to 1, as with masks or smoothing, get a wrong
gradient, while the loss is right.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(z, p):
    return p.sum(-1) * torch.logsumexp(z, -1) - (p * z).sum(-1)


def _backward(d, z, p, total):
    d_p = torch.logsumexp(z, -1, keepdim=True) - z
    return d[:, None] * (total * torch.softmax(z, -1) - p), d[:, None] * d_p


def right(d, z, p):
    return _backward(d, z, p, p.sum(-1, keepdim=True))


def wrong(d, z, p):
    return _backward(d, z, p, 1)


def inputs():
    z, p = normal((5, 4), (5, 4), seed=49)
    return [z, p.sigmoid()]


EXHIBIT = Exhibit(
    title="soft targets: sum of 1 assumed",
    source="https://github.com/NVIDIA-NeMo/Automodel/pull/2428",
    check="check_function",
    guilty=("gradient of z",),
    causes=frozenset({"term-missing", "weights-missing", "projection-missing"}),
)
