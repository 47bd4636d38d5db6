"""The slope of tanh is multiplied in as a matrix, and not number by number.

Source: https://community.deeplearning.ai/t/w3-ex-6-assertionerror-wrong-values-for-dw1/402919
What it did: the shapes fitted, so nothing was raised; a student's dW1 and db1 were wrong.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, W1, b1, W2, b2, t):
    z1 = x @ W1 + b1
    a1 = torch.tanh(z1)
    y = a1 @ W2 + b2
    return ((y - t) ** 2).sum() / 2


def right(dout, x, W1, b1, W2, b2, t):
    a1 = torch.tanh(x @ W1 + b1)
    dy = dout * (a1 @ W2 + b2 - t)
    dW2, db2 = a1.T @ dy, dy.sum(0)
    da1 = dy @ W2.T
    dz1 = da1 * (1 - a1**2)
    dW1, db1, dx = x.T @ dz1, dz1.sum(0), dz1 @ W1.T
    return dx, dW1, db1, dW2, db2, -dy


def wrong(dout, x, W1, b1, W2, b2, t):
    a1 = torch.tanh(x @ W1 + b1)
    dy = dout * (a1 @ W2 + b2 - t)
    dW2, db2 = a1.T @ dy, dy.sum(0)
    da1 = dy @ W2.T
    dz1 = da1 @ (1 - a1.T @ a1)
    dW1, db1, dx = x.T @ dz1, dz1.sum(0), dz1 @ W1.T
    return dx, dW1, db1, dW2, db2, -dy


def inputs():
    return normal((5, 3), (3, 4), (4,), (4, 2), (2,), (5, 2), seed=40)


EXHIBIT = Exhibit(
    title="homework: @ where * is meant",
    source="https://community.deeplearning.ai/t/w3-ex-6-assertionerror-wrong-values-for-dw1/402919",
    check="check_lines",
    guilty=("gradient of z1",),
    causes=frozenset({"slope-miswritten", "another-axis"}),
    line="dz1 = da1 @ (1 - a1.T @ a1)",
)
