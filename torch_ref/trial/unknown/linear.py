"""Matrix products in several layouts, with what is added to them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class Dense:
    """Rows are samples; weights (n_in, n_out)."""

    def forward(self, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return x @ w + b

    def backward(self, d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        d_x = d @ w.T
        d_w = x.T @ d
        d_b = d.sum(0)
        return d_x, d_w, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(12, 4), g.normal(4, 3, scale=0.3), g.normal(3)

    mistakes = (
        wrong("mean for the bias", "d.sum(0)", "d.mean(0)", MEAN),
        wrong("weights over the samples", "x.T @ d", "x.T @ d / x.shape[0]", MEAN),
        wrong("weight decay", "x.T @ d", "x.T @ d + 0.05 * w", "weight-decay"),
        wrong("bias of the first sample", "d.sum(0)", "d[0].clone()", "one-sample broadcast-not-summed"),
        wrong("last sample left out", "x.T @ d", "x[:-1].T @ d[:-1]", "sample-missing"),
        wrong("samples shifted", "x.T @ d", "x.roll(1, 0).T @ d", "wrong-sample shifted"),
        wrong("product of sums", "x.T @ d", "torch.outer(x.sum(0), d.sum(0))", "broadcast-over-batch"),
        wrong("updated weights", "d @ w.T", "d @ (w - 0.1 * x.T @ d).T", "stale-weights"),
        wrong("norm clipped", "x.T @ d\n", "x.T @ d\n    d_w = d_w / d_w.norm()\n", "factor"),
        wrong("sign of the bias", "d.sum(0)", "-d.sum(0)", "wrong-sign"),
        wrong("upstream squared for the weights", "x.T @ d", "x.T @ (d * d)", "upstream-twice"),
        wrong(
            "input for what comes back",
            "d @ w.T",
            "x * 1",
            "another-tensor weights-missing upstream-missing upstream-ignored",
        ),
    )


class Columns:
    """Columns are samples, as in some courses; square weights."""

    def forward(self, w: Tensor, x: Tensor, b: Tensor) -> Tensor:
        return w @ x + b

    def backward(self, d: Tensor, w: Tensor, x: Tensor, b: Tensor) -> Any:
        d_w = d @ x.T
        d_b = d.sum(1, keepdim=True)
        d_x = w.T @ d
        return d_w, d_x, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 5), g.normal(5, 20, scale=3), g.normal(5, 1)

    mistakes = (
        wrong("weights not transposed", "w.T @ d", "w @ d", "transposed-weights"),
        wrong("gradient transposed", "d @ x.T", "x @ d.T", "transposed swapped"),
        wrong("weights over the samples", "d @ x.T", "d @ x.T / x.shape[1]", MEAN),
        wrong("weights over the units", "d @ x.T", "d @ x.T / len(x)", "factor another-axis"),
        wrong("mean for the bias", "d.sum(1", "d.mean(1", MEAN),
        wrong("first column left out", "d @ x.T", "d[:, 1:] @ x[:, 1:].T", "sample-missing"),
        wrong("last column alone", "d.sum(1, keepdim=True)", "d[:, -1:].clone()", "one-sample broadcast-not-summed"),
        wrong("clipped", "w.T @ d", "(w.T @ d).clamp(-2, 2)", "no-pattern"),
        wrong("updated weights", "w.T @ d", "(w - 0.1 * d_w).T @ d", "stale-weights"),
        wrong("bias twice", "d_w, d_x, d_b", "d_w, d_x, 2 * d_b", "factor"),
    )


class OneVector:
    """W x + b of one vector; no batch."""

    def forward(self, w: Tensor, x: Tensor, b: Tensor) -> Tensor:
        return w @ x + b

    def backward(self, d: Tensor, w: Tensor, x: Tensor, b: Tensor) -> Any:
        d_w = torch.outer(d, x)
        d_x = w.T @ d
        d_b = d.clone()
        return d_w, d_x, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(7, 7), g.normal(7), g.normal(7, scale=0.1)

    mistakes = (
        wrong("outer product turned round", "(d, x)", "(x, d)", "transposed swapped"),
        wrong("weights not transposed", "w.T @ d", "w @ d", "transposed-weights"),
        wrong("input in the bias", "d.clone()", "d * x", "input-too-often"),
        wrong("weights forgotten", "w.T @ d", "d.clone()", "weights-missing slope-missing another-gradient"),
        wrong("input forgotten", "torch.outer(d, x)", "d[:, None].expand(7, 7).clone()", "input-missing"),
        wrong("upstream forgotten", "torch.outer(d, x)", "x.expand(7, 7).clone()", "upstream-missing upstream-ignored"),
        wrong("exchanged", "d_w, d_x, d_b", "d_w, d_b, d_x", "another-gradient swapped"),
        wrong("updated weights", "w.T @ d", "(w - 0.1 * d_w).T @ d", "stale-weights"),
        wrong("output for input", "(d, x)", "(d, w @ x + b)", "another-tensor"),
        wrong("sum for the bias", "d.clone()", "d.sum().expand(7).clone()", "another-axis broadcast-over-batch"),
        wrong("mean over the units", "w.T @ d", "w.T @ d / len(d)", "factor mean-for-sum"),
    )


class Square:
    """As many samples as inputs and outputs; weights (n_out, n_in)."""

    def forward(self, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return x @ w.T + b

    def backward(self, d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        d_x = d @ w
        d_w = d.T @ x
        d_b = d.sum(0)
        return d_x, d_w, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 6), g.normal(6, 6, scale=0.4), g.normal(6)

    mistakes = (
        wrong("bias over the units", "d.sum(0)", "d.sum(1)", "another-axis"),
        wrong("weights not transposed", "d @ w", "d @ w.T", "transposed-weights"),
        wrong("gradient transposed", "d.T @ x", "x.T @ d", "transposed swapped"),
        wrong("weights forgotten", "d @ w", "d.clone()", "weights-missing"),
        wrong("input for upstream", "d.T @ x", "x.T @ x", "another-tensor upstream-missing input-too-often"),
        wrong("returned in another order", "d_x, d_w, d_b", "d_w, d_x, d_b", "another-gradient swapped"),
        wrong("output for input", "d.T @ x", "d.T @ self.forward(x, w, b)", "another-tensor"),
        wrong("size of the weights", "d @ w", "d @ w.abs()", "weights-without-sign"),
        wrong(
            "sum over all for the bias", "d.sum(0)", "d.sum().expand(6).clone()", "another-axis broadcast-over-batch"
        ),
        wrong("transposed twice", "d @ w", "d.T @ w", "transposed another-axis swapped another-tensor"),
    )


class Sequences:
    """Inputs (B, T, D), the same weights at every step."""

    def forward(self, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return x @ w + b

    def backward(self, d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        d_x = d @ w.T
        d_w = torch.einsum("btd,bto->do", x, d)
        d_b = d.sum((0, 1))
        return d_x, d_w, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 7, 4), g.normal(4, 2), g.normal(2)

    mistakes = (
        wrong("mean over the steps", "d.sum((0, 1))", "d.sum(0).mean(0)", MEAN),
        wrong("mean over both", "d.sum((0, 1))", "d.mean((0, 1))", MEAN),
        wrong("mean over the sequences", "x, d)", "x, d) / len(x)", MEAN),
        wrong("last step left out", "x, d)", "x[:, :-1], d[:, :-1])", "step-missing"),
        wrong("first sequence alone", "x, d)", "x[:1], d[:1])", "one-sample"),
        wrong("a step late", "x, d)", "x.roll(1, 1), d)", "shifted wrong-sample"),
        wrong("product of sums over time", "btd,bto->do", "btd,bso->do", "broadcast-over-batch"),
        wrong("first step of the bias", "d.sum((0, 1))", "d[:, 1:].sum((0, 1))", "step-missing"),
        wrong(
            "last step of the bias alone",
            "d.sum((0, 1))",
            "d[:, -1].sum(0)",
            "step-missing one-sample broadcast-not-summed",
        ),
    )


class Residual:
    """x + tanh(x W) V."""

    def forward(self, x: Tensor, w: Tensor, v: Tensor) -> Tensor:
        return x + torch.tanh(x @ w) @ v

    def backward(self, d: Tensor, x: Tensor, w: Tensor, v: Tensor) -> Any:
        h = torch.tanh(x @ w)
        d_h = d @ v.T
        d_a = d_h * (1 - h * h)
        d_x = d + d_a @ w.T
        return d_x, x.T @ d_a, h.T @ d

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8, 5), g.normal(5, 6, scale=0.5), g.normal(6, 5)

    mistakes = (
        wrong("skip forgotten", "d + d_a", "d_a", PART),
        wrong("branch forgotten", "d + d_a @ w.T", "d.clone()", f"{PART} slope-missing weights-missing"),
        wrong("skip twice", "d + d_a", "2 * d + d_a", "part-twice"),
        wrong("slope forgotten", " * (1 - h * h)", "", "slope-missing"),
        wrong("slope at the input", "1 - h * h", "1 - (x @ w) ** 2", "slope-at-input another-tensor"),
        wrong("slope at the output", "1 - h * h", "1 - torch.tanh(h) ** 2", "slope-at-output applied-twice"),
        wrong("pre-activation for v", "h.T @ d", "(x @ w).T @ d", "another-tensor"),
        wrong("updated v", "d @ v.T", "d @ (v - 0.1 * h.T @ d).T", "stale-weights"),
        wrong("samples of h reversed", "h.T @ d", "h.flip(0).T @ d", "wrong-sample"),
        wrong("slope of sigmoid", "1 - h * h", "h - h * h", "slope-of-another-function slope-miswritten"),
        wrong("slope of h not squared", "1 - h * h", "1 - h", "slope-miswritten wrong-power"),
        wrong("branch twice", "d + d_a @ w.T", "d + 2 * d_a @ w.T", "part-twice"),
    )


class Adapter:
    """x W + s (x A) B, of low rank, with s = 4."""

    scale = 4.0

    def forward(self, x: Tensor, w: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return x @ w + self.scale * (x @ a) @ b

    def backward(self, d: Tensor, x: Tensor, w: Tensor, a: Tensor, b: Tensor) -> Any:
        d_low = self.scale * d @ b.T
        d_x = d @ w.T + d_low @ a.T
        d_w = x.T @ d
        d_a = x.T @ d_low
        d_b = self.scale * (x @ a).T @ d
        return d_x, d_w, d_a, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(10, 6, scale=0.1), g.normal(6, 6), g.normal(6, 2), g.normal(2, 6)

    mistakes = (
        wrong("scale forgotten for b", "self.scale * (x @ a)", "(x @ a)", "factor"),
        wrong("scale forgotten for a", "x.T @ d_low", "x.T @ d_low / self.scale", "factor"),
        wrong("scale twice for b", "self.scale * (x @ a)", "self.scale**2 * (x @ a)", "factor"),
        wrong("adapter left out for x", " + d_low @ a.T", "", PART),
        wrong("trunk left out for x", "d @ w.T + ", "", PART),
        wrong("samples of b shuffled", "(x @ a).T @ d", "(x @ a).roll(3, 0).T @ d", "wrong-sample shifted"),
        wrong("mean for b", "(x @ a).T @ d", "(x @ a).T @ d / len(x)", MEAN),
        wrong("w not transposed", "d @ w.T", "d @ w", "transposed-weights"),
        wrong("w frozen", "x.T @ d\n", "torch.zeros_like(w)\n", "zeros"),
    )


PROGRAMS = programs("linear", Dense, Columns, OneVector, Square, Sequences, Residual, Adapter)
