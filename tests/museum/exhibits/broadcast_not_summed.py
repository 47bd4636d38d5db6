"""The gradient of a factor that was broadcast is not summed over the axis that was broadcast.

Source: https://github.com/tenstorrent/tt-metal/issues/40008
What it did: forward worked, backward stopped with a wrong shape, for every mask of one column.
"""

from museum.exhibit import Exhibit, normal


def forward(h, mask):
    return h * mask


def right(d, h, mask):
    return d * mask, (d * h).sum(-1, keepdim=True)


def wrong(d, h, mask):
    return d * mask, d * h


def inputs():
    return normal((2, 1, 4, 6), (2, 1, 4, 1), seed=12)


EXHIBIT = Exhibit(
    title="product: broadcast not summed",
    source="https://github.com/tenstorrent/tt-metal/issues/40008",
    check="check_function",
    guilty=("gradient of mask",),
    causes=frozenset({"wrong-shape", "broadcast-not-summed"}),
)
