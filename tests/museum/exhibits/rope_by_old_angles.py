"""Forward turns by scaled angles, backward still by those without the scale.

Source: https://github.com/ggml-org/llama.cpp/pull/3974
What it did: after a new scaling of the positions came into forward, the separate backward of rotary embeddings no
longer fitted it; now both share one function.
"""

import torch
from museum.exhibit import Exhibit, normal

SCALE = 0.25


def _turned(x, scale, sign=1.0):
    angles = torch.outer(torch.arange(x.shape[-2]), 0.1 ** torch.arange(x.shape[-1] // 2)).to(x) * scale
    c, s = angles.cos(), sign * angles.sin()
    a, b = x.chunk(2, -1)
    return torch.cat([a * c - b * s, b * c + a * s], -1)


def forward(q):
    return _turned(q, SCALE)


def right(d, q):
    return _turned(d, SCALE, sign=-1.0)


def wrong(d, q):
    return _turned(d, 1.0, sign=-1.0)


def inputs():
    return normal((2, 6, 8), seed=6)


EXHIBIT = Exhibit(
    title="rotary embedding: unscaled angles",
    source="https://github.com/ggml-org/llama.cpp/pull/3974",
    check="check_function",
    guilty=("gradient of q",),
    causes=frozenset({"another-tensor", "wrong-argument", "another-function"}),
)
