"""Networks of two and three layers in one backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class Regression:
    """Two layers, sigmoid between them, and the mean squared error."""

    def forward(self, x: Tensor, t: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        h = torch.sigmoid(x @ w1 + b1)
        return ((h @ w2 + b2 - t) ** 2).mean()

    def backward(self, d: Tensor, x: Tensor, t: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Any:
        a = x @ w1 + b1
        h = torch.sigmoid(a)
        y = h @ w2 + b2
        d_y = d * 2 * (y - t) / y.numel()
        d_w2 = h.T @ d_y
        d_b2 = d_y.sum(0)
        d_h = d_y @ w2.T
        d_a = d_h * h * (1 - h)
        d_w1 = x.T @ d_a
        d_b1 = d_a.sum(0)
        return None, None, d_w1, d_b1, d_w2, d_b2

    def draw(self, g: Numbers) -> Inputs:
        w1, b1, w2, b2 = g.normal(4, 6), g.normal(6), g.normal(6, 3), g.normal(3)
        return g.normal(15, 4), g.normal(15, 3, scale=2), w1, b1, w2, b2

    mistakes = (
        wrong("mean over the samples alone", "y.numel()", "len(y)", MEAN),
        wrong("two forgotten", "d * 2 * (y", "d * (y", "factor"),
        wrong("upstream squared", "d * 2 * (y", "d * d * 2 * (y", "upstream-twice"),
        wrong("slope forgotten", "d_h * h * (1 - h)", "d_h", "slope-missing"),
        wrong("slope at the input", "h * (1 - h)", "a * (1 - a)", "slope-at-input another-tensor"),
        wrong("slope half written", "h * (1 - h)", "h", "slope-miswritten part-missing"),
        wrong("slope of tanh", "h * (1 - h)", "(1 - h * h)", "slope-of-another-function slope-miswritten"),
        wrong("pre-activation for w2", "h.T @ d_y", "a.T @ d_y", "another-tensor"),
        wrong("target minus output", "(y - t)", "(t - y)", "wrong-sign"),
        wrong("mean for b1", "d_a.sum(0)", "d_a.mean(0)", MEAN),
        wrong("updated w2", "d_y @ w2.T", "d_y @ (w2 - 0.1 * d_w2).T", "stale-weights"),
        wrong("b1 before the slope", "d_a.sum(0)", "d_h.sum(0)", "slope-missing another-tensor"),
        wrong("learning rate in w1", "x.T @ d_a", "0.1 * x.T @ d_a", "factor"),
        wrong("weight decay in w2", "h.T @ d_y", "h.T @ d_y + 0.01 * w2", "weight-decay"),
        wrong("target forgotten", "(y - t)", "y", "term-missing"),
    )


class ThreeLayers:
    """Two hidden layers of one size, ReLU, no biases."""

    def forward(self, x: Tensor, w1: Tensor, w2: Tensor, w3: Tensor) -> Tensor:
        return torch.relu(torch.relu(x @ w1) @ w2) @ w3

    def backward(self, d: Tensor, x: Tensor, w1: Tensor, w2: Tensor, w3: Tensor) -> Any:
        a1 = x @ w1
        h1 = a1.clamp(min=0)
        a2 = h1 @ w2
        h2 = a2.clamp(min=0)
        d_w3 = h2.T @ d
        d_a2 = (d @ w3.T) * (a2 > 0)
        d_w2 = h1.T @ d_a2
        d_a1 = (d_a2 @ w2.T) * (a1 > 0)
        return d_a1 @ w1.T, x.T @ d_a1, d_w2, d_w3

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(20, 3), g.normal(3, 5), g.normal(5, 5), g.normal(5, 2)

    mistakes = (
        wrong("mask of the layer below", "(a2 > 0)", "(a1 > 0)", "wrong-mask another-tensor"),
        wrong(
            "mask of the error",
            "(d_a2 @ w2.T) * (a1 > 0)",
            "(d_a2 @ w2.T).clamp(min=0)",
            "wrong-mask slope-at-upstream",
        ),
        wrong("upper mask forgotten", " * (a2 > 0)", "", "slope-missing wrong-mask"),
        wrong("lower mask forgotten", " * (a1 > 0)", "", "slope-missing wrong-mask"),
        wrong("w2 not transposed", "d_a2 @ w2.T", "d_a2 @ w2", "transposed-weights"),
        wrong("pre-activation for w2", "h1.T @ d_a2", "a1.T @ d_a2", "another-tensor"),
        wrong("lower layer for w3", "h2.T @ d\n", "h1.T @ d\n", "another-tensor"),
        wrong("w2 before the mask", "h1.T @ d_a2", "h1.T @ (d @ w3.T)", "slope-missing another-tensor wrong-mask"),
        wrong("mask reversed", "(a1 > 0)", "(a1 < 0)", "wrong-mask"),
        wrong("w2 transposed", "h1.T @ d_a2", "d_a2.T @ h1", "transposed swapped"),
        wrong("upper layer for w2", "h1.T @ d_a2", "h2.T @ d_a2", "another-tensor"),
    )


class TiedAutoencoder:
    """tanh(x W + b) Wᵀ + c."""

    def forward(self, x: Tensor, w: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return torch.tanh(x @ w + b) @ w.T + c

    def backward(self, d: Tensor, x: Tensor, w: Tensor, b: Tensor, c: Tensor) -> Any:
        s = torch.tanh(x @ w + b)
        d_s = d @ w
        d_a = d_s * (1 - s**2)
        d_w = x.T @ d_a + d.T @ s
        return d_a @ w.T, d_w, d_a.sum(0), d.sum(0)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(9, 7), g.normal(7, 3, scale=0.4), g.normal(3), g.normal(7)

    mistakes = (
        wrong("decoder forgotten", " + d.T @ s", "", PART),
        wrong("encoder forgotten", "x.T @ d_a + ", "", PART),
        wrong("decoder twice", "+ d.T @ s", "+ 2 * d.T @ s", "part-twice"),
        wrong("mean for c", "d.sum(0)", "d.mean(0)", MEAN),
        wrong("slope forgotten", " * (1 - s**2)", "", "slope-missing"),
        wrong("slope not squared", "s**2", "s", "wrong-power slope-miswritten"),
        wrong("slope at the input", "s**2", "(x @ w + b) ** 2", "slope-at-input another-tensor"),
        wrong("biases exchanged", "d_a.sum(0), d.sum(0)", "d_s.sum(0), d.sum(0)", "slope-missing another-tensor"),
        wrong("slope twice for w", "x.T @ d_a", "x.T @ (d_a * (1 - s**2))", "slope-twice"),
    )


class TwoHeads:
    """One hidden layer, two outputs of one shape."""

    def forward(self, x: Tensor, w: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.sin(x @ w)
        return h @ u, h @ v

    def backward(self, d_y: Tensor, d_z: Tensor, x: Tensor, w: Tensor, u: Tensor, v: Tensor) -> Any:
        a = x @ w
        h = torch.sin(a)
        d_h = d_y @ u.T
        d_h += d_z @ v.T
        d_a = d_h * torch.cos(a)
        return d_a @ w.T, x.T @ d_a, h.T @ d_y, h.T @ d_z

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 3), g.normal(3, 8), g.normal(8, 2), g.normal(8, 2)

    mistakes = (
        wrong("written over", "+= d_z", "= d_z", PART),
        wrong("second head forgotten", "    d_h += d_z @ v.T\n", "", PART),
        wrong(
            "first head for both",
            "+= d_z @ v.T",
            "+= d_y @ u.T",
            "part-twice part-missing another-tensor path-detached factor",
        ),
        wrong(
            "upstreams exchanged",
            "h.T @ d_y, h.T @ d_z",
            "h.T @ d_z, h.T @ d_y",
            "swapped another-gradient another-tensor",
        ),
        wrong("cosine forgotten", " * torch.cos(a)", "", "slope-missing"),
        wrong("cosine of the output", "cos(a)", "cos(h)", "slope-at-output another-tensor"),
        wrong("sign of the cosine", "torch.cos(a)", "-torch.cos(a)", "wrong-sign"),
        wrong("sine for cosine", "torch.cos(a)", "torch.sin(a)", "slope-miswritten another-tensor"),
        wrong(
            "sum of the heads for u", "h.T @ d_y,", "h.T @ (d_y + d_z),", "another-gradient another-tensor part-twice"
        ),
        wrong("other head's weights", "+= d_z @ v.T", "+= d_z @ u.T", "another-tensor"),
    )


PROGRAMS = programs("networks", Regression, ThreeLayers, TiedAutoencoder, TwoHeads)
