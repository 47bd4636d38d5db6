"""The sums from behind are computed, and then what stood there before the sums is returned.

Source: https://github.com/pytorch/pytorch/pull/32876
What it did: nothing to users: a reviewer saw it before the function came out. The scaling was applied twice as well.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x):
    return torch.logcumsumexp(x, -1)


def _from_behind(g):
    return g.flip(-1).cumsum(-1).flip(-1)


def right(d, x):
    return x.exp() * _from_behind(d * (-forward(x)).exp())


def wrong(d, x):
    g = d * (-forward(x)).exp()
    _from_behind(g)
    return x.exp() * g


def inputs():
    return normal((3, 6), seed=22)


EXHIBIT = Exhibit(
    title="log of running sums: sum not used",
    source="https://github.com/pytorch/pytorch/pull/32876",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"part-missing", "path-detached", "step-missing", "another-tensor", "term-missing"}),
)
