"""At a logit of exactly 0 the gradient is 0, not sigmoid(0) − t: two kinks of the stable formula do not cancel.

Source: https://github.com/pytorch/pytorch/issues/2298
What it did: a model that begins with all weights 0 got no gradient at all.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(z, t):
    return torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction="none")


def right(d, z, t):
    return d * (torch.sigmoid(z) - t), -d * z


def wrong(d, z, t):
    d_z, d_t = right(d, z, t)
    return torch.where(z == 0, 0 * d_z, d_z), d_t


def inputs():
    z, t = normal((4, 5), (4, 5), seed=19)
    z[1, 2] = z[3, 0] = z[3, 4] = 0
    return [z, t.sigmoid()]


EXHIBIT = Exhibit(
    title="logits: no gradient at exactly 0",
    source="https://github.com/pytorch/pytorch/issues/2298",
    check="check_function",
    guilty=("gradient of z",),
    causes=frozenset({"wrong-mask", "only-some", "at-kink", "zeros"}),
)
