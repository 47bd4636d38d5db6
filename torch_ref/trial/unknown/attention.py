"""Softmax and its relatives, and attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class TemperedSoftmax:
    """softmax(x / τ), τ = 0.5."""

    tau = 0.5

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(x / self.tau, -1)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        p = torch.softmax(x / self.tau, -1)
        return p * (d - (d * p).sum(-1, keepdim=True)) / self.tau

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(6, 4),)

    mistakes = (
        wrong(
            "projection forgotten",
            "(d - (d * p).sum(-1, keepdim=True))",
            "d",
            f"{PROJECTION} slope-miswritten softmax-not-differentiated",
        ),
        wrong(
            "as a sigmoid",
            "(d - (d * p).sum(-1, keepdim=True))",
            "(1 - p) * d",
            "softmax-not-differentiated slope-of-another-function projection-missing",
        ),
        wrong("temperature forgotten", "keepdim=True)) / self.tau", "keepdim=True))", "factor"),
        wrong("times the temperature", "keepdim=True)) / self.tau", "keepdim=True)) * self.tau", "factor"),
        wrong("over the samples", "(d * p).sum(-1", "(d * p).sum(0", "another-axis"),
        wrong("mean in the projection", "(d * p).sum", "(d * p).mean", "mean-for-sum"),
        wrong(
            "upstream alone in the projection", "(d * p).sum", "d.sum", "projection-missing term-missing another-tensor"
        ),
        wrong("probability forgotten", "p * (d -", "(d -", "slope-missing term-missing"),
        wrong("input for probability", "return p *", "return x *", "another-tensor slope-at-input"),
    )


class LogProbabilities:
    """log softmax along the first axis: columns are samples."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.logsumexp(0, keepdim=True)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        return d - torch.softmax(x, 0) * d.sum(0, keepdim=True)

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(5, 9, scale=2),)

    mistakes = (
        wrong(
            "projection forgotten",
            "d - torch.softmax(x, 0) * d.sum(0, keepdim=True)",
            "d.clone()",
            f"{PROJECTION} slope-missing",
        ),
        wrong("sum over the samples", "d.sum(0", "d.sum(1", "another-axis"),
        wrong("softmax over the samples", "(x, 0)", "(x, 1)", "another-axis"),
        wrong("mean for sum", "d.sum(", "d.mean(", "mean-for-sum"),
        wrong(
            "upstream for its sum",
            "d.sum(0, keepdim=True)",
            "d",
            "slope-miswritten projection-missing softmax-not-differentiated term-missing",
        ),
        wrong("output for the softmax", "torch.softmax(x, 0)", "self.forward(x)", "another-tensor wrong-logarithm"),
        wrong("sum forgotten", " * d.sum(0, keepdim=True)", "", "upstream-missing"),
        wrong(
            "of a softmax",
            "d - torch.softmax(x, 0) * d.sum(0, keepdim=True)",
            "torch.softmax(x, 0) * (d - (torch.softmax(x, 0) * d).sum(0, keepdim=True))",
            "slope-of-another-function wrong-logarithm",
        ),
    )


class MaskedSoftmax:
    """Softmax over the places that a mask leaves."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return torch.softmax(x.masked_fill(~mask, float("-inf")), 1)

    def backward(self, d: Tensor, x: Tensor, mask: Tensor) -> Any:
        p = torch.softmax(x.masked_fill(~mask, float("-inf")), 1)
        inner = (p * d).sum(1, keepdim=True)
        return p * (d - inner), None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(10, 6), torch.arange(6) < torch.tensor([6, 4, 2, 5, 6, 3, 1, 4, 5, 6])[:, None]

    mistakes = (
        wrong("mask forgotten", 'x.masked_fill(~mask, float("-inf"))', "x", "wrong-mask"),
        wrong("projection forgotten", "(d - inner)", "d", f"{PROJECTION} softmax-not-differentiated"),
        wrong("masked with zero", 'float("-inf")', "0", "wrong-mask"),
        wrong("over the samples", "sum(1", "sum(0", "another-axis"),
        wrong("upstream alone in the projection", "(p * d)", "(mask * d)", "projection-missing another-tensor"),
        wrong("plus", "d - inner", "d + inner", "plus-for-minus"),
        wrong("upstream squared", "p * (d - inner)", "p * d * (d - inner)", "upstream-twice"),
    )


class CausalAttention:
    """One head, each step sees itself and those before."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        s = q @ k.T / q.shape[1] ** 0.5
        later = torch.ones_like(s).triu(1).bool()
        return torch.softmax(s.masked_fill(later, float("-inf")), 1) @ v

    def backward(self, d: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Any:
        scale = q.shape[1] ** -0.5
        s = q @ k.T * scale
        later = torch.ones_like(s).triu(1).bool()
        p = torch.softmax(s.masked_fill(later, float("-inf")), 1)
        d_v = p.T @ d
        d_p = d @ v.T
        d_s = p * (d_p - (d_p * p).sum(1, keepdim=True))
        return d_s @ k * scale, d_s.T @ q * scale, d_v

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8, 4), g.normal(8, 4), g.normal(8, 4)

    mistakes = (
        wrong("scale forgotten for q", "d_s @ k * scale", "d_s @ k", "factor"),
        wrong("scale twice for k", "d_s.T @ q * scale", "d_s.T @ q * scale**2", "factor"),
        wrong(
            "projection forgotten",
            "(d_p - (d_p * p).sum(1, keepdim=True))",
            "d_p",
            f"{PROJECTION} softmax-not-differentiated",
        ),
        wrong("not transposed for v", "p.T @ d", "p @ d", "transposed swapped transposed-weights another-tensor"),
        wrong("not transposed for k", "d_s.T @ q", "d_s @ q", "transposed swapped transposed-weights another-tensor"),
        wrong("mask forgotten", 's.masked_fill(later, float("-inf"))', "s", "wrong-mask"),
        wrong("earlier steps masked", "triu(1)", "tril(-1)", "wrong-mask transposed"),
        wrong("itself masked not", "triu(1)", "triu(2)", "wrong-mask shifted"),
        wrong(
            "q and k exchanged",
            "return d_s @ k * scale, d_s.T @ q * scale",
            "return d_s.T @ q * scale, d_s @ k * scale",
            "another-gradient swapped",
        ),
        wrong("scores for v", "p.T @ d\n", "s.T @ d\n", "softmax-missing another-tensor"),
        wrong("keys for values", "d @ v.T", "d @ k.T", "another-tensor"),
        wrong(
            "softmax as constant", "return d_s @ k * scale, d_s.T @ q * scale", "return 0 * q, 0 * k", "zeros " + PART
        ),
    )


