"""Convolutions in time, with holes, transposed, and the strength of edges."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class OnlyThePast:
    """A causal convolution with dilation 2, one tap after the other; x (N, C, L), w (O, C, K)."""

    dilation = 2

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return fn.conv1d(fn.pad(x, ((w.shape[2] - 1) * self.dilation, 0)), w, dilation=self.dilation)

    def backward(self, d: Tensor, x: Tensor, w: Tensor) -> Any:
        n, k = x.shape[2], w.shape[2]
        d_x, d_w = torch.zeros_like(x), torch.zeros_like(w)
        for i in range(k):
            late = (k - 1 - i) * self.dilation
            d_x[:, :, : n - late] += torch.einsum("nol,oc->ncl", d[:, :, late:], w[:, :, i])
            d_w[:, :, i] = torch.einsum("nol,ncl->oc", d[:, :, late:], x[:, :, : n - late])
        return d_x, d_w

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 3, 9), g.normal(3, 3, 3)

    mistakes = (
        wrong(
            "dilation forgotten",
            "(k - 1 - i) * self.dilation",
            "k - 1 - i",
            "shifted wrong-argument stride-ignored window-beside",
            places=((0, 1, 2, 3, 4, 5, 6, 7), (0, 1)),
        ),
        wrong(
            "taps turned round",
            "(k - 1 - i) * self",
            "i * self",
            "kernel-turned shifted swapped transposed transposed-weights another-tensor",
            places=((0, 2),),
        ),
        wrong(
            "taps overwritten",
            "n - late] += torch",
            "n - late] = torch",
            f"{PART} windows-overwritten duplicates-overwritten step-missing",
            places=((0, 1, 2, 3, 4, 5, 6),),
        ),
        wrong(
            "first tap left out",
            "range(k)",
            "range(1, k)",
            f"{PART} step-missing zero-rows dead-unit only-some window-missing",
            places=((0, 1, 2, 3, 4), (0,)),
        ),
        wrong("channels exchanged", '"nol,oc->ncl"', '"nol,co->ncl"', "transposed-weights"),
        wrong(
            "the future for w",
            "d[:, :, late:], x[:, :, : n - late])",
            "d[:, :, : n - late], x[:, :, late:])",
            "shifted swapped window-beside",
            places=((0, 1),),
        ),
    )


class EachChannel:
    """Each channel with its own 3 by 3 kernel, padding 1; x (N, C, H, W), w (C, 1, 3, 3)."""

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return fn.conv2d(x, w, padding=1, groups=len(w))

    def backward(self, d: Tensor, x: Tensor, w: Tensor) -> Any:
        height, width = x.shape[2:]
        wide = fn.pad(x, (1, 1, 1, 1))
        d_wide, d_w = torch.zeros_like(wide), torch.zeros_like(w)
        for i in range(3):
            for j in range(3):
                rows, columns = slice(i, i + height), slice(j, j + width)
                d_w[:, 0, i, j] = (d * wide[:, :, rows, columns]).sum((0, 2, 3))
                d_wide[:, :, rows, columns] += d * w[:, 0, i, j, None, None]
        return d_wide[:, :, 1:-1, 1:-1], d_w

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(2, 3, 5, 5), g.normal(3, 1, 3, 3)

    mistakes = (
        wrong(
            "padding cut on one side",
            "d_wide[:, :, 1:-1, 1:-1]",
            "d_wide[:, :, :-2, :-2]",
            "shifted wrong-padding window-beside",
        ),
        wrong(
            "kernel transposed",
            "w[:, 0, i, j, None",
            "w[:, 0, j, i, None",
            "kernel-transposed transposed transposed-weights swapped another-tensor",
        ),
        wrong(
            "first kernel for all",
            "w[:, 0, i, j, None, None]",
            "w[0, 0, i, j]",
            "one-channel one-sample broadcast-over-batch unit-beside another-tensor",
            places=((1, 2),),
        ),
        wrong("mean over the samples", ".sum((0, 2, 3))", ".sum((2, 3)).mean(0)", MEAN),
        wrong(
            "overlaps overwritten",
            "+= d * w",
            "= d * w",
            f"{PART} windows-overwritten duplicates-overwritten step-missing",
        ),
    )


class Upsampled:
    """A transposed convolution with stride 2; x (N, C, L), w (C, O, K), one bias for each output channel."""

    stride = 2

    def forward(self, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return fn.conv_transpose1d(x, w, b, stride=self.stride)

    def backward(self, d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        d_x, d_w = torch.zeros_like(x), torch.zeros_like(w)
        for i in range(x.shape[2]):
            at = self.stride * i
            window = d[:, :, at : at + w.shape[2]]
            d_x[:, :, i] = torch.einsum("nok,cok->nc", window, w)
            d_w += torch.einsum("nc,nok->cok", x[:, :, i], window)
        return d_x, d_w, d.sum((0, 2))

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 4, 5), g.normal(4, 2, 3), g.normal(2)

    mistakes = (
        wrong(
            "stride forgotten",
            "self.stride * i",
            "i",
            "stride-ignored shifted wrong-argument window-beside",
            places=((1, 2, 3, 4),),
        ),
        wrong(
            "kernel turned round",
            "window, w)",
            "window, w.flip(2))",
            "kernel-turned swapped shifted transposed another-tensor transposed-weights",
        ),
        wrong(
            "last place of w alone",
            "d_w += torch",
            "d_w = torch",
            f"{PART} step-missing duplicates-overwritten one-sample one-window",
        ),
        wrong("mean over the places", "d.sum((0, 2))", "d.sum(0).mean(1)", MEAN),
        wrong(
            "first place left out",
            "range(x.shape[2])",
            "range(1, x.shape[2])",
            "step-missing window-missing zero-rows only-some dead-unit",
            places=((0,),),
        ),
    )


class EdgeStrength:
    """√(a² + b² + 0.1) of what two Sobel kernels make of a picture (N, 1, H, W)."""

    def _kernels(self, x: Tensor) -> Tensor:
        k = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]).to(x)
        return torch.stack([k, k.T])[:, None]

    def forward(self, x: Tensor) -> Tensor:
        return (fn.conv2d(x, self._kernels(x)).square().sum(1) + 0.1).sqrt()

    def backward(self, d: Tensor, x: Tensor) -> Any:
        kernels = self._kernels(x)
        g = fn.conv2d(x, kernels)
        size = (g.square().sum(1, keepdim=True) + 0.1).sqrt()
        d_g = d[:, None] * g / size
        return fn.conv_transpose2d(d_g, kernels)

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(3, 1, 6, 7),)

    mistakes = (
        wrong("root forgotten", "* g / size", "* g", "slope-missing wrong-power term-missing another-function"),
        wrong("sizes of the slopes", "g / size", "g.sign()", "sign-alone slope-miswritten another-function"),
        wrong("kernels turned round", "(d_g, kernels)", "(d_g, kernels.flip(2, 3))", "kernel-turned wrong-sign"),
        wrong(
            "kernels exchanged",
            "(d_g, kernels)",
            "(d_g, kernels.flip(0))",
            "swapped another-tensor kernel-transposed transposed transposed-weights",
        ),
        wrong("one direction alone", "(d_g, kernels)", "(d_g[:, :1], kernels[:1])", f"{PART} one-channel step-missing"),
        wrong("size squared below", "g / size", "g / size**2", "wrong-power slope-twice"),
    )


PROGRAMS = programs("filters", OnlyThePast, EachChannel, Upsampled, EdgeStrength)
