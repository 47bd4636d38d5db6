"""The correction of each row is spread along the columns: a trailing axis is missing.

Source: https://github.com/BobMcDear/attorch/issues/17
What it did: the RMS norm of a library of kernels did not compile for most block sizes. Where the two sizes of a block
were equal, it compiled and gave wrong gradients of the input without a warning; no shape in the tests was of this kind.
"""

from museum.exhibit import Exhibit, normal


def forward(x, w):
    return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * w


def _backward(d, x, w, trailing):
    r = (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
    k = d * w
    correction = (k * x).mean(-1)  # one number a row
    if trailing:
        correction = correction[:, None]
    return r * k - r**3 * x * correction, (d * x * r).sum(0)


def right(d, x, w):
    return _backward(d, x, w, trailing=True)


def wrong(d, x, w):
    return _backward(d, x, w, trailing=False)


def inputs():
    return normal((6, 6), (6,))


EXHIBIT = Exhibit(
    title="RMS norm: correction along columns",
    source="https://github.com/BobMcDear/attorch/issues/17",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"another-axis", "wrong-sample", "projection-missing"}),
)
