"""Losses of numbers, distributions and distances."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class SmoothAbsolute:
    """Huber's loss with δ = 1.5, the mean over all."""

    delta = 1.5

    def forward(self, y: Tensor, t: Tensor) -> Tensor:
        r = y - t
        near = 0.5 * r * r
        far = self.delta * (r.abs() - 0.5 * self.delta)
        return torch.where(r.abs() <= self.delta, near, far).mean()

    def backward(self, d: Tensor, y: Tensor, t: Tensor) -> Any:
        r = y - t
        d_y = d * r.clamp(-self.delta, self.delta) / y.numel()
        return d_y, -d_y

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8, 3, scale=2), g.normal(8, 3)

    mistakes = (
        wrong("threshold of one", "r.clamp(-self.delta, self.delta)", "r.clamp(-1, 1)", "wrong-mask slope-miswritten"),
        wrong("sign alone", "r.clamp(-self.delta, self.delta)", "self.delta * r.sign()", "sign-alone"),
        wrong(
            "never cut", "r.clamp(-self.delta, self.delta)", "r", "another-loss wrong-mask slope-of-another-function"
        ),
        wrong(
            "far slope of one",
            "r.clamp(-self.delta, self.delta)",
            "torch.where(r.abs() <= 1.5, r, r.sign())",
            "slope-miswritten sign-alone",
        ),
        wrong("sum for mean", " / y.numel()", "", MEAN),
        wrong("same sign for both", "-d_y", "d_y", "wrong-sign another-gradient"),
        wrong("cut on one side", "clamp(-self.delta, self.delta)", "clamp(max=self.delta)", "wrong-mask"),
        wrong("output for the difference", "d * r.clamp", "d * y.clamp", "term-missing another-tensor"),
    )


class MaskedSquares:
    """Mean squared error over the steps that are not padding."""

    def forward(self, y: Tensor, t: Tensor, mask: Tensor) -> Tensor:
        return ((y - t) ** 2 * mask[..., None]).sum() / mask.sum()

    def backward(self, d: Tensor, y: Tensor, t: Tensor, mask: Tensor) -> Any:
        m = mask[..., None].to(y.dtype)
        d_y = d * 2 * (y - t) * m / m.sum()
        return d_y, -d_y, None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 6, 3), g.normal(4, 6, 3), torch.arange(6) < torch.tensor([[6], [4], [2], [5]])

    mistakes = (
        wrong(
            "mask forgotten", "(y - t) * m / m", "(y - t) / m", "wrong-mask only-some", places=((1, 2, 3), (2, 3, 4, 5))
        ),
        wrong("all steps counted", "m.sum()", "mask.numel()", MEAN),
        wrong("entries counted", "m.sum()", "(3 * m.sum())", MEAN),
        wrong("two forgotten", "2 * (y", "(y", "factor"),
        wrong("upstream squared", "d_y = d * 2", "d_y = d * d * 2", "upstream-twice"),
        wrong("absolute error", "2 * (y - t)", "(y - t).sign()", "sign-alone another-loss"),
        wrong("target forgotten", "(y - t)", "y", "term-missing"),
        wrong("mask reversed", "mask[..., None]", "(~mask)[..., None]", "wrong-mask"),
        wrong("sum for mean", " / m.sum()", "", MEAN),
        wrong("mask a step late", "mask[..., None]", "mask.roll(1, 1)[..., None]", "wrong-mask shifted"),
    )


class Divergence:
    """KL of given probabilities p from softmax(z), the mean over the samples."""

    def forward(self, z: Tensor, p: Tensor) -> Tensor:
        return (p * (p.log() - torch.log_softmax(z, 1))).sum() / len(z)

    def backward(self, d: Tensor, z: Tensor, p: Tensor) -> Any:
        log_q = torch.log_softmax(z, 1)
        q = log_q.exp()
        d_z = d * (q - p) / len(z)
        d_p = d * (p.log() + 1 - log_q) / len(z)
        return d_z, d_p

    def draw(self, g: Numbers) -> Inputs:
        parts = g.below(12, 7, 5) + 1
        parts[:, 0] += 64 - parts.sum(1)
        return g.normal(7, 5, scale=2), parts / 64

    mistakes = (
        wrong("mean over all", "(q - p) / len(z)", "(q - p) / z.numel()", MEAN),
        wrong("softmax not differentiated", "(q - p)", "(-p / q)", "softmax-not-differentiated"),
        wrong("distributions exchanged", "(q - p)", "(p - q)", "wrong-sign swapped"),
        wrong(
            "one forgotten",
            "p.log() + 1 - log_q",
            "p.log() - log_q",
            "part-missing path-detached term-missing constant-added",
        ),
        wrong("logits for their logarithm", "1 - log_q", "1 - z", "softmax-missing another-tensor"),
        wrong("sum for mean", "- log_q) / len(z)", "- log_q)", MEAN),
        wrong(
            "entropy forgotten",
            "(p.log() + 1 - log_q)",
            "-log_q",
            "part-missing path-detached term-missing another-loss",
        ),
        wrong("p not subtracted", "(q - p)", "q", "term-missing"),
        wrong("logits for the softmax", "(q - p)", "(z - p)", "softmax-missing"),
        wrong("logarithm to base two", "p.log()", "p.log2()", "wrong-logarithm"),
    )


