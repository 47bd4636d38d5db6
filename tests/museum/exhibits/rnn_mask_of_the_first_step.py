"""Each step has its own zoneout mask; backward uses the first one for all.

Source: https://github.com/lmnt-com/haste/issues/43
What it did: recurrent layers with zoneout trained with wrong gradients; in the LSTM of the same library it was right.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(xs, U, masks):
    h = torch.zeros(xs.shape[1]).to(xs)
    for x, new in zip(xs, masks, strict=True):
        h = torch.where(new, torch.tanh(x + h @ U), h)
    return h


def _backward(d, xs, U, masks, of_step):
    states = [torch.zeros(xs.shape[1]).to(xs)]
    for x, new in zip(xs, masks, strict=True):
        states.append(torch.where(new, torch.tanh(x + states[-1] @ U), states[-1]))
    d_xs, d_U = torch.zeros_like(xs), torch.zeros_like(U)
    for t in reversed(range(len(xs))):
        new = masks[of_step(t)]
        y = torch.tanh(xs[t] + states[t] @ U)
        d_z = torch.where(new, d * (1 - y**2), 0)
        d_xs[t], d_U = d_z, d_U + torch.outer(states[t], d_z)
        d = torch.where(new, 0, d) + d_z @ U.T
    return d_xs, d_U, None


def right(d, xs, U, masks):
    return _backward(d, xs, U, masks, lambda t: t)


def wrong(d, xs, U, masks):
    return _backward(d, xs, U, masks, lambda t: 0)


def inputs():
    xs, U, u = normal((4, 5), (5, 5), (4, 5), seed=44)
    return [xs, U / 2, u > -0.4]


EXHIBIT = Exhibit(
    title="RNN: first step's mask for all",
    source="https://github.com/lmnt-com/haste/issues/43",
    check="check_function",
    guilty=("gradient of xs", "gradient of U"),
    causes=frozenset({"wrong-mask", "wrong-sample", "another-tensor"}),
)
