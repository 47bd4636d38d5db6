"""Gated units: one half decides how much of the other passes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import Inputs, Numbers, programs, wrong


class Swish:
    """x σ(βx), with one β to be learned."""

    def forward(self, x: Tensor, beta: Tensor) -> Tensor:
        return x * torch.sigmoid(beta * x)

    def backward(self, d: Tensor, x: Tensor, beta: Tensor) -> Any:
        s = torch.sigmoid(beta * x)
        d_x = d * (s + beta * x * s * (1 - s))
        d_beta = (d * x * x * s * (1 - s)).sum()
        return d_x, d_beta

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(17, 6), torch.tensor(1.7)

    mistakes = (
        wrong(
            "first term alone",
            "(s + beta * x * s * (1 - s))",
            "s",
            "part-missing path-detached slope-miswritten term-missing",
        ),
        wrong("second term alone", "(s + beta", "(beta", "part-missing path-detached slope-miswritten term-missing"),
        wrong("inner derivative forgotten", "s + beta * x", "s + x", "slope-miswritten"),
        wrong("mean for beta", ".sum()", ".mean()", "mean-for-sum factor"),
        wrong("one x too few for beta", "(d * x * x", "(d * x", "input-missing slope-miswritten"),
        wrong("upstream squared for beta", "(d * x * x", "(d * d * x * x", "upstream-twice"),
        wrong(
            "plus in the slope",
            "s + beta * x * s * (1 - s)",
            "s + beta * x * s * (1 + s)",
            "plus-for-minus slope-miswritten",
        ),
        wrong("first row for beta", ".sum()", "[0].sum()", "one-sample"),
        wrong("upstream forgotten for beta", "(d * x * x", "(x * x", "upstream-missing upstream-ignored"),
    )


class GatedGELU:
    """GELU(x W) times x V."""

    def forward(self, x: Tensor, w: Tensor, v: Tensor) -> Tensor:
        a = x @ w
        return a * 0.5 * (1 + torch.erf(a / math.sqrt(2))) * (x @ v)

    def backward(self, d: Tensor, x: Tensor, w: Tensor, v: Tensor) -> Any:
        a, b = x @ w, x @ v
        below = 0.5 * (1 + torch.erf(a / math.sqrt(2)))
        bell = torch.exp(-a * a / 2) / math.sqrt(2 * math.pi)
        d_a = d * b * (below + a * bell)
        d_b = d * a * below
        return d_a @ w.T + d_b @ v.T, x.T @ d_a, x.T @ d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(13, 4), g.normal(4, 6), g.normal(4, 6)

    mistakes = (
        wrong("gate not differentiated", " * (below + a * bell)", "", "slope-missing"),
        wrong("bell forgotten", "(below + a * bell)", "below", "part-missing path-detached slope-miswritten"),
        wrong(
            "slope of SiLU",
            "(below + a * bell)",
            "torch.sigmoid(a) * (1 + a * torch.sigmoid(-a))",
            "slope-of-another-function slope-miswritten",
        ),
        wrong("gate's way to x forgotten", "d_a @ w.T + ", "", "part-missing path-detached"),
        wrong("linear way to x forgotten", " + d_b @ v.T", "", "part-missing path-detached"),
        wrong(
            "weights' gradients exchanged",
            "x.T @ d_a, x.T @ d_b",
            "x.T @ d_b, x.T @ d_a",
            "another-gradient swapped another-tensor",
        ),
        wrong("pre-activation for the gate", "d * a * below", "d * a", "another-tensor slope-miswritten slope-missing"),
        wrong("mean over the samples", "x.T @ d_a,", "x.T @ d_a / len(x),", "mean-for-sum factor"),
        wrong(
            "other weights on the way back", "d_a @ w.T + d_b @ v.T", "d_a @ v.T + d_b @ w.T", "another-tensor swapped"
        ),
    )


PROGRAMS = programs("gated units", Swish, GatedGELU)