class Pairing:
    """Row i of a belongs to row i of b: cross-entropy of a bᵀ / τ, τ = 0.2."""

    tau = 0.2

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return -torch.log_softmax(a @ b.T / self.tau, 1).diagonal().mean()

    def backward(self, d: Tensor, a: Tensor, b: Tensor) -> Any:
        p = torch.softmax(a @ b.T / self.tau, 1)
        d_s = d * (p - torch.eye(len(a)).to(p)) / len(a) / self.tau
        return d_s @ b, d_s.T @ a

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(9, 4, scale=0.5), g.normal(9, 4, scale=0.5)

    mistakes = (
        wrong("temperature forgotten", " / len(a) / self.tau", " / len(a)", "factor"),
        wrong("temperature twice", " / len(a) / self.tau", " / len(a) / self.tau**2", "factor"),
        wrong("diagonal forgotten", "(p - torch.eye(len(a)).to(p))", "p", "term-missing part-missing path-detached"),
        wrong("not transposed for b", "d_s.T @ a", "d_s @ a", "transposed swapped transposed-weights"),
        wrong("softmax over the columns", "self.tau, 1)", "self.tau, 0)", "another-axis"),
        wrong("sum for mean", " / len(a) / self.tau", " / self.tau", MEAN),
        wrong("upstream squared", "d_s = d * (p", "d_s = d * d * (p", "upstream-twice"),
        wrong("exchanged", "d_s @ b, d_s.T @ a", "d_s.T @ a, d_s @ b", "another-gradient swapped"),
        wrong("itself for the other", "d_s @ b,", "d_s @ a,", "another-tensor swapped"),
        wrong(
            "temperature not in the softmax", "b.T / self.tau", "b.T", "softmax-miswritten wrong-argument term-missing"
        ),
        wrong("divided by the features", " / len(a)", " / a.shape[1]", "factor another-axis"),
    )


class Triplet:
    """max(0, ‖a − p‖² − ‖a − n‖² + 1), the mean over the samples."""

    def forward(self, a: Tensor, p: Tensor, n: Tensor) -> Tensor:
        return (((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + 1).clamp(min=0).mean()

    def backward(self, d: Tensor, a: Tensor, p: Tensor, n: Tensor) -> Any:
        gap = ((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + 1
        on = d * (gap > 0)[:, None] / len(a)
        d_p = -2 * on * (a - p)
        d_n = 2 * on * (a - n)
        return -d_p - d_n, d_p, d_n

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(18, 3), g.normal(18, 3), g.normal(18, 3)

    mistakes = (
        wrong("anchor pulled only", "-d_p - d_n,", "-d_p,", PART),
        wrong("anchor pushed only", "-d_p - d_n,", "-d_n,", PART),
        wrong("margin forgotten in the mask", "sum(1) + 1\n", "sum(1)\n", "wrong-mask"),
        wrong("two forgotten", "-2 * on", "-on", "factor", ("-d_p -", "-2 * d_p -")),
        wrong("sign of the negative", "-d_p - d_n, d_p, d_n", "-d_p - d_n, d_p, -d_n", "wrong-sign"),
        wrong("positive and negative exchanged", "d_n, d_p, d_n", "d_n, d_n, d_p", "another-gradient swapped"),
        wrong("mask forgotten", " * (gap > 0)[:, None]", "", "wrong-mask slope-missing"),
        wrong("signs in the anchor", "-d_p - d_n,", "d_n - d_p,", "plus-for-minus"),
        wrong("sum for mean", " / len(a)", "", MEAN),
    )


PROGRAMS = programs("losses of numbers", SmoothAbsolute, MaskedSquares, Divergence, Pairing, Triplet)
