"""Norms of pictures and matrices, and channels that are weighed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class InstanceNorm:
    """Each channel of each sample of (N, C, L) by itself, ε = 0.01, with scale and shift."""

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        var, mean = torch.var_mean(x, 2, correction=0, keepdim=True)
        return (x - mean) / (var + 0.01).sqrt() * gamma[:, None] + beta[:, None]

    def backward(self, d: Tensor, x: Tensor, gamma: Tensor, beta: Tensor) -> Any:
        var, mean = torch.var_mean(x, 2, correction=0, keepdim=True)
        r = (var + 0.01).rsqrt()
        n = (x - mean) * r
        d_n = d * gamma[:, None]
        d_x = r * (d_n - d_n.mean(2, keepdim=True) - n * (d_n * n).mean(2, keepdim=True))
        return d_x, (d * n).sum((0, 2)), d.sum((0, 2))

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 4, 6, around=0.5), g.normal(4, around=1), g.normal(4)

    mistakes = (
        wrong(
            "mean and variance taken as constant",
            "(d_n - d_n.mean(2, keepdim=True) - n * (d_n * n).mean(2, keepdim=True))",
            "d_n",
            PROJECTION,
        ),
        wrong("projection over the channels", "(d_n * n).mean(2", "(d_n * n).mean(1", "another-axis"),
        wrong("first sample for beta", "d.sum((0, 2))", "d[0].sum(1)", "one-sample broadcast-not-summed"),
        wrong("mean over the places for gamma", "(d * n).sum((0, 2))", "(d * n).sum(0).mean(1)", MEAN),
        wrong(
            "gamma not in the projection", "n * (d_n * n)", "n * (d * n)", "another-tensor weights-missing term-missing"
        ),
        wrong(
            "scale of the first sample",
            "d_x = r * (",
            "d_x = r[:1] * (",
            "one-sample broadcast-over-batch wrong-sample another-tensor",
            places=((1, 2, 3, 4),),
        ),
    )


class SpectralNorm:
    """x (W / uᵀWv)ᵀ, u and v as the last power iteration left them."""

    def _directions(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tensor([0.5, -0.5, 0.5, 0.5]).to(w), torch.tensor([0.4, 0.4, -0.4, 0.4, 0.6]).to(w)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        u, v = self._directions(w)
        return x @ (w / (u @ w @ v)).T

    def backward(self, d: Tensor, x: Tensor, w: Tensor) -> Any:
        u, v = self._directions(w)
        s = u @ w @ v
        normed = w / s
        d_n = d.T @ x
        d_w = (d_n - (d_n * normed).sum() * torch.outer(u, v)) / s
        return d @ normed, d_w

    def draw(self, g: Numbers) -> Inputs:
        u, v = self._directions(torch.zeros(1))
        return g.normal(9, 5), g.normal(4, 5, scale=0.4) + 2.5 * torch.outer(u, v)

    mistakes = (
        wrong(
            "norm taken as constant",
            " - (d_n * normed).sum() * torch.outer(u, v)",
            "",
            PROJECTION,
        ),
        wrong("weights not normed", "d @ normed", "d @ w", "another-tensor factor term-missing slope-missing"),
        wrong("mean in the projection", ".sum() * torch", ".mean() * torch", MEAN),
        wrong("projected along the weights", "torch.outer(u, v)", "normed", "another-tensor"),
        wrong("norm forgotten below", "outer(u, v)) / s", "outer(u, v))", "factor term-missing slope-missing"),
        wrong("weights in the projection", "(d_n * normed)", "(d_n * w)", "another-tensor factor"),
    )


class SqueezeExcite:
    """Each channel of (N, C, L) times a gate that two layers make of the means of all channels."""

    def forward(self, x: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
        return x * torch.sigmoid((x.mean(2) @ w1.T).relu() @ w2.T)[..., None]

    def backward(self, d: Tensor, x: Tensor, w1: Tensor, w2: Tensor) -> Any:
        m = x.mean(2)
        a = m @ w1.T
        h = a.relu()
        s = torch.sigmoid(h @ w2.T)
        d_s = (d * x).sum(2)
        d_b = d_s * s * (1 - s)
        d_a = d_b @ w2 * (a > 0)
        d_m = d_a @ w1
        d_x = d * s[..., None] + d_m[..., None] / x.shape[2]
        return d_x, d_a.T @ m, d_b.T @ h

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(7, 4, 5, around=0.4), g.normal(6, 4), g.normal(4, 6)

    mistakes = (
        wrong("gate taken as constant", " + d_m[..., None] / x.shape[2]", "", PART),
        wrong("number of places forgotten", "[..., None] / x.shape[2]", "[..., None]", MEAN),
        wrong("mean over the places for the gate", "(d * x).sum(2)", "(d * x).mean(2)", MEAN),
        wrong("slope of the gate forgotten", "d_s * s * (1 - s)", "d_s", "slope-missing"),
        wrong("net for w2", "d_b.T @ h", "d_b.T @ a", "another-tensor slope-at-input wrong-mask"),
        wrong("gate forgotten", "d * s[..., None] +", "d +", "slope-missing weights-missing term-missing"),
    )


PROGRAMS = programs("norms and gates of channels", InstanceNorm, SpectralNorm, SqueezeExcite)
