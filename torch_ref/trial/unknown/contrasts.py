"""Losses of pairs, angles and masks: contrastive ones, a margin on the angle, Dice."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as fn
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class NearOrFar:
    """½ r² of pairs that are alike, ½ max(0, 2 − r)² of the others, r their distance; the mean over the pairs."""

    margin = 2.0

    def forward(self, a: Tensor, b: Tensor, alike: Tensor) -> Tensor:
        r = (a - b).norm(dim=1)
        far = (self.margin - r).clamp(min=0)
        return torch.where(alike, 0.5 * r**2, 0.5 * far**2).mean()

    def backward(self, d: Tensor, a: Tensor, b: Tensor, alike: Tensor) -> Any:
        gap = a - b
        r = gap.norm(dim=1, keepdim=True)
        pull = alike.to(a)[:, None]
        push = (1 - pull) * (self.margin - r).clamp(min=0)
        d_gap = pull * gap - push * gap / r
        d_a = d * d_gap / len(a)
        return d_a, -d_a, None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(14, 3, scale=0.8), g.normal(14, 3, scale=0.8), torch.arange(14) % 3 == 0

    mistakes = (
        wrong(
            "push towards each other",
            "- push * gap",
            "+ push * gap",
            "wrong-sign plus-for-minus",
            places=((2, 5, 8, 10, 11, 13),),
        ),
        wrong(
            "not divided by the distance",
            "push * gap / r",
            "push * gap",
            "slope-missing term-missing weights-missing",
            places=((2, 5, 8, 10, 11, 13),),
        ),
        wrong(
            "those far enough pushed",
            ".clamp(min=0)",
            "",
            "wrong-mask slope-of-another-function only-some",
            places=((1, 4, 7),),
        ),
        wrong("alike and unlike exchanged", "alike.to(a)", "(~alike).to(a)", "wrong-mask swapped"),
        wrong(
            "how much is short forgotten",
            "(self.margin - r).clamp(min=0)",
            "(r < self.margin)",
            "sign-alone term-missing slope-miswritten slope-missing wrong-power weights-missing",
            places=((2, 5, 8, 10, 11, 13),),
        ),
        wrong("sum for mean", "d * d_gap / len(a)", "d * d_gap", MEAN),
        wrong("same sign for both", "-d_a, None", "d_a, None", "wrong-sign"),
    )


class AlikeTogether:
    """Supervised contrast: of each row's cosines with the others, over 0.5, the mean −ln p of those of its class."""

    tau = 0.5

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        z = fn.normalize(x, dim=1)
        self_pair = torch.eye(len(x), dtype=torch.bool, device=x.device)
        log_p = torch.log_softmax((z @ z.T / self.tau).masked_fill(self_pair, -torch.inf), 1)
        positive = (label[:, None] == label) & ~self_pair
        return -(log_p.masked_fill(~positive, 0).sum(1) / positive.sum(1)).mean()

    def backward(self, d: Tensor, x: Tensor, label: Tensor) -> Any:
        r = x.norm(dim=1, keepdim=True)
        z = x / r
        own = torch.eye(len(x), dtype=torch.bool, device=x.device)
        s = z @ z.T / self.tau
        s = s.masked_fill(own, -torch.inf)
        p = torch.softmax(s, 1)
        positive = ((label[:, None] == label) & ~own).to(x)
        wanted = positive / positive.sum(1, keepdim=True)
        d_s = d * (p - wanted) / len(x)
        d_z = (d_s + d_s.T) @ z / self.tau
        return (d_z - z * (z * d_z).sum(1, keepdim=True)) / r, None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(11, 5), torch.tensor([0, 1, 2, 0, 0, 1, 2, 0, 1, 0, 2])

    mistakes = (
        wrong("rows of the scores alone", "(d_s + d_s.T) @ z", "d_s @ z", PART),
        wrong(
            "itself among the others", "    s = s.masked_fill(own, -torch.inf)\n", "", "wrong-mask softmax-miswritten"
        ),
        wrong(
            "temperature forgotten",
            "@ z / self.tau\n    return",
            "@ z\n    return",
            "factor slope-missing term-missing",
        ),
        wrong("length taken as constant", " - z * (z * d_z).sum(1, keepdim=True)", "", PROJECTION),
        wrong(
            "positives added up",
            "wanted = positive / positive.sum(1, keepdim=True)",
            "wanted = positive",
            f"{MEAN} term-missing slope-missing",
        ),
        wrong("not divided by the length", ") / r, None", "), None", "slope-missing term-missing weights-missing"),
    )


