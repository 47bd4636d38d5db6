"""The backward of a loss does not read the gradient that it is given.

Source: https://github.com/chainer/chainer/issues/1175
What it did: a Huber loss times 0 trained as if it were times 1: whatever was done to the loss had no effect.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(y, t):
    e = y - t
    return torch.where(e.abs() <= 1, 0.5 * e**2, e.abs() - 0.5).sum()


def right(d, y, t):
    e = (y - t).clamp(-1, 1)
    return d * e, -d * e


def wrong(d, y, t):
    e = (y - t).clamp(-1, 1)
    return e, -e


def inputs():
    return normal((4, 3), (4, 3), seed=17)


EXHIBIT = Exhibit(
    title="Huber loss: upstream ignored",
    source="https://github.com/chainer/chainer/issues/1175",
    check="check_function",
    guilty=("gradient of y", "gradient of t"),
    causes=frozenset({"upstream-ignored", "upstream-missing"}),
    needs={"strict": True},
    why="for loss.backward() it is right: without strict=True it is accepted with a remark that says so",
)
