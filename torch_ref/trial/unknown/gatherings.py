"""Parts of a whole: groups that share a softmax, sets without order, codes seldom in use, windows of a picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class GroupAttention:
    """Σ α v over the edges of each node, α the softmax of the scores of its own edges; edges are in no order."""

    def forward(self, score: Tensor, v: Tensor, node: Tensor) -> Tensor:
        e = torch.exp(score - score.max())
        total = torch.zeros(5).to(e).index_add(0, node, e)
        return torch.zeros(5, v.shape[1]).to(v).index_add(0, node, (e / total[node])[:, None] * v)

    def backward(self, d: Tensor, score: Tensor, v: Tensor, node: Tensor) -> Any:
        e = torch.exp(score - score.max())
        total = torch.zeros(5).to(e).index_add(0, node, e)
        alpha = e / total[node]
        d_v = alpha[:, None] * d[node]
        d_alpha = (v * d[node]).sum(1)
        mean = torch.zeros(5).to(e).index_add(0, node, alpha * d_alpha)
        return alpha * (d_alpha - mean[node]), d_v, None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(15), g.normal(15, 4), torch.tensor([3, 1, 0, 4, 1, 2, 3, 0, 1, 4, 4, 2, 0, 1, 3])

    mistakes = (
        wrong("softmax over all edges", "e / total[node]", "e / e.sum()", "another-axis softmax-miswritten"),
        wrong("mean forgotten", " - mean[node]", "", f"{PROJECTION} softmax-not-differentiated term-missing"),
        wrong(
            "mean not weighted",
            "alpha * d_alpha)",
            "d_alpha)",
            "weights-missing slope-missing term-missing softmax-miswritten slope-miswritten",
        ),
        wrong("value as it is", "alpha[:, None] * d[node]", "d[node]", "weights-missing slope-missing term-missing"),
        wrong(
            "edges taken as in order",
            "mean[node]",
            "mean.repeat_interleave(node.bincount())",
            "wrong-sample shifted another-tensor",
            places=((0, 1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14),),
        ),
        wrong(
            "last edge's mean",
            "(e).index_add(0, node, alpha *",
            "(e).index_copy(0, node, alpha *",
            "duplicates-overwritten",
        ),
        wrong(
            "product of sums", "(v * d[node]).sum(1)", "v.sum(1) * d[node].sum(1)", "broadcast-over-batch sum-too-early"
        ),
    )


class SetOfPoints:
    """Mean and maximum over the members of each set of tanh(x W + b), side by side, times U; some are padding."""

    def forward(self, x: Tensor, member: Tensor, w: Tensor, b: Tensor, u: Tensor) -> Tensor:
        h = torch.tanh(x @ w + b)
        keep = member[..., None]
        mean = (h * keep).sum(1) / keep.sum(1)
        return torch.cat([mean, h.masked_fill(~keep, float("-inf")).amax(1)], 1) @ u

    def backward(self, d: Tensor, x: Tensor, member: Tensor, w: Tensor, b: Tensor, u: Tensor) -> Any:
        h = torch.tanh(x @ w + b)
        keep = member[..., None]
        count = keep.sum(1)
        top, where = h.masked_fill(~keep, float("-inf")).max(1)
        pooled = torch.cat([(h * keep).sum(1) / count, top], 1)
        d_mean, d_top = (d @ u.T).chunk(2, 1)
        d_h = keep * (d_mean / count)[:, None]
        d_h.scatter_add_(1, where[:, None], d_top[:, None])
        d_a = d_h * (1 - h * h)
        d_w = torch.einsum("sti,sto->io", x, d_a)
        return torch.einsum("sto,io->sti", d_a, w), None, d_w, d_a.sum((0, 1)), pooled.T @ d

    def draw(self, g: Numbers) -> Inputs:
        member = g.mask(6, 5)
        member[:, 2] = True
        return g.normal(6, 5, 4), member, g.normal(4, 4, scale=0.5), g.normal(4), g.normal(8, 3)

    mistakes = (
        wrong("halves exchanged", "d_mean, d_top =", "d_top, d_mean =", "swapped another-tensor another-gradient"),
        wrong(
            "padding counted",
            "keep.sum(1)\n",
            "x.shape[1]\n",
            "mean-for-sum wrong-mask wrong-divisor",
            places=((1, 2, 3, 4, 5), (0, 1, 2, 3)),
        ),
        wrong("mean overwritten", "scatter_add_(", "scatter_(", f"{PART} duplicates-overwritten windows-overwritten"),
        wrong(
            "all members the largest",
            "d_h.scatter_add_(1, where[:, None], d_top[:, None])",
            "d_h += d_top[:, None]",
            "error-to-all-pixels wrong-winner",
        ),
        wrong("axes of w exchanged", '"sto,io->sti"', '"sto,oi->sti"', "transposed-weights"),
        wrong("first set for the bias", "d_a.sum((0, 1))", "d_a[0].sum(0)", "one-sample broadcast-not-summed"),
        wrong("slope forgotten for w", "x, d_a)", "x, d_h)", "slope-missing another-tensor"),
    )


class SparseCode:
    """h = σ(x Wᵀ + b), r = h W + c; ½ ‖r − x‖², the mean over the samples, and 0.5 times how far mean h is from 0.2."""

    beta, rho = 0.5, 0.2

    def forward(self, x: Tensor, w: Tensor, b: Tensor, c: Tensor) -> Tensor:
        h = torch.sigmoid(x @ w.T + b)
        use = h.mean(0)
        kl = self.rho * torch.log(self.rho / use) + (1 - self.rho) * torch.log((1 - self.rho) / (1 - use))
        return 0.5 * ((h @ w + c - x) ** 2).sum() / len(x) + self.beta * kl.sum()

    def backward(self, d: Tensor, x: Tensor, w: Tensor, b: Tensor, c: Tensor) -> Any:
        n = len(x)
        h = torch.sigmoid(x @ w.T + b)
        use = h.mean(0)
        d_r = d * (h @ w + c - x) / n
        seldom = (1 - self.rho) / (1 - use) - self.rho / use
        d_h = d_r @ w.T + d * self.beta * seldom / n
        d_net = d_h * h * (1 - h)
        d_w = d_net.T @ x
        d_w += h.T @ d_r
        return d_net @ w - d_r, d_w, d_net.sum(0), d_r.sum(0)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8, 6), g.normal(4, 6, scale=0.6), g.normal(4), g.normal(6)

    mistakes = (
        wrong("way back of the weights alone", "d_w += h", "d_w = h", PART),
        wrong("sign of the target", "d_net @ w - d_r", "d_net @ w + d_r", "plus-for-minus wrong-sign"),
        wrong("sum for mean", "seldom / n", "seldom", MEAN),
        wrong("fraction upside down", "self.rho / use", "use / self.rho", "swapped wrong-power"),
        wrong("slope of the tanh", "h * (1 - h)", "(1 - h * h)", "slope-of-another-function slope-miswritten"),
        wrong("row for the mean over all", "h.mean(0)", "h.mean(1, keepdim=True)", "another-axis"),
        wrong("input's error for the bias", "d_net.sum(0)", "d_h.sum(0)", "slope-missing another-tensor"),
    )


class SmallPictureNet:
    """Kernels of 3 by 3 without padding, ReLU, the mean of each 2 by 2 block, and a linear layer; all in loops."""

    def forward(self, x: Tensor, kernels: Tensor, b: Tensor, w: Tensor) -> Tensor:
        net = torch.stack([torch.stack([self._at(x, kernels, b, i, j) for j in range(4)], 2) for i in range(4)], 2)
        return torch.relu(net).unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)).flatten(1) @ w

    def _at(self, x: Tensor, kernels: Tensor, b: Tensor, i: int, j: int) -> Tensor:
        return torch.einsum("nckl,ockl->no", x[:, :, i : i + 3, j : j + 3], kernels) + b

    def backward(self, d: Tensor, x: Tensor, kernels: Tensor, b: Tensor, w: Tensor) -> Any:
        count = len(kernels)
        pooled = torch.zeros(len(x), count, 2, 2).to(x)
        d_pooled = (d @ w.T).reshape(len(x), count, 2, 2)
        d_x, d_kernels, d_b = torch.zeros_like(x), torch.zeros_like(kernels), torch.zeros_like(b)
        for i in range(4):
            for j in range(4):
                window = x[:, :, i : i + 3, j : j + 3]
                net = torch.einsum("nckl,ockl->no", window, kernels) + b
                pooled[:, :, i // 2, j // 2] += torch.relu(net) / 4
                d_net = d_pooled[:, :, i // 2, j // 2] / 4 * (net > 0)
                for o in range(count):
                    back = d_net[:, o, None, None, None]
                    d_kernels[o] += (back * window).sum(0)
                    d_b[o] += d_net[:, o].sum()
                    d_x[:, :, i : i + 3, j : j + 3] += back * kernels[o]
        return d_x, d_kernels, d_b, pooled.flatten(1).T @ d

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 2, 6, 6), g.normal(3, 2, 3, 3), g.normal(3), g.normal(12, 5)

    mistakes = (
        wrong("block of the wrong size", "2, j // 2] / 4 *", "2, j // 2] / 2 *", "wrong-divisor factor"),
        wrong(
            "overlaps overwritten",
            "j : j + 3] += back",
            "j : j + 3] = back",
            f"{PART} windows-overwritten duplicates-overwritten",
        ),
        wrong("mask of the means", "(net > 0)", "(pooled[:, :, i // 2, j // 2] > 0)", "wrong-mask another-tensor"),
        wrong(
            "last window left out",
            "for j in range(4):",
            "for j in range(3):",
            "window-missing step-missing",
            places=((3, 4, 5), (1, 3, 5, 7, 9, 11)),
        ),
        wrong("kernel mirrored", "back * kernels[o]", "back * kernels[o].flip(1, 2)", "kernel-turned"),
        wrong("mean for the kernels", "(back * window).sum(0)", "(back * window).mean(0)", MEAN),
        wrong(
            "place for the block",
            "d_pooled[:, :, i // 2, j // 2]",
            "d_pooled[:, :, i % 2, j % 2]",
            "shifted window-beside columns-mixed another-tensor stride-ignored",
        ),
    )


PROGRAMS = programs("gatherings", GroupAttention, SetOfPoints, SparseCode, SmallPictureNet)
