"""The gradient of the input leaves out the weight of the norm.

Source: https://github.com/karpathy/llm.c/pull/763 (a reader's comment)
What it did: a reader had forgotten the weight in a backward of RMS norm, and searched for days.
"""

from museum.exhibit import Exhibit, normal


def forward(x, w):
    return x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * w


def _backward(d, k, x):
    r = (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt()
    h = x * r
    return r * (k - h * (k * h).mean(-1, keepdim=True)), (d * h).sum((0, 1))


def right(d, x, w):
    return _backward(d, d * w, x)


def wrong(d, x, w):
    return _backward(d, d, x)


def inputs():
    x, w = normal((2, 3, 8), (8,), seed=1)
    return [x, w]


EXHIBIT = Exhibit(
    title="RMS norm: weight forgotten in d_x",
    source="https://github.com/karpathy/llm.c/pull/763",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"weights-missing", "term-missing", "slope-missing"}),
)
