"""Of several equal maxima each gets the whole gradient.

Source: https://github.com/Theano/Theano/issues/5248
What it did: with many zeros in the pictures the gradient grew by the number of ties, on one device and not on another.
"""

from museum.exhibit import Exhibit, normal


def forward(x):
    return x.unflatten(-1, (-1, 2)).amax(-1)


def _ties(x):
    pairs = x.unflatten(-1, (-1, 2))
    return (pairs == pairs.amax(-1, keepdim=True)).to(x)


def right(d, x):
    ties = _ties(x)
    return (d[..., None] * ties / ties.sum(-1, keepdim=True)).flatten(-2)


def wrong(d, x):
    return (d[..., None] * _ties(x)).flatten(-2)


def inputs():
    (x,) = normal((3, 8), seed=25)
    return [x.relu()]


EXHIBIT = Exhibit(
    title="pooling: each tied maximum gets it",
    source="https://github.com/Theano/Theano/issues/5248",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"wrong-mask", "at-kink", "part-twice"}),
)
