"""Pictures made and filtered: discs drawn over each other, light along rays, pixel shuffle, a kernel with gaps."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as fn
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class DrawnDiscs:
    """Gaussian discs, from front to back over 12 pixels: places (G, 2), conics a, b, c, opacity σ(o), colours."""

    def gaps(self, mean: Tensor) -> tuple[Tensor, Tensor]:
        v, u = torch.meshgrid(torch.arange(3).to(mean), torch.arange(4).to(mean), indexing="ij")
        return u.reshape(-1, 1) - mean[:, 0], v.reshape(-1, 1) - mean[:, 1]

    def forward(self, mean: Tensor, conic: Tensor, o: Tensor, colour: Tensor) -> Tensor:
        u, v = self.gaps(mean)
        a, b, c = conic.T
        alpha = torch.sigmoid(o) * torch.exp(-0.5 * (a * u * u + c * v * v) - b * u * v)
        light, picture = torch.ones_like(alpha[:, :1]), torch.zeros_like(alpha[:, :1])
        for i in range(len(mean)):
            picture = picture + light * alpha[:, i : i + 1] * colour[i]
            light = light * (1 - alpha[:, i : i + 1])
        return picture

    def backward(self, d: Tensor, mean: Tensor, conic: Tensor, o: Tensor, colour: Tensor) -> Any:
        u, v = self.gaps(mean)
        a, b, c = conic.T
        alpha = torch.sigmoid(o) * torch.exp(-0.5 * (a * u * u + c * v * v) - b * u * v)
        passed = torch.cumprod(1 - alpha, 1)
        light = torch.cat([torch.ones_like(passed[:, :1]), passed[:, :-1]], 1)
        d_colour = (light * alpha).T @ d
        d_alpha, behind = torch.zeros_like(alpha), torch.zeros_like(d)
        for i in reversed(range(len(mean))):
            d_alpha[:, i] = light[:, i] * (d * (colour[i] - behind)).sum(1)
            behind = alpha[:, i : i + 1] * colour[i] + (1 - alpha[:, i : i + 1]) * behind
        d_e = d_alpha * alpha
        d_o = d_e.sum(0) * (1 - torch.sigmoid(o))
        d_u = -d_e * (a * u + b * v)
        d_v = -d_e * (c * v + b * u)
        d_mean = -torch.stack([d_u.sum(0), d_v.sum(0)], 1)
        d_conic = torch.stack([-0.5 * d_e * u * u, -d_e * u * v, -0.5 * d_e * v * v], 2).sum(0)
        return d_mean, d_conic, d_o, d_colour

    def draw(self, g: Numbers) -> Inputs:
        conic = torch.stack([g.between(0.4, 1, 5), g.between(-0.3, 0.3, 5), g.between(0.4, 1, 5)], 1)
        return g.between(0, 3, 5, 2), conic, g.normal(5), g.between(0, 1, 5, 3)

    mistakes = (
        wrong(
            "what lies behind forgotten",
            "(colour[i] - behind)",
            "colour[i]",
            f"{PART} term-missing",
            places=((0, 1, 2, 3),),
        ),
        wrong(
            "from the front",
            "in reversed(range(len(mean)))",
            "in range(len(mean))",
            "swapped wrong-sample shifted another-tensor",
        ),
        wrong("light after the disc", "light[:, i] * (d", "passed[:, i] * (d", "another-tensor shifted"),
        wrong("half for the mixed term", "-d_e * u * v,", "-0.5 * d_e * u * v,", "factor", places=((1,),)),
        wrong("mixed term forgotten", "(a * u + b * v)", "(a * u)", f"{PART} term-missing", places=((0,),)),
    )


class RayMarch:
    """Colour of rays (R, S) through a fog of density max(0, z) in steps of length l, before a background."""

    def forward(self, z: Tensor, l: Tensor, colour: Tensor, ground: Tensor) -> Tensor:
        depth = torch.cumsum(torch.relu(z) * l, 1)
        after = torch.exp(-depth)
        weight = torch.exp(torch.relu(z) * l - depth) - after
        return (weight[:, :, None] * colour).sum(1) + after[:, -1:] * ground

    def backward(self, d: Tensor, z: Tensor, l: Tensor, colour: Tensor, ground: Tensor) -> Any:
        tau = torch.relu(z) * l
        after = torch.exp(-torch.cumsum(tau, 1))
        before = torch.exp(tau) * after
        weight = before - after
        d_colour = weight[:, :, None] * d[:, None, :]
        d_ground = (after[:, -1:] * d).sum(0)
        d_weight = (d[:, None, :] * colour).sum(2)
        seen = weight * d_weight
        beyond = seen.flip(1).cumsum(1).flip(1) - seen
        d_tau = after * d_weight - beyond
        d_tau -= after[:, -1:] * (d @ ground)[:, None]
        d_z = d_tau * l * (z > 0)
        return d_z, d_tau * torch.relu(z), d_colour, d_ground

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(7, 6, around=0.4), g.between(0.2, 0.6, 7, 6), g.between(0, 1, 7, 6, 3), g.between(0, 1, 3)

    mistakes = (
        wrong(
            "background forgotten", "    d_tau -= after[:, -1:] * (d @ ground)[:, None]\n", "", f"{PART} term-missing"
        ),
        wrong(
            "not turned back",
            "seen.flip(1).cumsum(1).flip(1)",
            "seen.flip(1).cumsum(1)",
            "swapped transposed shifted wrong-sample another-tensor",
        ),
        wrong(
            "empty steps not held",
            "* l * (z > 0)",
            "* l",
            "wrong-mask slope-missing only-some",
            places=((0, 1, 2, 3, 4, 5), (1, 2, 4, 5)),
        ),
        wrong("length of the step forgotten", "d_tau * l *", "d_tau *", "slope-missing weights-missing term-missing"),
        wrong(
            "shadow's sign",
            "after * d_weight - beyond",
            "after * d_weight + beyond",
            "plus-for-minus wrong-sign",
            places=((0, 1, 2, 3, 4),),
        ),
    )


class SubPixels:
    """A convolution of 1 by 1, its channels dealt out to blocks of 2 by 2 pixels (pixel shuffle), times a gain."""

    def shuffled(self, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        n, _, height, width = x.shape
        y = torch.einsum("oc,nchw->nohw", w, x) + b[:, None, None]
        y = y.reshape(n, -1, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
        return y.reshape(n, -1, 2 * height, 2 * width)

    def forward(self, x: Tensor, w: Tensor, b: Tensor, gain: Tensor) -> Tensor:
        return gain[:, None, None] * self.shuffled(x, w, b)

    def backward(self, d: Tensor, x: Tensor, w: Tensor, b: Tensor, gain: Tensor) -> Any:
        n, _, height, width = x.shape
        d_gain = (d * self.shuffled(x, w, b)).sum((0, 2, 3))
        d_y = d * gain[:, None, None]
        d_y = d_y.reshape(n, -1, height, 2, width, 2).permute(0, 1, 3, 5, 2, 4)
        d_y = d_y.reshape(n, -1, height, width)
        d_x = torch.einsum("oc,nohw->nchw", w, d_y)
        d_w = torch.einsum("nohw,nchw->oc", d_y, x)
        return d_x, d_w, d_y.sum((0, 2, 3)), d_gain

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 3, 3, 4), g.normal(8, 3), g.normal(8), g.normal(2, around=1)

    mistakes = (
        wrong(
            "the way there for the way back",
            "permute(0, 1, 3, 5, 2, 4)",
            "permute(0, 1, 4, 2, 5, 3)",
            "columns-mixed transposed swapped shifted another-axis wrong-argument",
        ),
        wrong(
            "rows and columns of a block",
            "permute(0, 1, 3, 5, 2, 4)",
            "permute(0, 1, 5, 3, 2, 4)",
            "kernel-transposed columns-mixed transposed swapped shifted",
            places=((1, 2, 5, 6),),
        ),
        wrong("gain forgotten", "d * gain[:, None, None]", "d", "weights-missing term-missing slope-missing factor"),
        wrong("mean for the bias", "d_y.sum((0, 2, 3))", "d_y.mean((0, 2, 3))", MEAN),
        wrong(
            "gain of what was scaled",
            "(d * self.shuffled(x, w, b))",
            "(d * gain[:, None, None] * self.shuffled(x, w, b))",
            "slope-at-output another-tensor input-too-often factor",
        ),
        wrong(
            "one pixel of a block",
            'nchw", w, d_y)',
            'nchw", w[::4], d_y[:, ::4])',
            f"{PART} one-channel one-pixel step-missing",
        ),
    )


class KernelWithGaps:
    """Each channel by itself: stride 2, dilation 3, two zeros on either side; x (N, C, L), w (C, K), b (C)."""

    def forward(self, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        taps = fn.pad(x, (2, 2)).unfold(2, 3 * w.shape[1] - 2, 2)[..., ::3]
        return (taps * w[:, None, :]).sum(3) + b[:, None]

    def backward(self, d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        places = d.shape[2]
        padded = fn.pad(x, (2, 2))
        d_padded, d_w = torch.zeros_like(padded), torch.zeros_like(w)
        for k in range(w.shape[1]):
            seen = slice(3 * k, 3 * k + 2 * places - 1, 2)
            d_w[:, k] = (d * padded[:, :, seen]).sum((0, 2))
            d_padded[:, :, seen] += w[:, k, None] * d
        return d_padded[:, :, 2:-2], d_w, d.sum((0, 2))

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 3, 13), g.normal(3, 3), g.normal(3)

    mistakes = (
        wrong(
            "dilation forgotten",
            "slice(3 * k, 3 * k + 2 * places - 1, 2)",
            "slice(k, k + 2 * places - 1, 2)",
            "window-beside stride-ignored shifted another-tensor wrong-argument",
            places=((1, 2),),
        ),
        wrong(
            "stride forgotten",
            "3 * k + 2 * places - 1, 2)",
            "3 * k + places)",
            "stride-ignored window-beside shifted another-tensor",
        ),
        wrong("zeros cut off at one end", "[:, :, 2:-2]", "[:, :, :-4]", "wrong-padding shifted window-beside"),
        wrong(
            "windows overwritten",
            "d_padded[:, :, seen] += ",
            "d_padded[:, :, seen] = ",
            f"{PART} windows-overwritten duplicates-overwritten step-missing",
            places=((4, 6, 8),),
        ),
        wrong(
            "kernel turned",
            "w[:, k, None]",
            "w[:, -1 - k, None]",
            "kernel-turned swapped another-tensor",
            places=((0, 2, 4, 6, 8, 10, 12),),
        ),
        wrong(
            "first sample alone",
            "(d * padded[:, :, seen]).sum((0, 2))",
            "(d * padded[:, :, seen])[0].sum(1)",
            "one-sample",
        ),
        wrong(
            "first tap left out",
            "in range(w.shape[1])",
            "in range(1, w.shape[1])",
            f"{PART} step-missing window-missing dead-unit only-some sample-missing",
            places=((0,), (0, 2, 4, 6, 8)),
        ),
    )


PROGRAMS = programs("pictures drawn and filtered", DrawnDiscs, RayMarch, SubPixels, KernelWithGaps)
