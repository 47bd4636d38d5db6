"""The gradient of the weight is summed over the rows in bfloat16, and a sum needs float32.

Source: https://github.com/linkedin/Liger-Kernel/pull/950
What it did: one of two kernels of the same norm lost digits in the gradient of its weight, for small and large inputs.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, w):
    h = x.float()
    return (h * (h.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * w).to(x.dtype)


def _backward(d, x, w, summed):
    h, k = x.float(), d.float() * w
    r = (h.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
    d_x = r * k - r**3 * h * (k * h).mean(-1, keepdim=True)
    return d_x.to(x.dtype), summed(d.float() * h * r)


def right(d, x, w):
    return _backward(d, x, w, lambda parts: parts.sum(0))


def wrong(d, x, w):
    def in_bfloat16(parts):
        total = torch.zeros_like(parts[0], dtype=torch.bfloat16)
        for row in parts.bfloat16():
            total += row
        return total.float()

    return _backward(d, x, w, in_bfloat16)


def inputs():
    x, w = normal((6000, 2), (2,), seed=51)
    return [x.bfloat16(), w]


EXHIBIT = Exhibit(
    title="RMS norm: weight sum in bfloat16",
    source="https://github.com/linkedin/Liger-Kernel/pull/950",
    check="check_function",
    guilty=("gradient of w",),
    causes=frozenset({"half-precision-sum"}),
)
