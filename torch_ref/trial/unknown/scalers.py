"""More norms, and quantisation: with a residual, from a style, of neighbours, with a threshold, soft codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class AddAndNorm:
    """h = x + r of (B, T, D), and h / √(mean h² + 0.05) (1 + g); both are returned, the second first."""

    def forward(self, x: Tensor, r: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        h = x + r
        return h * torch.rsqrt((h * h).mean(2, keepdim=True) + 0.05) * (1 + g), h

    def backward(self, d_y: Tensor, d_h: Tensor, x: Tensor, r: Tensor, g: Tensor) -> Any:
        h = x + r
        inverse = torch.rsqrt((h * h).mean(2, keepdim=True) + 0.05)
        n = h * inverse
        d_g = (d_y * n).sum((0, 1))
        d_n = d_y * (1 + g)
        d_sum = inverse * (d_n - n * (d_n * n).mean(2, keepdim=True))
        d_sum = d_sum + d_h
        return d_sum, d_sum, d_g

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 4, 5), g.normal(3, 4, 5), g.normal(5, scale=0.5)

    mistakes = (
        wrong("stream itself forgotten", "    d_sum = d_sum + d_h\n", "", PART),
        wrong("one forgotten", "d_y * (1 + g)", "d_y * g", f"{PART} term-missing wrong-argument"),
        wrong("size taken as constant", " - n * (d_n * n).mean(2, keepdim=True)", "", PROJECTION),
        wrong("sum for mean", "(d_n * n).mean(2,", "(d_n * n).sum(2,", f"{MEAN} wrong-divisor"),
        wrong(
            "gain's gradient before the norm",
            "(d_y * n).sum((0, 1))",
            "(d_y * h).sum((0, 1))",
            "another-tensor slope-at-input slope-missing term-missing",
        ),
        wrong("first step for all", "(d_y * n).sum((0, 1))", "(d_y * n).sum(0)[0]", "one-sample step-missing"),
        wrong(
            "stream normed again",
            "return d_sum, d_sum, d_g",
            "return d_sum, d_sum * inverse, d_g",
            "slope-not-here slope-twice another-tensor weights-missing",
        ),
    )


class StyledContent:
    """Each channel of x (N, C, L) brought to the mean and spread of that of a style (N, C, M), ε = 0.1."""

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        spread_x = (x.var(2, unbiased=False, keepdim=True) + 0.1).sqrt()
        spread_s = (style.var(2, unbiased=False, keepdim=True) + 0.1).sqrt()
        return (x - x.mean(2, keepdim=True)) / spread_x * spread_s + style.mean(2, keepdim=True)

    def backward(self, d: Tensor, x: Tensor, style: Tensor) -> Any:
        spread_x = (x.var(2, unbiased=False, keepdim=True) + 0.1).sqrt()
        spread_s = (style.var(2, unbiased=False, keepdim=True) + 0.1).sqrt()
        n = (x - x.mean(2, keepdim=True)) / spread_x
        u = (style - style.mean(2, keepdim=True)) / spread_s
        d_n = d * spread_s
        d_x = (d_n - d_n.mean(2, keepdim=True) - n * (d_n * n).mean(2, keepdim=True)) / spread_x
        d_mean = d.sum(2, keepdim=True)
        d_spread = (d * n).sum(2, keepdim=True)
        d_style = (d_mean + d_spread * u) / style.shape[2]
        return d_x, d_style

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 2, 6, around=0.5), g.normal(3, 2, 8, scale=1.7, around=-0.4)

    mistakes = (
        wrong("mean taken as constant", " - d_n.mean(2, keepdim=True)", "", PROJECTION),
        wrong("style's spread forgotten", "(d_mean + d_spread * u)", "d_mean.expand_as(u)", f"{PART} term-missing"),
        wrong("length of the content", "/ style.shape[2]", "/ x.shape[2]", "factor wrong-divisor another-tensor"),
        wrong(
            "content's spread for the style's",
            "d_n = d * spread_s",
            "d_n = d * spread_x",
            "another-tensor wrong-argument",
        ),
        wrong(
            "style not divided by its spread",
            "keepdim=True)) / spread_s\n",
            "keepdim=True))\n",
            "slope-missing term-missing",
        ),
        wrong(
            "spread's gradient before the norm",
            "d_spread = (d * n)",
            "d_spread = (d * x)",
            "another-tensor slope-at-input",
        ),
        wrong("sum for mean", "n * (d_n * n).mean(2,", "n * (d_n * n).sum(2,", f"{MEAN} wrong-divisor"),
    )


class LoudNeighbours:
    """w x / (1 + 0.4 Σ x²)^0.75, the sum over a channel of (N, C, L) and those beside it (local response norm)."""

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        square = torch.nn.functional.pad(x * x, (0, 0, 1, 1))
        size = 1 + 0.4 * (square[:, :-2] + square[:, 1:-1] + square[:, 2:])
        return w[:, None] * x * size**-0.75

    def backward(self, d: Tensor, x: Tensor, w: Tensor) -> Any:
        channels = x.shape[1]
        size = torch.ones_like(x)
        for c in range(channels):
            for near in range(max(0, c - 1), min(channels, c + 2)):
                size[:, c] += 0.4 * x[:, near] ** 2
        d_w = (d * x * size**-0.75).sum((0, 2))
        d_n = d * w[:, None]
        d_size = -0.75 * d_n * x * size**-1.75
        d_x = d_n * size**-0.75
        for c in range(channels):
            for near in range(max(0, c - 1), min(channels, c + 2)):
                d_x[:, near] += 0.8 * x[:, near] * d_size[:, c]
        return d_x, d_w

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 5, 4), g.normal(5, around=1)

    mistakes = (
        wrong(
            "own channel alone",
            "            d_x[:, near] += 0.8 * x[:, near] * d_size[:, c]\n",
            "            if near == c:\n                d_x[:, c] += 0.8 * x[:, c] * d_size[:, c]\n",
            f"{PROJECTION} one-channel",
        ),
        wrong("two of the square forgotten", "0.8 * x[:, near]", "0.4 * x[:, near]", "factor slope-miswritten"),
        wrong(
            "power not lowered",
            "x * size**-1.75",
            "x * size**-0.75",
            "wrong-power slope-miswritten slope-missing another-tensor",
        ),
        wrong(
            "channel for its neighbour",
            "0.8 * x[:, near] * d",
            "0.8 * x[:, c] * d",
            "another-tensor shifted unit-beside wrong-sample wrong-argument",
        ),
        wrong("sign of the power", "d_size = -0.75", "d_size = 0.75", "wrong-sign plus-for-minus"),
        wrong(
            "direct way overwritten",
            "d_x[:, near] += 0.8",
            "d_x[:, near] = 0.8",
            f"{PART} windows-overwritten duplicates-overwritten step-missing",
        ),
        wrong("gain forgotten", "d_n = d * w[:, None]", "d_n = d", "weights-missing term-missing slope-missing"),
    )


class ThresholdAfterNorm:
    """max(g x / √(mean x² + 0.1) + b, τ), the mean over the places; g, b and τ for each channel of (N, C, L)."""

    def forward(self, x: Tensor, g: Tensor, b: Tensor, tau: Tensor) -> Tensor:
        n = x / ((x * x).mean(2, keepdim=True) + 0.1).sqrt()
        return torch.maximum(g[:, None] * n + b[:, None], tau[:, None])

    def backward(self, d: Tensor, x: Tensor, g: Tensor, b: Tensor, tau: Tensor) -> Any:
        root = ((x * x).mean(2, keepdim=True) + 0.1).sqrt()
        n = x / root
        on = (g[:, None] * n + b[:, None]) > tau[:, None]
        d_z = d * on
        d_tau = (d - d_z).sum((0, 2))
        d_n = d_z * g[:, None]
        d_root = -(d_n * n / root).sum(2, keepdim=True)
        d_x = d_n / root + d_root * x / (root * x.shape[2])
        return d_x, (d_z * n).sum((0, 2)), d_z.sum((0, 2)), d_tau

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 4, 6), g.normal(4, around=1), g.normal(4, scale=0.3), g.normal(4, scale=0.3)

    mistakes = (
        wrong("root taken as constant", " + d_root * x / (root * x.shape[2])", "", PROJECTION),
        wrong("nothing held back", "d_z = d * on", "d_z = d", "wrong-mask slope-missing"),
        wrong("threshold learns everywhere", "(d - d_z)", "d", "wrong-mask term-missing part-twice slope-missing"),
        wrong(
            "shift left out of the mask",
            "n + b[:, None]) >",
            "n) >",
            "bias-missing wrong-mask term-missing",
            places=((2,), (3,)),
        ),
        wrong("not divided by the places", "(root * x.shape[2])", "root", f"{MEAN} wrong-divisor"),
        wrong(
            "root's slope forgotten",
            "d_root * x / (root * x.shape[2])",
            "d_root * x / x.shape[2]",
            "slope-missing wrong-power slope-miswritten term-missing",
        ),
        wrong("gain forgotten", "d_n = d_z * g[:, None]", "d_n = d_z", "weights-missing term-missing slope-missing"),
    )


class SoftCodes:
    """Σ a_k e_k, a the softmax of −β ‖x − e_k‖² over the codes e (K, D) for rows x; β is a single number."""

    def forward(self, x: Tensor, codes: Tensor, beta: Tensor) -> Tensor:
        far = (x[:, None, :] - codes).square().sum(2)
        return torch.softmax(-beta * far, 1) @ codes

    def backward(self, d: Tensor, x: Tensor, codes: Tensor, beta: Tensor) -> Any:
        gap = x[:, None, :] - codes
        far = gap.square().sum(2)
        a = torch.softmax(-beta * far, 1)
        d_codes = a.T @ d
        d_a = d @ codes.T
        d_score = a * (d_a - (d_a * a).sum(1, keepdim=True))
        d_beta = -(d_score * far).sum()
        d_far = -beta * d_score
        d_gap = 2 * d_far[:, :, None] * gap
        d_codes -= d_gap.sum(0)
        return d_gap.sum(1), d_codes, d_beta

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(12, 3), g.normal(5, 3), torch.tensor(0.6)

    mistakes = (
        wrong("distances of the codes forgotten", "    d_codes -= d_gap.sum(0)\n", "", PART),
        wrong("mean over the rows", "d_codes -= d_gap.sum(0)", "d_codes -= d_gap.mean(0)", MEAN),
        wrong("two of the square forgotten", "2 * d_far", "d_far", "factor slope-miswritten"),
        wrong("softmax down the rows", "(d_a * a).sum(1,", "(d_a * a).sum(0,", "another-axis"),
        wrong(
            "beta forgotten",
            "d_far = -beta * d_score",
            "d_far = -d_score",
            "factor weights-missing slope-missing term-missing",
        ),
        wrong("sign of the codes", "d_codes -= d_gap", "d_codes += d_gap", "wrong-sign plus-for-minus"),
        wrong(
            "beta past the softmax",
            "d_beta = -(d_score * far)",
            "d_beta = -(d_a * far)",
            "another-tensor slope-missing softmax-not-differentiated",
        ),
    )


PROGRAMS = programs("more norms and codes", AddAndNorm, StyledContent, LoudNeighbours, ThresholdAfterNorm, SoftCodes)
