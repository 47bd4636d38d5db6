"""What a first course has its students write: small networks, a regression, word vectors."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as fn
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class ThreeLayersOfColumns:
    """Columns are samples: tanh, ReLU, softmax and cross-entropy of class indices, the mean over the samples."""

    def forward(
        self, x: Tensor, labels: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, w3: Tensor, b3: Tensor
    ) -> Tensor:
        z3 = w3 @ torch.relu(w2 @ torch.tanh(w1 @ x + b1) + b2) + b3
        return (torch.logsumexp(z3, 0) - z3[labels, torch.arange(x.shape[1])]).mean()

    def backward(
        self,
        d: Tensor,
        x: Tensor,
        labels: Tensor,
        w1: Tensor,
        b1: Tensor,
        w2: Tensor,
        b2: Tensor,
        w3: Tensor,
        b3: Tensor,
    ) -> Any:
        m = x.shape[1]
        z1 = w1 @ x + b1
        a1 = torch.tanh(z1)
        z2 = w2 @ a1 + b2
        a2 = torch.relu(z2)
        dz3 = torch.softmax(w3 @ a2 + b3, 0)
        dz3[labels, torch.arange(m)] -= 1
        dz3 *= d / m
        dw3 = dz3 @ a2.T
        db3 = dz3.sum(1, keepdim=True)
        dz2 = w3.T @ dz3
        dz2[z2 <= 0] = 0
        dw2 = dz2 @ a1.T
        db2 = dz2.sum(1, keepdim=True)
        dz1 = (w2.T @ dz2) * (1 - a1**2)
        dw1 = dz1 @ x.T
        db1 = dz1.sum(1, keepdim=True)
        return w1.T @ dz1, None, dw1, db1, dw2, db2, dw3, db3

    def draw(self, g: Numbers) -> Inputs:
        first = (g.normal(5, 4), g.normal(5, 1))
        return (
            g.normal(4, 11),
            g.below(3, 11),
            *first,
            g.normal(5, 5),
            g.normal(5, 1),
            g.normal(3, 5),
            g.normal(3, 1),
        )

    mistakes = (
        wrong("softmax along the samples", "w3 @ a2 + b3, 0)", "w3 @ a2 + b3, 1)", "another-axis"),
        wrong("mask of the gradient", "dz2[z2 <= 0]", "dz2[dz2 <= 0]", "wrong-mask another-tensor slope-at-upstream"),
        wrong("net for the output", "(1 - a1**2)", "(1 - z1**2)", "slope-at-input another-tensor"),
        wrong("weights not transposed", "w2.T @ dz2", "w2 @ dz2", "transposed-weights"),
        wrong("mean taken twice", "dz1 @ x.T", "dz1 @ x.T / m", MEAN),
        wrong(
            "label not subtracted",
            "    dz3[labels, torch.arange(m)] -= 1\n",
            "",
            f"{PART} term-missing",
        ),
        wrong("first layer's output for the second's", "dz3 @ a2.T", "dz3 @ a1.T", "another-tensor"),
    )


class PenalisedRegression:
    """Logistic regression with labels ±1, the mean over the samples, and λ/2 ‖w‖² with λ = 0.3; not of the bias."""

    def forward(self, x: Tensor, y: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return torch.log1p(torch.exp(-y * (x @ w + b))).mean() + 0.15 * (w * w).sum()

    def backward(self, d: Tensor, x: Tensor, y: Tensor, w: Tensor, b: Tensor) -> Any:
        margin = y * (x @ w + b)
        residual = -y / (1 + torch.exp(margin)) / len(x)
        d_w = d * (residual @ x + 0.3 * w)
        d_b = d * residual.sum()
        return d * torch.outer(residual, w), None, d_w, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(20, 6), g.below(2, 20) * 2 - 1, g.normal(6), torch.tensor(0.4)

    mistakes = (
        wrong("penalty forgotten", " + 0.3 * w", "", f"{PART} term-missing"),
        wrong("sign of the margin", "torch.exp(margin)", "torch.exp(-margin)", "wrong-argument slope-miswritten"),
        wrong(
            "label forgotten before the slope",
            "-y / (1",
            "-1 / (1",
            "term-missing slope-missing weights-without-sign weights-missing wrong-sign",
            places=((4, 6, 10, 13, 15),),
        ),
        wrong("mean forgotten for the bias", "residual.sum()", "residual.sum() * len(x)", MEAN),
        wrong("sizes in the penalty", "0.3 * w", "0.3 * w.sign()", "sign-alone wrong-power"),
        wrong("bias penalised", "residual.sum()", "(residual.sum() + 0.3 * b)", "weight-decay constant-added"),
        wrong("upstream forgotten for x", "return d * torch", "return torch", "upstream-missing upstream-ignored"),
    )


class HiddenBatchNorm:
    """relu(batch norm of x W) V, with scale and shift, ε = 0.05; the variance is the mean of squares."""

    def forward(self, x: Tensor, w: Tensor, gamma: Tensor, beta: Tensor, v: Tensor) -> Tensor:
        z = x @ w
        gap = z - z.mean(0)
        return torch.relu(gamma * gap / torch.sqrt((gap**2).mean(0) + 0.05) + beta) @ v

    def backward(self, d: Tensor, x: Tensor, w: Tensor, gamma: Tensor, beta: Tensor, v: Tensor) -> Any:
        n = len(x)
        z = x @ w
        gap = z - z.mean(0)
        var = (gap**2).mean(0)
        istd = 1 / torch.sqrt(var + 0.05)
        z_hat = gap * istd
        out = gamma * z_hat + beta
        d_out = (d @ v.T) * (out > 0)
        d_gamma = (d_out * z_hat).sum(0)
        d_beta = d_out.sum(0)
        d_hat = d_out * gamma
        d_var = (d_hat * gap).sum(0) * -0.5 * istd**3
        d_gap = d_hat * istd + 2 / n * gap * d_var
        d_z = d_gap - d_gap.mean(0)
        return d_z @ w.T, x.T @ d_z, d_gamma, d_beta, torch.relu(out).T @ d

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(10, 4), g.normal(4, 6, scale=0.5), g.normal(6, around=1), g.normal(6), g.normal(6, 3)

    mistakes = (
        wrong("mean taken as constant", "d_gap - d_gap.mean(0)", "d_gap", PROJECTION),
        wrong("power of the deviation", "-0.5 * istd**3", "-0.5 * istd**2", "wrong-power slope-miswritten"),
        wrong("epsilon forgotten", "torch.sqrt(var + 0.05)", "torch.sqrt(var)", "term-missing"),
        wrong("scale forgotten", "d_out * gamma", "d_out", "weights-missing slope-missing term-missing"),
        wrong("mask before the shift", "(out > 0)", "(z_hat > 0)", "wrong-mask another-tensor", places=((1, 2, 3, 5),)),
        wrong("gaps for the scale", "d_out * z_hat", "d_out * gap", "another-tensor term-missing"),
        wrong("two and number of the variance", "2 / n * gap", "gap", "factor mean-for-sum"),
    )


class DroppedHidden:
    """relu(x W + b) times a given mask over 0.7, then a second layer and the squared error, halved; summed."""

    keep = 0.7

    def forward(self, x: Tensor, t: Tensor, mask: Tensor, w1: Tensor, b1: Tensor, w2: Tensor) -> Tensor:
        return 0.5 * ((torch.relu(x @ w1 + b1) * mask / self.keep @ w2 - t) ** 2).sum()

    def backward(self, d: Tensor, x: Tensor, t: Tensor, mask: Tensor, w1: Tensor, b1: Tensor, w2: Tensor) -> Any:
        h = torch.relu(x @ w1 + b1)
        dropped = h * mask / self.keep
        d_y = d * (dropped @ w2 - t)
        d_w2 = dropped.T @ d_y
        d_dropped = d_y @ w2.T
        d_h = d_dropped * mask / self.keep
        d_h = torch.where(h > 0, d_h, 0.0)
        d_w1 = torch.zeros_like(w1)
        for row, back in zip(x, d_h, strict=True):
            d_w1 += torch.outer(row, back)
        return d_h @ w1.T, -d_y, None, d_w1, d_h.sum(0), d_w2

    def draw(self, g: Numbers) -> Inputs:
        sizes = (g.normal(5, 7), g.normal(7), g.normal(7, 3))
        return g.normal(9, 5), g.normal(9, 3), g.mask(9, 7), *sizes

    mistakes = (
        wrong(
            "mask forgotten",
            "d_dropped * mask / self.keep",
            "d_dropped / self.keep",
            "wrong-mask",
            places=((3, 4, 6), (2, 4, 5)),
        ),
        wrong("scale forgotten", "d_dropped * mask / self.keep", "d_dropped * mask", "factor"),
        wrong("layer before the dropout", "dropped.T @ d_y", "h.T @ d_y", "another-tensor wrong-mask"),
        wrong("negative side kept", "h > 0", "h <= 0", "wrong-mask"),
        wrong(
            "last sample alone",
            "d_w1 += torch",
            "d_w1 = torch",
            "one-sample step-missing duplicates-overwritten part-missing",
        ),
        wrong("sign of the target", "-d_y, None", "d_y, None", "wrong-sign"),
        wrong("answer without the target", "dropped @ w2 - t", "dropped @ w2", "term-missing"),
    )


class SkipGram:
    """−ln σ(u·v) of word and neighbour, −ln σ(−u·v) of each drawn other word; the mean over the pairs."""

    def forward(self, words: Tensor, near: Tensor, others: Tensor, v: Tensor, u: Tensor) -> Tensor:
        inner = v[words]
        right = fn.logsigmoid((inner * u[near]).sum(1))
        return -(right + fn.logsigmoid(-(u[others] @ inner[:, :, None])[..., 0]).sum(1)).mean()

    def backward(self, d: Tensor, words: Tensor, near: Tensor, others: Tensor, v: Tensor, u: Tensor) -> Any:
        d_v, d_u = torch.zeros_like(v), torch.zeros_like(u)
        for c, o, negative in zip(words, near, others, strict=True):
            g = d * (torch.sigmoid(u[o] @ v[c]) - 1) / len(words)
            d_v[c] += g * u[o]
            d_u[o] += g * v[c]
            for k in negative:
                g = d * torch.sigmoid(u[k] @ v[c]) / len(words)
                d_v[c] += g * u[k]
                d_u[k] += g * v[c]
        return None, None, None, d_v, d_u

    def draw(self, g: Numbers) -> Inputs:
        return g.below(7, 10), g.below(7, 10), g.below(7, 10, 3), g.normal(7, 4), g.normal(7, 4)

    mistakes = (
        wrong("negatives forgotten for the word", "            d_v[c] += g * u[k]\n", "", PART),
        wrong(
            "one forgotten", "(torch.sigmoid(u[o] @ v[c]) - 1)", "torch.sigmoid(u[o] @ v[c])", f"{PART} term-missing"
        ),
        wrong("negative written over", "d_u[k] += g", "d_u[k] = g", f"{PART} step-missing duplicates-overwritten"),
        wrong("mean forgotten for the negatives", "sigmoid(u[k] @ v[c]) / len(words)", "sigmoid(u[k] @ v[c])", MEAN),
        wrong("word's table for the neighbour's", "d_v[c] += g * u[o]", "d_v[c] += g * v[o]", "another-tensor"),
        wrong(
            "negatives as if right",
            "d * torch.sigmoid(u[k] @ v[c])",
            "d * (torch.sigmoid(u[k] @ v[c]) - 1)",
            "wrong-argument slope-miswritten constant-added",
        ),
        wrong(
            "last negative left out", "in negative:", "in negative[:-1]:", "step-missing sample-missing part-missing"
        ),
    )


PROGRAMS = programs("coursework", ThreeLayersOfColumns, PenalisedRegression, HiddenBatchNorm, DroppedHidden, SkipGram)
