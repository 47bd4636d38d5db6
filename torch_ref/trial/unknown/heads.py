"""Attention with shared keys, without softmax, with turned queries and with a bias."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.unknown.program import MEAN, PROJECTION, Inputs, Numbers, programs, wrong


class SharedKeys:
    """Four heads of queries, two of keys and values; heads 0 and 1 share the first, 2 and 3 the second."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys, values = k.repeat_interleave(2, 0), v.repeat_interleave(2, 0)
        return torch.softmax(q @ keys.mT / q.shape[2] ** 0.5, -1) @ values

    def backward(self, d: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Any:
        keys, values = k.repeat_interleave(2, 0), v.repeat_interleave(2, 0)
        p = torch.softmax(q @ keys.mT / q.shape[2] ** 0.5, -1)
        d_values = p.mT @ d
        d_p = d @ values.mT
        d_s = p * (d_p - (d_p * p).sum(-1, keepdim=True)) / q.shape[2] ** 0.5
        d_keys = d_s.mT @ q
        d_k = d_keys.view(len(k), -1, *k.shape[1:]).sum(1)
        d_v = d_values.view(len(v), -1, *v.shape[1:]).sum(1)
        return d_s @ keys, d_k, d_v

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 5, 3), g.normal(2, 5, 3), g.normal(2, 5, 3)

    mistakes = (
        wrong("mean over the heads", "*k.shape[1:]).sum(1)", "*k.shape[1:]).mean(1)", MEAN),
        wrong(
            "first head of each group alone",
            "*v.shape[1:]).sum(1)",
            "*v.shape[1:])[:, 0]",
            "broadcast-not-summed one-sample step-missing part-missing path-detached",
        ),
        wrong(
            "heads grouped by turns",
            "d_keys.view(len(k), -1, *k.shape[1:]).sum(1)",
            "d_keys.view(-1, len(k), *k.shape[1:]).sum(0)",
            "wrong-sample swapped shifted another-axis another-tensor unit-beside",
        ),
        wrong(
            "keys in turns",
            "k.repeat_interleave(2, 0)",
            "k.repeat(2, 1, 1)",
            "wrong-sample swapped another-tensor shifted unit-beside",
            places=((1, 2),),
        ),
        wrong("projection over the queries", "sum(-1, keepdim", "sum(-2, keepdim", "another-axis"),
        wrong("not transposed for v", "p.mT @ d", "p @ d", "transposed swapped transposed-weights another-tensor"),
    )


