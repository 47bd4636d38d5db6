"""Every row of the gradient is written to the first row of the result.

Source: https://github.com/ByteDance-Seed/Triton-distributed/issues/180
What it did: mixtures of experts got NaN or garbage in training. The gradient of the gate's scale, a sum per row, was
right and hid it.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(a, b):
    return torch.nn.functional.silu(a) * b


def right(d, a, b):
    s = torch.sigmoid(a)
    return d * b * s * (1 + a * (1 - s)), d * a * s


def wrong(d, a, b):
    results = []
    for gradient in right(d, a, b):
        out = torch.zeros_like(gradient)
        for row in gradient:
            out[0] = row  # out[i]
        results.append(out)
    return tuple(results)


def inputs():
    return normal((4, 6), (4, 6), seed=11)


EXHIBIT = Exhibit(
    title="SwiGLU: every row to row 0",
    source="https://github.com/ByteDance-Seed/Triton-distributed/issues/180",
    check="check_function",
    guilty=("gradient of a", "gradient of b"),
    causes=frozenset({"zero-rows", "one-sample", "duplicates-overwritten", "only-some", "wrong-sample"}),
)
