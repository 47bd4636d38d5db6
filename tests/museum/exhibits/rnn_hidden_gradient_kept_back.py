"""What comes back from the next time step through the hidden state is not handed on.

Source: https://github.com/qixianbiao/RNN/issues/2
What it did: the network learned from each step by itself, as if it had no memory.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(xs, W, U):
    h = torch.zeros(len(U)).to(U)
    states = []
    for x in xs:
        h = torch.tanh(x @ W + h @ U)
        states.append(h)
    return torch.stack(states)


def _backward(d, xs, W, U, handed_on):
    states = [torch.zeros(len(U)).to(U), *forward(xs, W, U)]
    d_xs, d_W, d_U, d_h = torch.zeros_like(xs), torch.zeros_like(W), torch.zeros_like(U), 0
    for t in reversed(range(len(xs))):
        d_z = (d[t] + d_h) * (1 - states[t + 1] ** 2)
        d_xs[t], d_W, d_U = d_z @ W.T, d_W + torch.outer(xs[t], d_z), d_U + torch.outer(states[t], d_z)
        d_h = d_z @ U.T if handed_on else 0
    return d_xs, d_W, d_U


def right(d, xs, W, U):
    return _backward(d, xs, W, U, handed_on=True)


def wrong(d, xs, W, U):
    return _backward(d, xs, W, U, handed_on=False)


def inputs():
    return normal((4, 3), (3, 5), (5, 5), seed=43)


EXHIBIT = Exhibit(
    title="RNN: hidden gradient not handed on",
    source="https://github.com/qixianbiao/RNN/issues/2",
    check="check_function",
    guilty=("gradient of xs", "gradient of W", "gradient of U"),
    causes=frozenset({"part-missing", "path-detached", "step-missing"}),
)
