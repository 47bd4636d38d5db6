"""The gradient of the recurrent weights is computed with the hidden state after the step, not before it.

Source: https://github.com/wvabrinskas/Neuron/pull/181
What it did: one of three mistakes in an LSTM whose gradients disagreed with finite differences in sign and size. (Here
it stands in a plain recurrent network.)
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, W, U, b):
    h = [x.new_zeros(x.shape[1], len(b))]
    for step in x:
        h.append(torch.tanh(step @ W + h[-1] @ U + b))
    return h[-1].square().mean()


def _backward(d, x, W, U, b, of_step):
    h = [x.new_zeros(x.shape[1], len(b))]
    for step in x:
        h.append(torch.tanh(step @ W + h[-1] @ U + b))
    d_h = 2 * d * h[-1] / h[-1].numel()
    d_x, d_W, d_U, d_b = torch.zeros_like(x), 0, 0, 0
    for t in reversed(range(len(x))):
        d_z = d_h * (1 - h[t + 1] ** 2)
        d_x[t], d_W, d_U, d_b = d_z @ W.T, d_W + x[t].T @ d_z, d_U + h[of_step(t)].T @ d_z, d_b + d_z.sum(0)
        d_h = d_z @ U.T
    return d_x, d_W, d_U, d_b


def right(d, x, W, U, b):
    return _backward(d, x, W, U, b, lambda t: t)


def wrong(d, x, W, U, b):
    return _backward(d, x, W, U, b, lambda t: t + 1)


def inputs():
    return normal((3, 4, 2), (2, 5), (5, 5), (5,), seed=47)


EXHIBIT = Exhibit(
    title="LSTM: weights by the new state",
    source="https://github.com/wvabrinskas/Neuron/pull/181",
    check="check_gradients",
    guilty=("gradient of U",),
    causes=frozenset({"another-tensor", "shifted", "wrong-sample"}),
)
