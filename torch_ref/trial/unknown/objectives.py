"""Losses of weighed classes, quantiles, overlaps and pairs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class PositivesWeighed:
    """Binary cross-entropy of logits, the positives weighed class by class, the mean over all."""

    def forward(self, z: Tensor, t: Tensor, weight: Tensor) -> Tensor:
        return -(weight * t * fn.logsigmoid(z) + ~t * fn.logsigmoid(-z)).mean()

    def backward(self, d: Tensor, z: Tensor, t: Tensor, weight: Tensor) -> Any:
        y = torch.sigmoid(z)
        d_each = d / z.numel()
        d_z = d_each * (y * ~t - weight * (1 - y) * t)
        d_weight = -d_each * (t * fn.logsigmoid(z)).sum(0)
        return d_z, None, d_weight

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(12, 3, scale=1.5), g.mask(12, 3), g.between(1.5, 4, 3)

    mistakes = (
        wrong("weight forgotten", "weight * (1 - y)", "(1 - y)", "weights-missing term-missing another-loss"),
        wrong(
            "negatives weighed too",
            "(y * ~t - weight * (1 - y) * t)",
            "weight * (y - 1 * t)",
            "wrong-mask another-loss input-too-often slope-miswritten",
            places=((0, 1, 4, 7, 9, 11),),
        ),
        wrong("mean over the samples alone", "z.numel()", "len(z)", MEAN),
        wrong(
            "negatives forgotten",
            "(y * ~t - weight",
            "(-weight",
            f"{PART} term-missing target-unit-only",
            places=((0, 1, 4, 7, 9, 11),),
        ),
        wrong("slope of the sigmoid too", "* (1 - y) * t)", "* (1 - y) * y * t)", "slope-not-here slope-twice"),
        wrong("output for its logarithm", "fn.logsigmoid(z)", "y", "wrong-logarithm another-tensor"),
    )


class Quantiles:
    """The pinball loss of three quantiles, summed over them, the mean over the samples."""

    levels = (0.1, 0.5, 0.9)

    def forward(self, y: Tensor, t: Tensor) -> Tensor:
        q, r = torch.tensor(self.levels).to(y), t[:, None] - y
        return torch.maximum(q * r, (q - 1) * r).sum(1).mean()

    def backward(self, d: Tensor, y: Tensor, t: Tensor) -> Any:
        q, r = torch.tensor(self.levels).to(y), t[:, None] - y
        d_r = d * torch.where(r > 0, q, q - 1) / len(y)
        return -d_r, d_r.sum(1)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(11, 3), g.normal(11)

    mistakes = (
        wrong(
            "levels upside down",
            "q, q - 1",
            "1 - q, -q",
            "swapped slope-miswritten wrong-argument another-tensor",
            places=((0, 2),),
        ),
        wrong("sides exchanged", "r > 0", "r < 0", "wrong-mask swapped slope-miswritten another-function"),
        wrong("mean over the levels", "d_r.sum(1)", "d_r.mean(1)", MEAN),
        wrong("median alone", "d_r.sum(1)", "d_r[:, 1]", f"{PART} broadcast-not-summed one-sample step-missing"),
        wrong("mean over all", "len(y)", "y.numel()", MEAN),
        wrong("same sign for both", "return -d_r", "return d_r", "wrong-sign"),
    )


class Overlap:
    """1 − TP / (TP + 0.3 FP + 0.7 FN) of soft masks (Tversky), the mean over the samples."""

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        p = torch.sigmoid(z)
        hit, false, missed = (p * t).sum(1), (p * ~t).sum(1), ((1 - p) * t).sum(1)
        return (1 - hit / (hit + 0.3 * false + 0.7 * missed)).mean()

    def backward(self, d: Tensor, z: Tensor, t: Tensor) -> Any:
        p = torch.sigmoid(z)
        hit, false = (p * t).sum(1), (p * ~t).sum(1)
        missed = ((1 - p) * t).sum(1)
        below = hit + 0.3 * false + 0.7 * missed
        d_hit = -(below - hit) / below**2
        d_false = 0.3 * hit / below**2
        d_missed = 0.7 * hit / below**2
        d_p = d_hit[:, None] * t + d_false[:, None] * ~t - d_missed[:, None] * t
        return d / len(z) * d_p * p * (1 - p), None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 9), g.mask(5, 9)

    mistakes = (
        wrong(
            "hits below forgotten",
            "-(below - hit) / below**2",
            "-1 / below",
            f"{PROJECTION} slope-miswritten term-missing",
        ),
        wrong("missed ones forgotten", " - d_missed[:, None] * t", "", f"{PART} term-missing"),
        wrong(
            "weights exchanged",
            "d_false = 0.3",
            "d_false = 0.7",
            "swapped factor another-tensor",
            ("d_missed = 0.7", "d_missed = 0.3"),
        ),
        wrong("slope of the sigmoid forgotten", " * p * (1 - p)", "", "slope-missing"),
        wrong("missed ones added", "- d_missed", "+ d_missed", "plus-for-minus"),
        wrong(
            "missed of all samples",
            "missed = ((1 - p) * t).sum(1)",
            "missed = ((1 - p) * t).sum()",
            "another-axis broadcast-over-batch",
        ),
    )


class BothWays:
    """Row i of a belongs to row i of b: cross-entropy of e^s a bᵀ, along rows and along columns, their mean."""

    def forward(self, a: Tensor, b: Tensor, s: Tensor) -> Tensor:
        z = s.exp() * a @ b.T
        return -(torch.log_softmax(z, 1) + torch.log_softmax(z, 0)).diagonal().mean() / 2

    def backward(self, d: Tensor, a: Tensor, b: Tensor, s: Tensor) -> Any:
        alike = a @ b.T
        z = s.exp() * alike
        same = torch.eye(len(a)).to(a)
        d_z = d * (torch.softmax(z, 1) + torch.softmax(z, 0) - 2 * same) / (2 * len(a))
        d_alike = d_z * s.exp()
        return d_alike @ b, d_alike.T @ a, (d_z * z).sum()

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8, 5, scale=0.6), g.normal(8, 5, scale=0.6), torch.tensor(0.9)

    mistakes = (
        wrong(
            "rows alone",
            "torch.softmax(z, 1) + torch.softmax(z, 0) - 2 * same",
            "torch.softmax(z, 1) - same",
            f"{PART} another-loss",
        ),
        wrong("pairs subtracted once", "- 2 * same", "- same", f"{PART} term-missing factor"),
        wrong("rows twice", "torch.softmax(z, 0)", "torch.softmax(z, 1)", "another-axis"),
        wrong("scale forgotten", "d_z * s.exp()", "d_z.clone()", "factor weights-missing term-missing slope-missing"),
        wrong("unscaled for the scale", "(d_z * z)", "(d_z * alike)", "factor another-tensor slope-missing"),
        wrong("half forgotten", "(2 * len(a))", "len(a)", MEAN),
    )


PROGRAMS = programs("losses of pairs and masks", PositivesWeighed, Quantiles, Overlap, BothWays)
