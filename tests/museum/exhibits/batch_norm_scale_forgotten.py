"""The upstream gradient is multiplied by the scale γ, and then the one without γ is used.

Source: https://github.com/denizyuret/Knet.jl/issues/288
What it did: on the CPU the gradient of the input did not depend on γ. A test with random γ failed now and then, and
only in float32.
"""

from museum.exhibit import Exhibit, normal


def forward(x, g, b):
    return (x - x.mean(0)) * (x.var(0, unbiased=False) + 1e-5).rsqrt() * g + b


def _backward(d, k, x):
    r = (x.var(0, unbiased=False) + 1e-5).rsqrt()
    h = (x - x.mean(0)) * r
    return r * (k - k.mean(0) - h * (k * h).mean(0)), (d * h).sum(0), d.sum(0)


def right(d, x, g, b):
    return _backward(d, d * g, x)


def wrong(d, x, g, b):
    return _backward(d, d, x)


def inputs():
    return normal((9, 5), (5,), (5,), seed=5)


EXHIBIT = Exhibit(
    title="batch norm: γ forgotten in d_x",
    source="https://github.com/denizyuret/Knet.jl/issues/288",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"weights-missing", "term-missing", "slope-missing"}),
)