class LinearAttention:
    """φ(q) (φ(k)ᵀ v) over φ(q) Σ φ(k), φ = ELU + 1; every step sees all."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        f, g = fn.elu(q) + 1, fn.elu(k) + 1
        return f @ (g.T @ v) / (f @ g.sum(0))[:, None]

    def backward(self, d: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Any:
        f, g = fn.elu(q) + 1, fn.elu(k) + 1
        held, total = g.T @ v, g.sum(0)
        below = (f @ total)[:, None]
        d_above = d / below
        d_below = -(d_above * (f @ held) / below).sum(1, keepdim=True)
        d_f = d_above @ held.T + d_below * total
        d_held = f.T @ d_above
        d_g = v @ d_held.T + (f * d_below).sum(0)
        d_q = d_f * q.clamp(max=0).exp()
        d_k = d_g * k.clamp(max=0).exp()
        return d_q, d_k, g @ d_held

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(7, 4), g.normal(7, 4), g.normal(7, 5)

    mistakes = (
        wrong("total taken as constant", "d_below = -(", "d_below = -0 * (", PROJECTION),
        wrong("keys of the total as constant", " + (f * d_below).sum(0)", "", PROJECTION),
        wrong("slope of the keys forgotten", "d_g * k.clamp(max=0).exp()", "d_g.clone()", "slope-missing"),
        wrong("slope of the queries for the keys", "d_g * k.clamp", "d_g * q.clamp", "another-tensor swapped"),
        wrong("mean over the queries", "(f * d_below).sum(0)", "(f * d_below).mean(0)", MEAN),
        wrong("sign of the total", "d_below = -(", "d_below = (", "plus-for-minus wrong-sign"),
    )


class TurnedScores:
    """q kᵀ / √D after row t of both was turned by the angles t and 0.3 t (rotary positions)."""

    def _turned(self, x: Tensor, way: int) -> Tensor:
        angle = way * torch.arange(len(x))[:, None] * torch.tensor([1.0, 0.3])
        (a, b), c, s = x.chunk(2, 1), angle.cos().to(x), angle.sin().to(x)
        return torch.cat([a * c - b * s, a * s + b * c], 1)

    def forward(self, q: Tensor, k: Tensor) -> Any:
        return self._turned(q, 1) @ self._turned(k, 1).T / q.shape[1] ** 0.5

    def backward(self, d: Tensor, q: Tensor, k: Tensor) -> Any:
        turned_q, turned_k = self._turned(q, 1), self._turned(k, 1)
        d_s = d / q.shape[1] ** 0.5
        d_q = self._turned(d_s @ turned_k, -1)
        d_k = self._turned(d_s.T @ turned_q, -1)
        return d_q, d_k

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 4), g.normal(6, 4)

    mistakes = (
        wrong(
            "turned the same way again",
            "turned_k, -1)",
            "turned_k, 1)",
            "wrong-argument transposed-weights transposed plus-for-minus wrong-sign",
            places=((1, 2, 3, 4, 5),),
        ),
        wrong(
            "not turned back",
            "self._turned(d_s.T @ turned_q, -1)",
            "d_s.T @ turned_q",
            "slope-missing weights-missing",
            places=((1, 2, 3, 4, 5),),
        ),
        wrong("keys not turned", "d_s @ turned_k", "d_s @ k", "another-tensor weights-missing"),
        wrong("root forgotten", "d / q.shape[1] ** 0.5", "d / q.shape[1]", "factor wrong-power"),
        wrong(
            "not transposed for k",
            "d_s.T @ turned_q",
            "d_s @ turned_q",
            "transposed swapped transposed-weights another-tensor",
        ),
        wrong("exchanged", "return d_q, d_k", "return d_k, d_q", "another-gradient swapped"),
    )


class FartherIsLess:
    """Causal attention of two heads; m times the distance is taken from each score, m of each head to be learned."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, m: Tensor) -> Tensor:
        at = torch.arange(q.shape[1])
        gap = at[:, None] - at
        s = q @ k.mT / q.shape[2] ** 0.5 - m[:, None, None] * gap
        return torch.softmax(s.masked_fill(gap < 0, float("-inf")), -1) @ v

    def backward(self, d: Tensor, q: Tensor, k: Tensor, v: Tensor, m: Tensor) -> Any:
        at, scale = torch.arange(q.shape[1]), q.shape[2] ** -0.5
        gap = at[:, None] - at
        s = q @ k.mT * scale - m[:, None, None] * gap
        p = torch.softmax(s.masked_fill(gap < 0, float("-inf")), -1)
        d_p = d @ v.mT
        d_s = p * (d_p - (d_p * p).sum(-1, keepdim=True))
        d_m = -(d_s * gap).sum((1, 2))
        return d_s @ k * scale, d_s.mT @ q * scale, p.mT @ d, d_m

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(2, 6, 4), g.normal(2, 6, 4), g.normal(2, 6, 4), torch.tensor([0.5, 0.2])

    mistakes = (
        wrong(
            "distance forgotten",
            " - m[:, None, None] * gap",
            "",
            "bias-missing term-missing weights-missing softmax-miswritten",
            places=((1, 2, 3, 4, 5),),
        ),
        wrong("sign of m", "-(d_s * gap)", "(d_s * gap)", "wrong-sign"),
        wrong("scale for m too", "-(d_s * gap)", "-scale * (d_s * gap)", "factor"),
        wrong("mean over the steps", ".sum((1, 2))", ".sum(2).mean(1)", MEAN),
        wrong(
            "later steps seen", 's.masked_fill(gap < 0, float("-inf"))', "s", "wrong-mask", places=((0, 1, 2, 3, 4),)
        ),
        wrong(
            "projection forgotten for m",
            "-(d_s * gap)",
            "-(p * d_p * gap)",
            f"{PROJECTION} softmax-not-differentiated another-tensor",
        ),
    )


PROGRAMS = programs("kinds of attention", SharedKeys, LinearAttention, TurnedScores, FartherIsLess)
