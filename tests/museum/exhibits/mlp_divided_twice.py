"""The error of the hidden layer is divided by the number of samples, and the gradients that it goes into once more.

Source: https://community.deeplearning.ai/t/course-1-week-3-planar-assignment-4-5-exercise-6-backward-propagation-error-for-dw1-values/63071
What it did: a student's dW2 and db2 passed the course's tests; dW1 and db1 had the right shapes and the wrong
numbers.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, W1, b1, W2, b2, t):
    z1 = x @ W1 + b1
    a1 = torch.tanh(z1)
    z2 = a1 @ W2 + b2
    return torch.nn.functional.binary_cross_entropy_with_logits(z2, t)


def _backward(d, x, W1, b1, W2, b2, t, again):
    m = len(x)
    a1 = torch.tanh(x @ W1 + b1)
    dz2 = d * (torch.sigmoid(a1 @ W2 + b2) - t)
    dW2, db2 = a1.T @ dz2 / m, dz2.sum(0) / m
    dz1 = dz2 @ W2.T * (1 - a1**2) / again
    dW1, db1 = x.T @ dz1 / m, dz1.sum(0) / m
    return None, dW1, db1, dW2, db2, None


def right(d, x, W1, b1, W2, b2, t):
    return _backward(d, x, W1, b1, W2, b2, t, again=1)


def wrong(d, x, W1, b1, W2, b2, t):
    return _backward(d, x, W1, b1, W2, b2, t, again=len(x))


def inputs():
    x, W1, b1, W2, b2, t = normal((6, 3), (3, 4), (4,), (4, 1), (1,), (6, 1), seed=39)
    return [x, *(p.requires_grad_() for p in (W1, b1, W2, b2)), (t > 0).float()]


EXHIBIT = Exhibit(
    title="homework: divided by m twice",
    source="https://community.deeplearning.ai/t/course-1-week-3-planar-assignment-4-5-exercise-6-backward-propagation-error-for-dw1-values/63071",
    check="check_function",
    guilty=("gradient of W1", "gradient of b1"),
    causes=frozenset({"factor", "mean-for-sum"}),
)