class MarginOnTheAngle:
    """Cross-entropy of 4 cos(θ), θ the angle between a row and a class's weights; the right class's gets 0.4 more."""

    scale, cos_m, sin_m = 4.0, 0.921061, 0.389418

    def forward(self, x: Tensor, w: Tensor, t: Tensor) -> Tensor:
        c = fn.normalize(x, dim=1) @ fn.normalize(w, dim=1).T
        hit = fn.one_hot(t, len(w)).bool()
        turned = c * self.cos_m - (1 - c * c).sqrt() * self.sin_m
        return fn.cross_entropy(self.scale * torch.where(hit, turned, c), t)

    def backward(self, d: Tensor, x: Tensor, w: Tensor, t: Tensor) -> Any:
        x_length, w_length = x.norm(dim=1, keepdim=True), w.norm(dim=1, keepdim=True)
        u, v = x / x_length, w / w_length
        c = u @ v.T
        hit = fn.one_hot(t, len(w)).bool()
        sine = (1 - c * c).sqrt()
        logits = self.scale * torch.where(hit, c * self.cos_m - sine * self.sin_m, c)
        d_logits = d * (torch.softmax(logits, 1) - hit.to(x)) / len(x)
        slope = torch.where(hit, self.cos_m + c / sine * self.sin_m, 1)
        d_c = self.scale * d_logits * slope
        d_u, d_v = d_c @ v, d_c.T @ u
        d_x = (d_u - u * (u * d_u).sum(1, keepdim=True)) / x_length
        d_w = (d_v - v * (v * d_v).sum(1, keepdim=True)) / w_length
        return d_x, d_w, None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(13, 4), g.normal(5, 4), g.below(5, 13)

    mistakes = (
        wrong(
            "margin not in the softmax",
            "torch.where(hit, c * self.cos_m - sine * self.sin_m, c)",
            "c",
            "another-tensor term-missing wrong-argument softmax-miswritten",
        ),
        wrong("margin's slope forgotten", "d_logits * slope", "d_logits", "slope-missing path-detached"),
        wrong(
            "sign of the sine's slope",
            "self.cos_m + c / sine",
            "self.cos_m - c / sine",
            "plus-for-minus wrong-sign slope-miswritten",
        ),
        wrong("scale forgotten", "self.scale * d_logits", "d_logits", "factor slope-missing weights-missing"),
        wrong("length of the weights taken as constant", " - v * (v * d_v).sum(1, keepdim=True)", "", PROJECTION),
        wrong("weights of any length", "d_c @ v, ", "d_c @ w, ", "another-tensor slope-at-input wrong-argument"),
        wrong(
            "right class not taken off",
            " - hit.to(x)) / len(x)",
            ") / len(x)",
            f"{PART} term-missing",
        ),
    )


class DiceOfClasses:
    """1 − the mean over classes of (2 Σ p t + 1) / (Σ p² + Σ t + 1), p = softmax of (N, C, P), sums over N and P."""

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        p = torch.softmax(z, 1)
        return 1 - ((2 * (p * t).sum((0, 2)) + 1) / ((p * p).sum((0, 2)) + t.sum((0, 2)) + 1)).mean()

    def backward(self, d: Tensor, z: Tensor, t: Tensor) -> Any:
        p, hot = torch.softmax(z, 1), t.to(z)
        top = 2 * (p * hot).sum((0, 2)) + 1
        low = (p * p).sum((0, 2)) + hot.sum((0, 2)) + 1
        each = d / len(top)
        d_top = -each / low
        d_low = each * top / low**2
        d_p = 2 * hot * d_top[:, None] + 2 * p * d_low[:, None]
        d_z = p * (d_p - (p * d_p).sum(1, keepdim=True))
        return d_z, None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 4, 6, scale=1.5), fn.one_hot(g.below(4, 3, 6), 4).mT.bool()

    mistakes = (
        wrong("divisor taken as constant", " + 2 * p * d_low[:, None]", "", f"{PART} term-missing"),
        wrong(
            "as if p were not squared",
            "2 * p * d_low[:, None]",
            "d_low[:, None]",
            "slope-missing slope-miswritten wrong-power input-missing weights-missing",
        ),
        wrong(
            "softmax entry by entry",
            " - (p * d_p).sum(1, keepdim=True)",
            "",
            f"{PROJECTION} softmax-not-differentiated term-missing",
        ),
        wrong("softmax summed over the pixels", "(p * d_p).sum(1,", "(p * d_p).sum(2,", "another-axis"),
        wrong(
            "divisor not squared",
            "top / low**2",
            "top / low",
            "wrong-power slope-missing slope-miswritten term-missing",
        ),
        wrong("sum over the classes", "each = d / len(top)", "each = d", MEAN),
        wrong(
            "one forgotten below", "hot.sum((0, 2)) + 1", "hot.sum((0, 2))", "term-missing constant-added bias-missing"
        ),
    )


PROGRAMS = programs("contrasts and overlaps", NearOrFar, AlikeTogether, MarginOnTheAngle, DiceOfClasses)
