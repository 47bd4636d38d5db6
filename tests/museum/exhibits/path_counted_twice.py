"""A value that is used twice hands its gradient on at each use, the first part both times.

Source: https://github.com/sebgao/cTensor/issues/5
What it did: the derivative of 3 x² at 1 came out as 7: 6 and what had gone through x a the first time once more.
"""

from museum.exhibit import Exhibit, normal


def forward(x, a):
    xa = x * a
    return x * xa + x * xa + x * x * a


def _backward(d, x, a, second):
    xa = x * a
    d_xa = d * x
    d_x = 2 * d * xa + d * 2 * x * a  # beside xa
    d_x = d_x + d_xa * a  # the first use of xa
    d_xa = d_xa + d * x if second else d * x  # the second
    return d_x + d_xa * a, 2 * d * x * x + d * x * x


def right(d, x, a):
    return _backward(d, x, a, second=False)


def wrong(d, x, a):
    return _backward(d, x, a, second=True)


def inputs():
    return normal((7,), (7,), seed=35)


EXHIBIT = Exhibit(
    title="engine: path counted twice",
    source="https://github.com/sebgao/cTensor/issues/5",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"part-twice", "factor"}),
)
