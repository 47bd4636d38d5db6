"""Between the entries of a table, the variation of a picture, a soft threshold, and weights of whole numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class BetweenEntries:
    """Rows of a table (G, C) at places between them, linear."""

    def forward(self, table: Tensor, at: Tensor) -> Tensor:
        low = at.detach().floor().long()
        u = (at - low)[:, None]
        return (1 - u) * table[low] + u * table[low + 1]

    def backward(self, d: Tensor, table: Tensor, at: Tensor) -> Any:
        low = at.floor().long()
        u = (at - low)[:, None]
        d_table = torch.zeros_like(table).index_add(0, low, (1 - u) * d)
        d_table = d_table.index_add(0, low + 1, u * d)
        d_at = (d * (table[low + 1] - table[low])).sum(1)
        return d_table, d_at

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 3), g.below(5, 12) + g.between(0.05, 0.95, 12)

    mistakes = (
        wrong("ends exchanged", "(1 - u) * d)", "u * d)", "swapped another-tensor", ("1, u * d)", "1, (1 - u) * d)")),
        wrong(
            "upper end forgotten",
            "    d_table = d_table.index_add(0, low + 1, u * d)\n",
            "",
            PART,
            places=((1, 2, 3, 4, 5),),
        ),
        wrong(
            "duplicates overwritten",
            "index_add(0, low,",
            "index_copy(0, low,",
            "duplicates-overwritten",
            places=((0, 2, 4),),
        ),
        wrong("mean over the columns", ".sum(1)", ".mean(1)", MEAN),
        wrong("lower end forgotten", "(table[low + 1] - table[low])", "table[low + 1]", f"{PART} term-missing"),
        wrong("upstream forgotten", "(d * (table", "(1 * (table", "upstream-missing upstream-ignored"),
    )


class TotalVariation:
    """Σ √(v² + h² + 0.01) over the pixels, v and h the gaps to the next row and column; the mean over (N, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        v, h = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
        return (v * v + h * h + 0.01).sqrt().sum() / len(x)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        v, h = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
        size = (v * v + h * h + 0.01).sqrt()
        d_v = d * v / size / len(x)
        d_h = d * h / size / len(x)
        d_x = torch.zeros_like(x)
        d_x[:, 1:, :-1] += d_v
        d_x[:, :-1, 1:] += d_h
        d_x[:, :-1, :-1] -= d_v + d_h
        return d_x

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(3, 5, 6),)

    mistakes = (
        wrong(
            "pixel itself forgotten",
            "    d_x[:, :-1, :-1] -= d_v + d_h\n",
            "",
            PART,
            places=((0, 1, 2, 3), (0, 1, 2, 3, 4)),
        ),
        wrong(
            "pixel overwritten",
            "d_x[:, :-1, :-1] -= d_v + d_h",
            "d_x[:, :-1, :-1] = -d_v - d_h",
            f"{PART} windows-overwritten duplicates-overwritten",
            places=((0, 1, 2, 3), (0, 1, 2, 3, 4)),
        ),
        wrong("columns not subtracted", "-= d_v + d_h", "-= d_v", PART, places=((0, 1, 2, 3), (0, 1, 2, 3, 4))),
        wrong(
            "signs of the rows' gaps",
            "v / size",
            "v.sign()",
            "sign-alone slope-miswritten another-function",
            places=((0, 1, 2, 3, 4),),
        ),
        wrong("mean over the pixels", "h / size / len(x)", "h / size / x.numel()", MEAN, places=((0, 1, 2, 3),)),
        wrong("root forgotten", "v / size", "v", "slope-missing wrong-power term-missing", places=((0, 1, 2, 3, 4),)),
    )


class SoftThreshold:
    """One step to a sparse code: u = x + 0.1 (b − x Aᵀ) A, then sign(u) max(|u| − λ, 0), λ for each entry."""

    def forward(self, x: Tensor, b: Tensor, a: Tensor, lam: Tensor) -> Tensor:
        u = x + 0.1 * (b - x @ a.T) @ a
        return u.sign() * (u.abs() - lam).relu()

    def backward(self, d: Tensor, x: Tensor, b: Tensor, a: Tensor, lam: Tensor) -> Any:
        r = b - x @ a.T
        u = x + 0.1 * r @ a
        d_u = d * (u.abs() > lam)
        d_lam = -(d_u * u.sign()).sum(0)
        d_r = 0.1 * d_u @ a.T
        d_x = d_u - d_r @ a
        d_a = 0.1 * r.T @ d_u - d_r.T @ x
        return d_x, d_r, d_a, d_lam

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8, 5), g.normal(8, 4), g.normal(4, 5), g.between(0.2, 0.8, 5)

    mistakes = (
        wrong(
            "threshold not in the mask",
            "u.abs() > lam",
            "u.abs() > 0",
            "wrong-mask slope-missing",
            places=((0, 1, 2, 3, 4, 5, 7),),
        ),
        wrong("negative side cut", "u.abs() > lam", "u > lam", "wrong-mask", places=((0, 1, 3, 4, 5, 6, 7),)),
        wrong(
            "side forgotten for the threshold", "(d_u * u.sign())", "d_u", "slope-missing term-missing input-missing"
        ),
        wrong("outer use of a forgotten", "0.1 * r.T @ d_u - d_r.T @ x", "-d_r.T @ x", PART),
        wrong("start forgotten", "d_x = d_u - d_r @ a", "d_x = -d_r @ a", PART),
        wrong("step size twice", "- d_r.T @ x", "- 0.1 * d_r.T @ x", "factor"),
    )


class WholeNumberWeights:
    """x Wᵀ with W = (q − zero) scale: whole numbers q, scale and zero for each output."""

    def forward(self, x: Tensor, q: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        return x @ ((q - zero) * scale).T

    def backward(self, d: Tensor, x: Tensor, q: Tensor, scale: Tensor, zero: Tensor) -> Any:
        w = (q - zero) * scale
        d_w = d.T @ x
        d_scale = (d_w * (q - zero)).sum(1, keepdim=True)
        d_zero = -(d_w * scale).sum(1, keepdim=True)
        return d @ w, None, d_scale, d_zero

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(10, 6), g.below(16, 4, 6), g.between(0.1, 0.5, 4, 1), g.between(5, 9, 4, 1)

    mistakes = (
        wrong("zero forgotten for the scale", "(d_w * (q - zero))", "(d_w * q)", f"{PART} term-missing another-tensor"),
        wrong("weights for the whole numbers", "(d_w * (q - zero))", "(d_w * w)", "another-tensor input-too-often"),
        wrong("mean over the inputs", "(q - zero)).sum(1", "(q - zero)).mean(1", MEAN),
        wrong(
            "one zero for all",
            "(d_w * scale).sum(1, keepdim=True)",
            "(d_w * scale).sum().expand_as(zero)",
            "another-axis broadcast-over-batch",
        ),
        wrong(
            "scale forgotten for x",
            "d @ w",
            "d @ (q - zero)",
            "weights-missing another-tensor term-missing slope-missing",
        ),
        wrong("sign of the zero", "-(d_w * scale)", "(d_w * scale)", "wrong-sign"),
    )


PROGRAMS = programs("signals", BetweenEntries, TotalVariation, SoftThreshold, WholeNumberWeights)
