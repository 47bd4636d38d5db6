"""Backward writes its result into the inputs that it was given, which another function still needs.

Source: https://github.com/linkedin/Liger-Kernel/issues/254
What it did: where the layer before keeps its output for its own backward (exp, softmax), its gradient is wrong, and
autograd's own guard does not see what a kernel writes.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(a, b):
    return torch.nn.functional.silu(a) * b


def right(d, a, b):
    s = torch.sigmoid(a)
    return d * b * s * (1 + a * (1 - s)), d * a * s


def wrong(d, a, b):
    d_a, d_b = right(d, a, b)
    return a.copy_(d_a), b.copy_(d_b)


def inputs():
    return normal((3, 4), (3, 4), seed=34)


EXHIBIT = Exhibit(
    title="SwiGLU: backward overwrites inputs",
    source="https://github.com/linkedin/Liger-Kernel/issues/254",
    check="check_function",
    guilty=("gradient of a", "gradient of b"),
    causes=frozenset({"changes-input"}),
)
