"""The slope of the sigmoid in the output layer is left out.

Source: https://github.com/Bot-Academy/NeuralNetworkFromScratch/pull/3
What it did: with squared error the numbers go the right way, for the slope is positive, but they are not the gradient.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, W1, W2, t):
    h = torch.sigmoid(x @ W1)
    z2 = h @ W2
    y = torch.sigmoid(z2)
    return ((y - t) ** 2).sum() / 2


def right(dout, x, W1, W2, t):
    h = torch.sigmoid(x @ W1)
    y = torch.sigmoid(h @ W2)
    dz2 = dout * (y - t) * y * (1 - y)
    dW2, dh = h.T @ dz2, dz2 @ W2.T
    dW1 = x.T @ (dh * h * (1 - h))
    return None, dW1, dW2, None


def wrong(dout, x, W1, W2, t):
    h = torch.sigmoid(x @ W1)
    y = torch.sigmoid(h @ W2)
    dz2 = dout * (y - t)
    dW2, dh = h.T @ dz2, dz2 @ W2.T
    dW1 = x.T @ (dh * h * (1 - h))
    return None, dW1, dW2, None


def inputs():
    x, W1, W2, t = normal((6, 4), (4, 5), (5, 3), (6, 3), seed=42)
    return [x, W1.requires_grad_(), W2.requires_grad_(), torch.sigmoid(t)]


EXHIBIT = Exhibit(
    title="tutorial: output slope missing",
    source="https://github.com/Bot-Academy/NeuralNetworkFromScratch/pull/3",
    check="check_lines",
    guilty=("gradient of z2",),
    causes=frozenset({"slope-missing"}),
    line="dz2 = dout * (y - t)",
)
