"""Losses of classifiers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class TokenLoss:
    """Cross-entropy of class indices, -1 is padding; the mean over the rest."""

    def forward(self, logits: Tensor, t: Tensor) -> Tensor:
        keep = t >= 0
        picked = torch.log_softmax(logits, -1)[keep].gather(1, t[keep, None])
        return -picked.sum() / keep.sum()

    def backward(self, d: Tensor, logits: Tensor, t: Tensor) -> Any:
        keep = t >= 0
        p = torch.softmax(logits, -1)
        d_z = p.clone()
        d_z[torch.arange(len(t)), t.clamp(min=0)] -= 1
        d_z[~keep] = 0
        return d * d_z / keep.sum(), None

    def draw(self, g: Numbers) -> Inputs:
        t = g.below(5, 12)
        t[[3, 8, 9]] = -1
        return g.normal(12, 5, scale=2), t

    mistakes = (
        wrong("divided by all", "keep.sum()", "len(t)", f"{MEAN}"),
        wrong("padding not masked", "    d_z[~keep] = 0\n", "", "wrong-mask only-some", places=((3, 8, 9),)),
        wrong("softmax forgotten", "p.clone()", "logits.clone()", "softmax-missing"),
        wrong("right class not subtracted", "    d_z[torch.arange(len(t)), t.clamp(min=0)] -= 1\n", "", "term-missing"),
        wrong("sign", "d * d_z", "-d * d_z", "wrong-sign"),
        wrong("upstream squared", "d * d_z", "d * d * d_z", "upstream-twice"),
        wrong("sum for mean", " / keep.sum()", "", MEAN),
        wrong("only the right class", "p.clone()", "torch.zeros_like(p)", "target-unit-only term-missing"),
        wrong("right class added", "-= 1", "+= 1", "plus-for-minus"),
        wrong("softmax over the samples", "(logits, -1)", "(logits, 0)", "another-axis"),
        wrong("divided by the classes", "keep.sum()", "logits.shape[1]", "factor another-axis"),
        wrong(
            "last sample left out",
            "d_z[~keep] = 0",
            "d_z[~keep] = 0\n    d_z[-1] = 0",
            "zero-rows sample-missing only-some",
            places=((11,),),
        ),
    )


class SmoothedLabels:
    """Cross-entropy with a tenth of the probability spread over all classes; a sum."""

    eps = 0.1

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        q = self.eps / z.shape[1] + (1 - self.eps) * t
        return -(q * torch.log_softmax(z, 1)).sum()

    def backward(self, d: Tensor, z: Tensor, t: Tensor) -> Any:
        p = torch.softmax(z, 1)
        q = self.eps / z.shape[1] + (1 - self.eps) * t
        log_p = torch.log_softmax(z, 1)
        return d * (p - q), d * (self.eps - 1) * log_p

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(16, 4), fn.one_hot(g.below(4, 16), 4).float()

    mistakes = (
        wrong("labels not smoothed", "(p - q)", "(p - t)", "another-loss term-missing another-tensor"),
        wrong("mean over the samples", "d * (p - q)", "d * (p - q) / len(z)", MEAN),
        wrong(
            "logits for the logarithm", "(self.eps - 1) * log_p", "(self.eps - 1) * z", "softmax-missing another-tensor"
        ),
        wrong("smoothing forgotten for t", "(self.eps - 1) * log_p", "-log_p", "factor another-loss"),
        wrong("sign", "(p - q)", "(q - p)", "wrong-sign"),
        wrong("logarithm forgotten for t", "* log_p", "* p", "wrong-logarithm another-tensor"),
        wrong(
            "softmax of the smoothed labels",
            "d * (p - q)",
            "d * (p - torch.softmax(q, 1))",
            "applied-twice another-function softmax-miswritten wrong-argument",
        ),
        wrong("slope of the softmax too", "d * (p - q)", "d * (p - q) * p * (1 - p)", "slope-not-here slope-twice"),
    )


class Focal:
    """Binary, of logits: the mean of (1 − p)² times the cross-entropy."""

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        s = 2 * t - 1
        return ((1 - torch.sigmoid(s * z)) ** 2 * -fn.logsigmoid(s * z)).mean()

    def backward(self, d: Tensor, z: Tensor, t: Tensor) -> Any:
        s = 2 * t - 1
        p = torch.sigmoid(s * z)
        of_entropy = (1 - p) ** 2 * (p - 1)
        of_weight = 2 * (1 - p) * p * (1 - p) * p.log()
        return d * s * (of_entropy + of_weight) / z.numel(), None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(40, scale=1.5), (g.between(0, 1, 40) > 0.7).float().requires_grad_(False)

    mistakes = (
        wrong("weight taken as constant", " + of_weight", "", PART),
        wrong("entropy taken as constant", "of_entropy + ", "", PART),
        wrong("two forgotten", "2 * (1 - p) * p", "(1 - p) * p", "part-missing wrong-power slope-miswritten"),
        wrong(
            "sign of the class forgotten",
            "d * s *",
            "d *",
            "weights-without-sign upstream-missing term-missing slope-missing",
        ),
        wrong(
            "plain cross-entropy", "d * s * (of_entropy + of_weight)", "d * s * (p - 1)", "another-loss term-missing"
        ),
        wrong("sum for mean", " / z.numel()", "", MEAN),
        wrong("minus between the parts", "of_entropy + of_weight", "of_entropy - of_weight", "plus-for-minus"),
        wrong("logarithm to base ten", "p.log()", "p.log10()", "wrong-logarithm"),
    )


class WeightedBinary:
    """Cross-entropy with logits, a weight for each sample; the mean."""

    def forward(self, z: Tensor, t: Tensor, w: Tensor) -> Tensor:
        each = fn.softplus(z) - t * z
        return (w * each).mean()

    def backward(self, d: Tensor, z: Tensor, t: Tensor, w: Tensor) -> Any:
        y = torch.sigmoid(z)
        d_z = d * w * (y - t) / z.numel()
        return d_z, -d * w * z / z.numel(), d * ((fn.softplus(z) - t * z) / len(z)).mean(1, keepdim=True)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(14, 3), g.between(0, 1, 14, 3).round(), g.between(0.1, 4, 14, 1)

    mistakes = (
        wrong("weights ignored", "d * w * (y", "d * (y", "weights-missing term-missing another-loss input-missing"),
        wrong("normed by the weights", "(y - t) / z.numel()", "(y - t) / w.sum()", "factor mean-for-sum"),
        wrong("mean over the samples alone", "(y - t) / z.numel()", "(y - t) / len(z)", MEAN),
        wrong("sigmoid forgotten", "(y - t)", "(z - t)", "slope-missing softmax-missing another-tensor"),
        wrong("slope of the sigmoid too", "(y - t)", "(y - t) * y * (1 - y)", "slope-not-here slope-twice"),
        wrong("weights' gradient a sum", ".mean(1, keepdim=True)", ".sum(1, keepdim=True)", MEAN),
        wrong("target for logits", "w * z / z", "w * t / z", "another-tensor"),
        wrong("output for logits", "w * z / z", "w * y / z", "another-tensor slope-at-output"),
        wrong("sign", "(y - t)", "(t - y)", "wrong-sign"),
        wrong("weights squared", "d * w * (y", "d * w * w * (y", "input-too-often wrong-power"),
    )


class MarginOfClasses:
    """Multi-class hinge: max(0, z_j − z_t + 1) over the other classes; the mean over the samples."""

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        margins = (z - z.gather(1, t[:, None]) + 1).clamp(min=0)
        return (margins.sum() - len(z)) / len(z)

    def backward(self, d: Tensor, z: Tensor, t: Tensor) -> Any:
        rows = torch.arange(len(z))
        over = (z - z[rows, t][:, None] + 1 > 0).to(z.dtype)
        over[rows, t] = 0
        d_z = over.clone()
        d_z[rows, t] = -over.sum(1)
        return d * d_z / len(z), None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(11, 6), g.below(6, 11)

    mistakes = (
        wrong("right class forgotten", "    d_z[rows, t] = -over.sum(1)\n", "", f"{PART} term-missing"),
        wrong("margin forgotten in the mask", " + 1 > 0", " > 0", "wrong-mask"),
        wrong("one for the right class", "-over.sum(1)", "-1", "slope-miswritten mean-for-sum part-missing"),
        wrong("sum for mean", " / len(z)", "", MEAN),
        wrong("mean over the classes too", "/ len(z)", "/ z.numel()", MEAN),
        wrong(
            "only the right class",
            "over.clone()",
            "torch.zeros_like(z)",
            "target-unit-only term-missing part-missing path-detached",
        ),
        wrong("plus for the right class", "-over.sum(1)", "over.sum(1)", "plus-for-minus"),
        wrong(
            "squared hinge",
            "d_z = over.clone()",
            "over = over * (z - z[rows, t][:, None] + 1)\n    d_z = over.clone()",
            "another-loss wrong-power",
        ),
    )


PROGRAMS = programs("losses of classifiers", TokenLoss, SmoothedLabels, Focal, WeightedBinary, MarginOfClasses)
