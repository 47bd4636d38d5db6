"""The weights of the last layer are updated before they are used to send the error back.

Source: https://github.com/Bot-Academy/NeuralNetworkFromScratch/pull/3
What it did: the network of a tutorial still learned, but not by the gradient that it claims.
"""

import torch
from museum.exhibit import Exhibit, normal

RATE = 0.1


def forward(x, W1, W2, t):
    h = torch.sigmoid(x @ W1)
    y = torch.sigmoid(h @ W2)
    return ((y - t) ** 2).sum() / 2


def _backward(d, x, W1, W2, t, early):
    h = torch.sigmoid(x @ W1)
    y = torch.sigmoid(h @ W2)
    dy = d * (y - t) * y * (1 - y)
    dW2 = h.T @ dy
    used = W2 - RATE * dW2 if early else W2
    dz = dy @ used.T * h * (1 - h)
    return dz @ W1.T, x.T @ dz, dW2, d * (t - y)


def right(d, x, W1, W2, t):
    return _backward(d, x, W1, W2, t, early=False)


def wrong(d, x, W1, W2, t):
    return _backward(d, x, W1, W2, t, early=True)


def inputs():
    return normal((6, 4), (4, 5), (5, 3), (6, 3), seed=41)


EXHIBIT = Exhibit(
    title="tutorial: weights updated early",
    source="https://github.com/Bot-Academy/NeuralNetworkFromScratch/pull/3",
    check="check_function",
    guilty=("gradient of x", "gradient of W1"),
    causes=frozenset({"stale-weights"}),
)
