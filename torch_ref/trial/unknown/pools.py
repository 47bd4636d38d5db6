"""Many rows made one: by logsumexp, by attention, by a mean over words, by groups."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class SoftMaximum:
    """ln(mean over the steps of e^(r x)) / r, of (N, T, C); the sharpness r is to be learned."""

    def forward(self, x: Tensor, r: Tensor) -> Tensor:
        return (r * x).exp().mean(1).log() / r

    def backward(self, d: Tensor, x: Tensor, r: Tensor) -> Any:
        p = torch.softmax(r * x, 1)
        y = (r * x).exp().mean(1).log() / r
        d_x = d[:, None] * p
        d_r = (d * ((p * x).sum(1) - y) / r).sum()
        return d_x, d_r

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 5, 3), torch.tensor(1.6)

    mistakes = (
        wrong("sharpness not divided out", "d[:, None] * p", "r * d[:, None] * p", "factor slope-twice slope-not-here"),
        wrong("division taken as constant", "((p * x).sum(1) - y)", "(p * x).sum(1)", f"{PART} term-missing"),
        wrong("softmax over the channels", "softmax(r * x, 1)", "softmax(r * x, 2)", "another-axis"),
        wrong(
            "sharpness not in the softmax",
            "softmax(r * x, 1)",
            "softmax(x, 1)",
            "softmax-miswritten wrong-argument term-missing weights-missing",
        ),
        wrong(
            "as of a mean",
            "d[:, None] * p",
            "(d / x.shape[1])[:, None].expand_as(x).clone()",
            "another-function slope-of-another-function slope-miswritten softmax-missing",
        ),
        wrong("mean for the sharpness", "/ r).sum()", "/ r).mean()", MEAN),
    )


class AttentionPool:
    """Σ a x over the steps of (N, T, D), a the softmax of x q over the steps that are there."""

    def forward(self, x: Tensor, q: Tensor, mask: Tensor) -> Tensor:
        a = torch.softmax((x @ q).masked_fill(~mask, float("-inf")), 1)
        return (a[..., None] * x).sum(1)

    def backward(self, d: Tensor, x: Tensor, q: Tensor, mask: Tensor) -> Any:
        a = torch.softmax((x @ q).masked_fill(~mask, float("-inf")), 1)
        d_a = (d[:, None] * x).sum(2)
        d_s = a * (d_a - (d_a * a).sum(1, keepdim=True))
        d_x = a[..., None] * d[:, None] + d_s[..., None] * q
        return d_x, (d_s[..., None] * x).sum((0, 1)), None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 6, 4), g.normal(4), torch.arange(6) < torch.tensor([6, 3, 5, 2, 4])[:, None]

    mistakes = (
        wrong("weights taken as constant", " + d_s[..., None] * q", "", PART),
        wrong("values taken as constant", "a[..., None] * d[:, None] + ", "", PART),
        wrong(
            "padding counted",
            '(x @ q).masked_fill(~mask, float("-inf"))',
            "(x @ q)",
            "wrong-mask",
            places=((1, 2, 3, 4),),
        ),
        wrong("projection over the samples", "sum(1, keepdim=True)", "sum(0, keepdim=True)", "another-axis"),
        wrong("mean over the samples", ".sum((0, 1))", ".sum(1).mean(0)", MEAN),
        wrong(
            "projection forgotten",
            "(d_a - (d_a * a).sum(1, keepdim=True))",
            "d_a",
            f"{PROJECTION} softmax-not-differentiated",
        ),
    )


class BagsOfWords:
    """The mean of the rows of each bag; word 0 is padding and counts in no mean."""

    def forward(self, ids: Tensor, table: Tensor) -> Tensor:
        keep = ids != 0
        return (table[ids] * keep[..., None]).sum(1) / keep.sum(1, keepdim=True)

    def backward(self, d: Tensor, ids: Tensor, table: Tensor) -> Any:
        keep = ids != 0
        count = keep.sum(1, keepdim=True)
        each = (d / count)[:, None] * keep[..., None]
        return None, torch.zeros_like(table).index_add(0, ids.flatten(), each.flatten(0, 1))

    def draw(self, g: Numbers) -> Inputs:
        ids = torch.tensor([[3, 1, 3, 4], [2, 5, 0, 0], [1, 6, 2, 0], [4, 0, 0, 0], [6, 3, 5, 1]])
        return ids, g.normal(7, 3)

    mistakes = (
        wrong(
            "padding counted",
            "keep.sum(1, keepdim=True)",
            "ids.shape[1]",
            "mean-for-sum wrong-mask wrong-divisor",
            places=((1, 2, 4, 5, 6),),
        ),
        wrong(
            "padding learns",
            " * keep[..., None]",
            ".expand(*ids.shape, -1)",
            "wrong-mask only-some",
            places=((0,),),
        ),
        wrong(
            "duplicates overwritten",
            "index_add(",
            "index_copy(",
            "duplicates-overwritten",
            places=((1, 2, 3, 4, 5, 6),),
        ),
        wrong(
            "count forgotten",
            "(d / count)",
            "d",
            "mean-for-sum term-missing wrong-divisor",
            places=((1, 2, 3, 4, 5, 6),),
        ),
        wrong("bags one too far", "each.flatten(0, 1)", "each.roll(1, 0).flatten(0, 1)", "wrong-sample shifted"),
    )


class LessTheirMean:
    """x − α mean of its group, α for each feature; rows belong to three groups, in no order."""

    def forward(self, x: Tensor, alpha: Tensor, group: Tensor) -> Tensor:
        count = group.bincount(minlength=3)[:, None]
        return x - alpha * (torch.zeros(3, x.shape[1]).to(x).index_add(0, group, x) / count)[group]

    def backward(self, d: Tensor, x: Tensor, alpha: Tensor, group: Tensor) -> Any:
        count = group.bincount(minlength=3)[:, None]
        m = torch.zeros(3, x.shape[1]).to(x).index_add(0, group, x) / count
        d_m = -alpha * torch.zeros_like(m).index_add(0, group, d)
        d_x = d + (d_m / count)[group]
        d_alpha = -(d * m[group]).sum(0)
        return d_x, d_alpha, None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(10, 4, around=0.7), g.normal(4, around=1), torch.tensor([1, 0, 2, 1, 1, 2, 0, 1, 2, 1])

    mistakes = (
        wrong("means taken as constant", "d + (d_m / count)[group]", "d.clone()", f"{PROJECTION} slope-missing"),
        wrong("mean over all rows", "(d_m / count)", "(d_m / len(x))", "mean-for-sum another-axis wrong-divisor"),
        wrong("alpha forgotten", "d_m = -alpha * torch", "d_m = -torch", "weights-missing term-missing"),
        wrong("sign of the means", "d + (d_m", "d - (d_m", "plus-for-minus wrong-sign"),
        wrong(
            "groups in order", "(d * m[group])", "(d * m[group.sort().values])", "wrong-sample another-tensor swapped"
        ),
        wrong("sums of the groups for alpha", "(d * m[group])", "(d * (m * count)[group])", "mean-for-sum"),
    )


PROGRAMS = programs("pools and groups", SoftMaximum, AttentionPool, BagsOfWords, LessTheirMean)