class TwoHeadedAttention:
    """Self-attention with two heads, one weight matrix for each of q, k and v."""

    heads = 2

    def _split(self, x: Tensor) -> Tensor:
        return x.view(len(x), self.heads, -1).transpose(0, 1)

    def _joined(self, x: Tensor) -> Tensor:
        return x.transpose(0, 1).reshape(x.shape[1], -1)

    def forward(self, x: Tensor, wq: Tensor, wk: Tensor, wv: Tensor) -> Tensor:
        q, k, v = self._split(x @ wq), self._split(x @ wk), self._split(x @ wv)
        return self._joined(torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v)

    def backward(self, d: Tensor, x: Tensor, wq: Tensor, wk: Tensor, wv: Tensor) -> Any:
        q, k, v = self._split(x @ wq), self._split(x @ wk), self._split(x @ wv)
        scale = q.shape[-1] ** 0.5
        p = torch.softmax(q @ k.mT / scale, -1)
        d_o = self._split(d)
        d_v = self._joined(p.mT @ d_o)
        d_p = d_o @ v.mT
        d_s = p * (d_p - (d_p * p).sum(-1, keepdim=True)) / scale
        d_q = self._joined(d_s @ k)
        d_k = self._joined(d_s.mT @ q)
        d_x = d_q @ wq.T + d_k @ wk.T + d_v @ wv.T
        return d_x, x.T @ d_q, x.T @ d_k, x.T @ d_v

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 6), g.normal(6, 6, scale=0.4), g.normal(6, 6, scale=0.4), g.normal(6, 6)

    mistakes = (
        wrong("way through the values forgotten", " + d_v @ wv.T", "", PART),
        wrong("way through the scores forgotten", "d_q @ wq.T + d_k @ wk.T + ", "", PART),
        wrong("way through the keys forgotten", " + d_k @ wk.T", "", PART),
        wrong("scale of the whole width", "keepdim=True)) / scale", "keepdim=True)) / x.shape[1] ** 0.5", "factor"),
        wrong("scale forgotten", "keepdim=True)) / scale", "keepdim=True))", "factor"),
        wrong(
            "projection forgotten",
            "(d_p - (d_p * p).sum(-1, keepdim=True))",
            "d_p",
            f"{PROJECTION} softmax-not-differentiated",
        ),
        wrong("q and k exchanged", "x.T @ d_q, x.T @ d_k", "x.T @ d_k, x.T @ d_q", "another-gradient swapped"),
        wrong("mean over the steps", "x.T @ d_v", "x.T @ d_v / len(x)", MEAN),
        wrong(
            "first head alone for the keys",
            "(d_s.mT @ q)",
            "(d_s.mT @ q * torch.tensor([[[1.0]], [[0.0]]]))",
            "dead-unit only-some zero-rows part-missing",
            places=((3, 4, 5),),
        ),
        wrong(
            "heads exchanged",
            "self._joined(d_s @ k)",
            "self._joined((d_s @ k).flip(0))",
            "swapped shifted unit-beside another-tensor",
        ),
        wrong("weights not transposed", "d_v @ wv.T", "d_v @ wv", "transposed-weights"),
        wrong("way through the values twice", "+ d_v @ wv.T", "+ 2 * d_v @ wv.T", "part-twice"),
    )


PROGRAMS = programs("attention", TemperedSoftmax, LogProbabilities, MaskedSoftmax, CausalAttention, TwoHeadedAttention)
