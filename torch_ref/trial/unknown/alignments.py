"""Recursions along a sequence: sums over paths, and a leaky average."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class ChainPartition:
    """ln of the sum over all paths of a linear chain: e (T, K) scores states, a (K, K) going from one to the next."""

    def forward(self, e: Tensor, a: Tensor) -> Tensor:
        alpha = e[0]
        for step in e[1:]:
            alpha = torch.logsumexp(alpha[:, None] + a, 0) + step
        return torch.logsumexp(alpha, 0)

    def backward(self, d: Tensor, e: Tensor, a: Tensor) -> Any:
        alphas = [e[0]]
        for step in e[1:]:
            alphas.append(torch.logsumexp(alphas[-1][:, None] + a, 0) + step)
        d_e, d_a = torch.zeros_like(e), torch.zeros_like(a)
        d_alpha = d * torch.softmax(alphas[-1], 0)
        for t in range(len(e) - 1, 0, -1):
            d_e[t] = d_alpha
            share = torch.softmax(alphas[t - 1][:, None] + a, 0) * d_alpha
            d_a += share
            d_alpha = share.sum(1)
        d_e[0] = d_alpha
        return d_e, d_a

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 4), g.normal(4, 4)

    mistakes = (
        wrong(
            "first step of a alone",
            "d_a += share",
            "d_a = share",
            f"{PART} step-missing one-sample duplicates-overwritten",
        ),
        wrong(
            "shares over where it goes",
            "[:, None] + a, 0) * d",
            "[:, None] + a, 1) * d",
            "another-axis",
            places=((0, 1, 2, 3, 4),),
        ),
        wrong(
            "summed over where it came from",
            "share.sum(1)",
            "share.sum(0)",
            "another-axis slope-missing weights-missing",
            places=((0, 1, 2, 3, 4),),
        ),
        wrong(
            "first step left out",
            "    d_e[0] = d_alpha\n",
            "",
            f"{PART} step-missing zero-rows only-some",
            places=((0,),),
        ),
        wrong(
            "chain's scores not in the shares",
            "softmax(alphas[t - 1][:, None] + a, 0)",
            "softmax(alphas[t - 1][:, None].expand_as(a), 0)",
            "term-missing weights-missing softmax-miswritten bias-missing",
            places=((0, 1, 2, 3, 4),),
        ),
        wrong(
            "sums of the step itself",
            "softmax(alphas[t - 1]",
            "softmax(alphas[t]",
            "another-tensor shifted",
            places=((0, 1, 2, 3, 4),),
        ),
    )


class OnlyForwards:
    """−ln of the probability of all paths that stay or go on by one, from the first label to the last; p (T, L)."""

    def forward(self, p: Tensor) -> Tensor:
        alpha = fn.pad(p[0, :1], (0, p.shape[1] - 1))
        for step in p[1:]:
            alpha = (alpha + fn.pad(alpha[:-1], (1, 0))) * step
        return -alpha[-1].log()

    def backward(self, d: Tensor, p: Tensor) -> Any:
        came, alpha = [], fn.pad(p[0, :1], (0, p.shape[1] - 1))
        for step in p[1:]:
            came.append(alpha + fn.pad(alpha[:-1], (1, 0)))
            alpha = came[-1] * step
        d_p, d_alpha = torch.zeros_like(p), torch.zeros_like(alpha)
        d_alpha[-1] = -d / alpha[-1]
        for t in range(len(p) - 1, 0, -1):
            d_p[t] = d_alpha * came[t - 1]
            d_came = d_alpha * p[t]
            d_alpha = d_came + fn.pad(d_came[1:], (0, 1))
        d_p[0, 0] = d_alpha[0]
        return d_p

    def draw(self, g: Numbers) -> Inputs:
        return (g.between(0.2, 0.9, 7, 4),)

    mistakes = (
        wrong("staying alone", " + fn.pad(d_came[1:], (0, 1))", "", PART, places=((0, 1, 2, 3, 4, 5), (0, 1, 2))),
        wrong(
            "labels the other way",
            "fn.pad(d_came[1:], (0, 1))",
            "fn.pad(d_came[:-1], (1, 0))",
            "shifted unit-beside swapped transposed another-tensor",
            places=((0, 1, 2, 3, 4, 5), (0, 1, 2)),
        ),
        wrong("logarithm forgotten", "-d / alpha[-1]", "-d", "slope-missing factor wrong-logarithm term-missing"),
        wrong(
            "probability forgotten",
            "d_alpha * p[t]",
            "d_alpha",
            "slope-missing weights-missing term-missing",
            places=((0, 1, 2, 3, 4, 5),),
        ),
        wrong(
            "probability of the step before",
            "d_alpha * p[t]",
            "d_alpha * p[t - 1]",
            "another-tensor shifted",
            places=((0, 1, 2, 3, 4, 5),),
        ),
        wrong(
            "sums of another step", "came[t - 1]", "came[t - 2]", "another-tensor shifted", places=((1, 2, 3, 4, 5, 6),)
        ),
    )


class LeakyAverage:
    """h = a h + (1 − a) x over the steps of (T, N, C), a = σ(p) for each channel; all h are returned."""

    def forward(self, x: Tensor, p: Tensor) -> Tensor:
        a, h, kept = torch.sigmoid(p), torch.zeros_like(x[0]), []
        for step in x:
            h = a * h + (1 - a) * step
            kept.append(h)
        return torch.stack(kept)

    def backward(self, d: Tensor, x: Tensor, p: Tensor) -> Any:
        a, h = torch.sigmoid(p), self.forward(x, p)
        before = torch.cat([torch.zeros_like(h[:1]), h[:-1]])
        d_x, d_a, d_h = torch.zeros_like(x), torch.zeros_like(p), torch.zeros_like(x[0])
        for t in reversed(range(len(x))):
            d_h = d[t] + d_h
            d_x[t] = (1 - a) * d_h
            d_a += (d_h * (before[t] - x[t])).sum(0)
            d_h = a * d_h
        return d_x, d_a * a * (1 - a)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 5, 3), g.normal(3)

    mistakes = (
        wrong("nothing through time", "d_h = a * d_h", "d_h = 0 * d_h", PART, places=((0, 1, 2, 3, 4),)),
        wrong("input forgotten for the rate", "(before[t] - x[t])", "before[t]", f"{PART} term-missing"),
        wrong("slope of the sigmoid forgotten", "d_a * a * (1 - a)", "d_a", "slope-missing"),
        wrong(
            "no leak through time",
            "d_h = a * d_h",
            "d_h = 1 * d_h",
            "slope-missing weights-missing term-missing",
            places=((0, 1, 2, 3, 4),),
        ),
        wrong("state after", "(before[t] -", "(h[t] -", "another-tensor shifted"),
        wrong("mean over the samples", ".sum(0)", ".mean(0)", MEAN),
    )


PROGRAMS = programs("sums along sequences", ChainPartition, OnlyForwards, LeakyAverage)
