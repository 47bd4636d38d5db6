"""Convolution by loops and by unfolding, pooling, and a picture made larger."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class Conv1d:
    """By a loop over the places; x (N, C, L), w (O, C, K), one bias for each output channel."""

    def forward(self, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return fn.conv1d(x, w, b)

    def backward(self, d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        k = w.shape[2]
        d_x, d_w = torch.zeros_like(x), torch.zeros_like(w)
        for i in range(d.shape[2]):
            window = x[:, :, i : i + k]
            d_w += torch.einsum("no,nck->ock", d[:, :, i], window)
            d_x[:, :, i : i + k] += torch.einsum("no,ock->nck", d[:, :, i], w)
        d_b = d.sum((0, 2))
        return d_x, d_w, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 4, 9), g.normal(4, 4, 3), g.normal(4)

    mistakes = (
        wrong(
            "overlaps overwritten",
            "i : i + k] += torch",
            "i : i + k] = torch",
            "duplicates-overwritten part-missing",
            places=((1, 2, 3, 4, 5, 6, 7),),
        ),
        wrong("last place left out", "range(d.shape[2])", "range(d.shape[2] - 1)", "step-missing", places=((6, 7, 8),)),
        wrong(
            "kernel turned round",
            "d[:, :, i], w)",
            "d[:, :, i], w.flip(2))",
            "swapped shifted transposed another-tensor transposed-weights",
        ),
        wrong("channels exchanged", '"no,ock->nck"', '"no,cok->nck"', "transposed-weights"),
        wrong(
            "window one too far", "window = x[:, :, i : i + k]", "window = x.roll(-1, 2)[:, :, i : i + k]", "shifted"
        ),
        wrong("mean over the places", "d.sum((0, 2))", "d.sum(0).mean(1)", MEAN),
        wrong("mean over the samples", "return d_x, d_w,", "return d_x, d_w / len(x),", MEAN),
        wrong("last place of w alone", "d_w += torch", "d_w = torch", "step-missing duplicates-overwritten one-sample"),
        wrong("bias of the first sample", "d.sum((0, 2))", "d[0].sum(1)", "one-sample broadcast-not-summed"),
        wrong("channels of w exchanged", '"no,nck->ock"', '"no,nck->cok"', "transposed swapped"),
    )


class UnfoldedConv2d:
    """As a matrix product of patches, padding 1, stride 2, then ReLU."""

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return fn.conv2d(x, w, stride=2, padding=1).relu()

    def backward(self, d: Tensor, x: Tensor, w: Tensor) -> Any:
        height, width = x.shape[2:]
        patches = fn.unfold(x, 3, padding=1, stride=2)
        flat = w.flatten(1)
        a = flat @ patches
        d_a = d.flatten(2) * (a > 0)
        d_w = (d_a @ patches.mT).sum(0)
        d_x = fn.fold(flat.T @ d_a, (height, width), 3, padding=1, stride=2)
        return d_x, d_w.view(w.shape)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 2, 6, 8), g.normal(3, 2, 3, 3)

    mistakes = (
        wrong("mask forgotten", " * (a > 0)", "", "slope-missing wrong-mask"),
        wrong(
            "mask of the upstream gradient",
            "d.flatten(2) * (a > 0)",
            "d.flatten(2).clamp(min=0)",
            "wrong-mask slope-at-upstream",
        ),
        wrong("mean over the pictures", "patches.mT).sum(0)", "patches.mT).mean(0)", MEAN),
        wrong("first picture alone", "patches.mT).sum(0)", "patches.mT)[0]", "one-sample"),
        wrong(
            "first patch left out",
            "(d_a @ patches.mT)",
            "(d_a[..., 1:] @ patches.mT[:, 1:])",
            "step-missing",
            places=((1, 2),),
        ),
        wrong("mean over the places", "patches.mT).sum(0)", "patches.mT).sum(0) / a.shape[2]", MEAN),
        wrong(
            "last channel left out",
            "return d_x",
            "d_w[-1] = 0\n    return d_x",
            "dead-unit only-some zero-rows",
            places=((2,),),
        ),
        wrong("threshold of a half", "(a > 0)", "(a > 0.5)", "wrong-mask"),
        wrong("updated kernel", "flat.T @ d_a,", "(flat - 0.1 * d_w).T @ d_a,", "stale-weights"),
        wrong(
            "kernel turned round",
            "flat.T @ d_a,",
            "flat.flip(1).T @ d_a,",
            "swapped transposed another-tensor shifted transposed-weights",
        ),
    )


class MaxPool:
    """The largest of each 2 by 2 block."""

    def forward(self, x: Tensor) -> Tensor:
        return fn.max_pool2d(x, 2)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        largest = self.forward(x).repeat_interleave(2, -1).repeat_interleave(2, -2)
        wide = d.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return wide * (x == largest)

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(2, 3, 4, 6),)

    mistakes = (
        wrong("to all of the block", " * (x == largest)", "", "wrong-mask slope-missing"),
        wrong(
            "as in a mean",
            "(x == largest)",
            "0.25",
            "another-function mean-for-sum slope-of-another-function wrong-mask",
        ),
        wrong("to all but the largest", "x == largest", "x != largest", "wrong-mask"),
        wrong(
            "upstream laid out otherwise",
            "d.repeat_interleave(2, -1)",
            "d.repeat(1, 1, 1, 2)",
            "wrong-sample another-tensor shifted swapped",
        ),
        wrong("times the value", "(x == largest)", "(x == largest) * x", "input-too-often slope-miswritten"),
        wrong("large ones alone", "(x == largest)", "(x == largest) * (x > 1)", "wrong-mask"),
        wrong("a column beside", "(x == largest)", "(x == largest).roll(1, -1)", "shifted wrong-mask"),
    )


class MeanOverPlaces:
    """Global mean pooling and a linear layer."""

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return x.mean((2, 3)) @ w

    def backward(self, d: Tensor, x: Tensor, w: Tensor) -> Any:
        m = x.mean((2, 3))
        places = x.shape[2] * x.shape[3]
        d_m = d @ w.T
        d_x = (d_m / places)[:, :, None, None].expand(x.shape)
        return d_x, m.T @ d

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8, 5, 4, 3, around=1), g.normal(5, 2)

    mistakes = (
        wrong("number of places forgotten", "d_m / places", "d_m", MEAN),
        wrong("width alone", "d_m / places", "d_m / x.shape[3]", MEAN),
        wrong("sum over the places for w", "m.T @ d", "(m * places).T @ d", MEAN),
        wrong("first place for w", "m.T @ d", "x[:, :, 0, 0].T @ d", "step-missing another-tensor one-sample"),
        wrong("mean over the samples", "m.T @ d", "m.T @ d / len(x)", MEAN),
        wrong("mean over all", "(d_m / places)[", "(d_m / x.numel())[", "factor mean-for-sum"),
        wrong(
            "one row for all samples",
            "(d_m / places)[",
            "(d_m.sum(0, keepdim=True).expand_as(m) / places)[",
            "broadcast-over-batch another-axis",
        ),
        wrong("largest for the mean", "m.T @ d", "x.amax((2, 3)).T @ d", "another-tensor another-function"),
    )


class BetweenPixels:
    """Values of a picture at places (row, column) between its pixels, bilinear."""

    def forward(self, picture: Tensor, at: Tensor) -> Any:
        low = at.detach().floor().long()
        r, c = low.T
        v, u = (at - low).T
        above = picture[r, c] * (1 - u) + picture[r, c + 1] * u
        below = picture[r + 1, c] * (1 - u) + picture[r + 1, c + 1] * u
        return above * (1 - v) + below * v

    def backward(self, d: Tensor, picture: Tensor, at: Tensor) -> Any:
        low = at.floor().long()
        r, c = low.T
        v, u = (at - low).T
        p00, p01, p10, p11 = picture[r, c], picture[r, c + 1], picture[r + 1, c], picture[r + 1, c + 1]
        d_picture = torch.zeros_like(picture)
        d_picture.index_put_((r, c), d * (1 - u) * (1 - v), accumulate=True)
        d_picture.index_put_((r, c + 1), d * u * (1 - v), accumulate=True)
        d_picture.index_put_((r + 1, c), d * (1 - u) * v, accumulate=True)
        d_picture.index_put_((r + 1, c + 1), d * u * v, accumulate=True)
        d_v = d * ((p10 - p00) * (1 - u) + (p11 - p01) * u)
        d_u = d * ((p01 - p00) * (1 - v) + (p11 - p10) * v)
        return d_picture, torch.stack([d_v, d_u], 1)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 6), g.between(0, 1, 30, 2) * torch.tensor([2.9, 4.9]) + 0.02

    mistakes = (
        wrong(
            "duplicates overwritten",
            "d * (1 - u) * (1 - v), accumulate=True",
            "d * (1 - u) * (1 - v)",
            "duplicates-overwritten",
        ),
        wrong(
            "last corner forgotten",
            "    d_picture.index_put_((r + 1, c + 1), d * u * v, accumulate=True)\n",
            "",
            f"{PART} step-missing",
            places=((1, 2, 3), (1, 2, 3, 4, 5)),
        ),
        wrong("row and column exchanged", "[d_v, d_u]", "[d_u, d_v]", "swapped another-gradient transposed shifted"),
        wrong("corners exchanged", "d * u * (1 - v), acc", "d * (1 - u) * v, acc", "swapped another-tensor"),
        wrong("upper edge alone", " * (1 - u) + (p11 - p01) * u", "", f"{PART} term-missing", places=((0,),)),
        wrong("sign of the column", "[d_v, d_u]", "[d_v, -d_u]", "wrong-sign", places=((1,),)),
        wrong(
            "nearest pixel alone", "d * (1 - u) * (1 - v), acc", "d, acc", "slope-missing term-missing weights-missing"
        ),
        wrong("places as constants", "torch.stack([d_v, d_u], 1)", "torch.zeros_like(at)", "zeros path-detached"),
        wrong("upstream forgotten", "d_v = d * (", "d_v = (", "upstream-missing upstream-ignored", places=((0,),)),
    )


PROGRAMS = programs("pictures", Conv1d, UnfoldedConv2d, MaxPool, MeanOverPlaces, BetweenPixels)
