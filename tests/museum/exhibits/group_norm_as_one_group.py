"""The mean of the correction runs over the whole row, and the norm is one of groups.

Source: https://github.com/state-spaces/mamba/pull/547
What it did: with more than one group the gradients of a state space model exploded; three issues reported it.
"""

from museum.exhibit import Exhibit, normal

GROUPS = 3


def forward(x, w):
    g = x.unflatten(-1, (GROUPS, -1))
    return (g * (g.square().mean(-1, keepdim=True) + 1e-5).rsqrt()).flatten(-2) * w


def _backward(d, x, w, axes):
    g, k = (t.unflatten(-1, (GROUPS, -1)) for t in (x, d * w))
    r = (g.square().mean(-1, keepdim=True) + 1e-5).rsqrt()
    h = g * r
    d_x = r * (k - h * (k * h).mean(axes, keepdim=True))
    return d_x.flatten(-2), (d * h.flatten(-2)).sum(0)


def right(d, x, w):
    return _backward(d, x, w, axes=-1)


def wrong(d, x, w):
    return _backward(d, x, w, axes=(-2, -1))


def inputs():
    return normal((5, 12), (12,), seed=3)


EXHIBIT = Exhibit(
    title="group norm: mean over all groups",
    source="https://github.com/state-spaces/mamba/pull/547",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"another-axis", "projection-missing", "mean-for-sum"}),
)
