"""Norms over features, batches, groups and images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PROJECTION, Inputs, Numbers, programs, wrong


class LayerNorm:
    """Over the last axis, ε = 0.1, with scale and shift."""

    eps = 0.1

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        var, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
        return (x - mean) / torch.sqrt(var + self.eps) * gamma + beta

    def backward(self, d: Tensor, x: Tensor, gamma: Tensor, beta: Tensor) -> Any:
        var, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
        r = 1 / torch.sqrt(var + self.eps)
        n = (x - mean) * r
        d_n = d * gamma
        d_x = r * (d_n - d_n.mean(-1, keepdim=True) - n * (d_n * n).mean(-1, keepdim=True))
        return d_x, (d * n).sum(0), d.sum(0)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(10, 7, scale=2, around=1), g.normal(7, around=1), g.normal(7)

    mistakes = (
        wrong("variance taken as constant", " - n * (d_n * n).mean(-1, keepdim=True)", "", PROJECTION),
        wrong("mean taken as constant", " - d_n.mean(-1, keepdim=True)", "", PROJECTION),
        wrong(
            "both taken as constant",
            "(d_n - d_n.mean(-1, keepdim=True) - n * (d_n * n).mean(-1, keepdim=True))",
            "d_n",
            PROJECTION,
        ),
        wrong("gamma forgotten", "d * gamma", "d", "weights-missing term-missing"),
        wrong("sum in the projection", "(d_n * n).mean(", "(d_n * n).sum(", "mean-for-sum"),
        wrong("sum for the mean", "d_n.mean(", "d_n.sum(", "mean-for-sum"),
        wrong("mean over the samples", "d_n.mean(-1", "d_n.mean(0", "another-axis"),
        wrong("projection over the samples", "(d_n * n).mean(-1", "(d_n * n).mean(0", "another-axis"),
        wrong("input for gamma", "(d * n).sum(0)", "(d * x).sum(0)", "another-tensor"),
        wrong("mean for gamma", "(d * n).sum(0)", "(d * n).mean(0)", MEAN),
        wrong("plus at the projection", "- n * (d_n", "+ n * (d_n", "plus-for-minus"),
        wrong("epsilon forgotten", "var + self.eps", "var", "term-missing factor"),
        wrong("root forgotten", "r = 1 / torch.sqrt(var + self.eps)", "r = 1 / (var + self.eps)", "wrong-power factor"),
        wrong("scale forgotten", "r * (d_n", "(d_n", "factor term-missing slope-missing"),
    )


class RootMeanSquare:
    """x / sqrt(mean x² + ε) g, of (B, T, D)."""

    def forward(self, x: Tensor, g: Tensor) -> Tensor:
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * g

    def backward(self, d: Tensor, x: Tensor, g: Tensor) -> Any:
        r = torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5)
        n = x * r
        d_n = d * g
        d_x = r * (d_n - n * (d_n * n).mean(-1, keepdim=True))
        d_g = (d * n).sum((0, 1))
        return d_x, d_g

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 3, 8, scale=0.2), g.normal(8)

    mistakes = (
        wrong("root taken as constant", " - n * (d_n * n).mean(-1, keepdim=True)", "", PROJECTION),
        wrong(
            "sum in the projection",
            ".mean(-1, keepdim=True))\n    d_g",
            ".sum(-1, keepdim=True))\n    d_g",
            "mean-for-sum",
        ),
        wrong("g forgotten", "d * g", "d", "weights-missing term-missing"),
        wrong("mean over the steps", "(d * n).sum((0, 1))", "(d * n).sum(0).mean(0)", MEAN),
        wrong("input for g", "(d * n).sum", "(d * x).sum", "another-tensor"),
        wrong("plus at the projection", "d_n - n", "d_n + n", "plus-for-minus"),
        wrong("scale twice", "r * (d_n -", "r * r * (d_n -", "factor wrong-power"),
        wrong("input in the projection", "n * (d_n * n)", "x * (d_n * n)", "another-tensor"),
        wrong("g forgotten in the projection", "(d_n * n)", "(d * n)", "another-tensor weights-missing"),
        wrong("last step left out of g", "(d * n)", "(d * n)[:, :-1]", "step-missing"),
    )


class BatchNorm2d:
    """Over samples and places, for each channel."""

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        mean = x.mean((0, 2, 3), keepdim=True)
        var = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        return gamma[:, None, None] * (x - mean) / (var + 1e-5).sqrt() + beta[:, None, None]

    def backward(self, d: Tensor, x: Tensor, gamma: Tensor, beta: Tensor) -> Any:
        m = x.numel() // x.shape[1]
        mean = x.mean((0, 2, 3), keepdim=True)
        r = (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).rsqrt()
        n = (x - mean) * r
        d_beta = d.sum((0, 2, 3))
        d_gamma = (d * n).sum((0, 2, 3))
        shift = d_beta[:, None, None] / m
        along = n * d_gamma[:, None, None] / m
        d_x = gamma[:, None, None] * r * (d - shift - along)
        return d_x, d_gamma, d_beta

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 3, 5, 2, around=2), g.normal(3, around=1), g.normal(3)

    mistakes = (
        wrong("samples counted, not places", "x.numel() // x.shape[1]", "len(x)", "mean-for-sum"),
        wrong("as in evaluation", "(d - shift - along)", "d", PROJECTION),
        wrong("variance taken as constant", " - along", "", PROJECTION),
        wrong("mean taken as constant", "d - shift", "d", PROJECTION),
        wrong("gamma forgotten", "gamma[:, None, None] * r", "r", "weights-missing term-missing factor"),
        wrong("momentum in gamma", "d_x, d_gamma,", "d_x, 0.9 * d_gamma,", "factor"),
        wrong("input for gamma", "(d * n)", "(d * x)", "another-tensor"),
        wrong("mean for beta", "d_x, d_gamma, d_beta", "d_x, d_gamma, d_beta / m", MEAN),
        wrong("mean over the width for beta", "d_x, d_gamma, d_beta", "d_x, d_gamma, d_beta / x.shape[3]", MEAN),
        wrong("gamma and beta exchanged", "d_x, d_gamma, d_beta", "d_x, d_beta, d_gamma", "another-gradient swapped"),
        wrong("of one less", "* r * (", "* r * (1 - 1 / m) * (", "factor"),
        wrong("projection not along n", "n * d_gamma", "d_gamma", "another-tensor term-missing"),
    )


class GroupNorm:
    """Two groups of three channels, no scale."""

    groups = 2

    def forward(self, x: Tensor) -> Tensor:
        g = x.view(len(x), self.groups, -1)
        n = (g - g.mean(2, keepdim=True)) / (g.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
        return n.view(x.shape)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        g, d_n = x.reshape(len(x), self.groups, -1), d.reshape(len(x), self.groups, -1)
        r = (g.var(2, correction=0, keepdim=True) + 1e-5).rsqrt()
        n = (g - g.mean(2, keepdim=True)) * r
        along = n * (d_n * n).mean(2, keepdim=True)
        d_g = r * (d_n - d_n.mean(2, keepdim=True) - along)
        return d_g.view(x.shape)

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(3, 6, 4, scale=5),)

    mistakes = (
        wrong("variance taken as constant", " - along", "", PROJECTION),
        wrong("mean taken as constant", " - d_n.mean(2, keepdim=True)", "", PROJECTION),
        wrong("groups forgotten", "(d_n * n).mean(2", "(d_n * n).mean((1, 2)", "another-axis"),
        wrong(
            "second group not projected",
            "- along)",
            "- along * torch.tensor([[1.0], [0.0]]))",
            f"{PROJECTION} only-some",
            places=((3, 4, 5),),
        ),
        wrong(
            "first group alone",
            "return d_g",
            "d_g[:, 1] = 0\n    return d_g",
            "only-some dead-unit zero-rows",
            places=((3, 4, 5),),
        ),
        wrong("groups exchanged", "return d_g", "return d_g.flip(1)", "shifted swapped unit-beside"),
        wrong("scale forgotten", "r * (d_n", "(d_n", "factor term-missing slope-missing"),
        wrong("projection twice", "- along)", "- 2 * along)", "part-twice"),
    )


PROGRAMS = programs("norms over axes", LayerNorm, RootMeanSquare, BatchNorm2d, GroupNorm)
