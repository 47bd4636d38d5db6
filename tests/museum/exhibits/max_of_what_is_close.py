"""What is within 0.01 of the maximum counts as the maximum, and gets a gradient too.

Source: https://github.com/mni-ml/framework/pull/22
What it did: nothing to users: a review found it. Numbers near the maximum were trained as if they were it.
"""

from museum.exhibit import Exhibit, normal


def forward(x):
    return x.amax(-1)


def _backward(d, x, margin):
    return d[:, None] * (x >= x.amax(-1, keepdim=True) - margin)


def right(d, x):
    return _backward(d, x, margin=0)


def wrong(d, x):
    return _backward(d, x, margin=1e-2)


def inputs():
    (x,) = normal((4, 5), seed=24)
    x[1, 0], x[1, 3] = 2.0, 2.005
    x[2, 2], x[2, 4] = 3.0, 2.995
    return [x]


EXHIBIT = Exhibit(
    title="maximum: what is close counts too",
    source="https://github.com/mni-ml/framework/pull/22",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"wrong-mask"}),
)
