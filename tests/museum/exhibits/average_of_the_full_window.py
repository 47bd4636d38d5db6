"""The last window is cut off at the edge; forward divides by what is left of it, backward by the full window.

Source: https://github.com/tracel-ai/burn/issues/5604
What it did: with ceil_mode, gradients of the last column were half of what they should be.
"""

import torch
from museum.exhibit import Exhibit, normal

WINDOW = 2


def forward(x):
    return torch.stack([part.mean(-1) for part in x.split(WINDOW, -1)], -1)


def _backward(d, x, divisors):
    spread = d / torch.tensor(divisors).to(d)
    return spread.repeat_interleave(WINDOW, -1)[..., : x.shape[-1]]


def right(d, x):
    return _backward(d, x, [part.shape[-1] for part in x.split(WINDOW, -1)])


def wrong(d, x):
    return _backward(d, x, [WINDOW for _ in x.split(WINDOW, -1)])


def inputs():
    return normal((3, 5), seed=26)


EXHIBIT = Exhibit(
    title="average pooling: full divisor",
    source="https://github.com/tracel-ai/burn/issues/5604",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"only-some", "factor", "mean-for-sum"}),
)
