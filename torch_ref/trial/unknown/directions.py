"""Vectors divided by their length: unit vectors, weight norm, cosine similarity."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PROJECTION, Inputs, Numbers, programs, wrong


class UnitVectors:
    """Every row divided by its length."""

    def forward(self, x: Tensor) -> Any:
        return x / x.norm(dim=1, keepdim=True)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        n = x.norm(dim=1, keepdim=True)
        y = x / n
        return (d - y * (d * y).sum(1, keepdim=True)) / n

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(6, 4, scale=3),)

    mistakes = (
        wrong("projection forgotten", "(d - y * (d * y).sum(1, keepdim=True))", "d", PROJECTION),
        wrong("input in the projection", "y * (d * y)", "x * (d * x)", "another-tensor wrong-power"),
        wrong("length squared", ") / n", ") / n**2", "wrong-power slope-twice"),
        wrong("along the samples", "(d * y).sum(1", "(d * y).sum(0", "another-axis"),
        wrong("mean in the projection", "(d * y).sum", "(d * y).mean", "mean-for-sum"),
        wrong("length forgotten", ") / n", ")", "term-missing slope-missing"),
        wrong("plus at the projection", "d - y", "d + y", "plus-for-minus"),
        wrong(
            "only the projection",
            "(d - y * (d * y).sum(1, keepdim=True))",
            "(y * (d * y).sum(1, keepdim=True))",
            "part-missing path-detached term-missing",
        ),
    )


class WeightNorm:
    """x Wᵀ with rows g v / ‖v‖."""

    def forward(self, x: Tensor, v: Tensor, g: Tensor) -> Any:
        return x @ (g * v / v.norm(dim=1, keepdim=True)).T

    def backward(self, d: Tensor, x: Tensor, v: Tensor, g: Tensor) -> Any:
        n = v.norm(dim=1, keepdim=True)
        u = v / n
        d_w = d.T @ x
        d_g = (d_w * u).sum(1, keepdim=True)
        d_v = g / n * (d_w - u * d_g)
        return d @ (g * u), d_v, d_g

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(9, 5), g.normal(4, 5, scale=0.5), g.between(0.5, 3, 4, 1)

    mistakes = (
        wrong("length taken as constant", "(d_w - u * d_g)", "d_w", PROJECTION),
        wrong("g not in the direction", "g / n * (", "1 / n * (", "weights-missing term-missing"),
        wrong("v for its direction in g", "(d_w * u)", "(d_w * v)", "another-tensor"),
        wrong("direction forgotten in g", "(d_w * u)", "d_w", "term-missing another-tensor input-missing"),
        wrong(
            "mean over the inputs",
            ".sum(1, keepdim=True)\n",
            ".mean(1, keepdim=True)\n",
            MEAN,
            ("u * d_g)", "u * d_g * 5)"),
        ),
        wrong("gradient of the product", "d @ (g * u), d_v,", "d @ (g * u), d_w,", "another-gradient part-missing"),
        wrong("g forgotten for x", "d @ (g * u)", "d @ u", "weights-missing term-missing another-tensor"),
        wrong("mean over the samples", "d.T @ x", "d.T @ x / len(x)", MEAN),
        wrong("length not in the direction", "g / n * (", "g * (", "term-missing slope-missing"),
    )


class CosineOfPairs:
    """The cosine between the rows of a and of b."""

    def forward(self, a: Tensor, b: Tensor) -> Any:
        return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))

    def backward(self, d: Tensor, a: Tensor, b: Tensor) -> Any:
        la, lb = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
        u, v = a / la, b / lb
        c = (u * v).sum(-1, keepdim=True)
        d = d.unsqueeze(-1)
        d_a = d * (v - c * u) / la
        d_b = d * (u - c * v) / lb
        return d_a, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(7, 5), g.normal(7, 5, around=0.5)

    mistakes = (
        wrong("projection forgotten", "(v - c * u)", "v", PROJECTION),
        wrong("exchanged", "return d_a, d_b", "return d_b, d_a", "another-gradient swapped"),
        wrong("length of the other", "(u - c * v) / lb", "(u - c * v) / la", "another-tensor swapped"),
        wrong("cosine forgotten", "u - c * v", "u - v", "term-missing"),
        wrong("upstream forgotten", "d * (v - c", "(v - c", "upstream-missing upstream-ignored"),
        wrong("upstream squared", "d * (u - c", "d * d * (u - c", "upstream-twice"),
        wrong("plus for minus", "v - c * u", "v + c * u", "plus-for-minus"),
        wrong("length forgotten", "(v - c * u) / la", "(v - c * u)", "term-missing slope-missing"),
        wrong("same gradient for both", "return d_a, d_b", "return d_a, d_a", "another-gradient"),
    )


class MaxLengthColumns:
    """Columns longer than 1 are cut to length 1."""

    def forward(self, w: Tensor) -> Any:
        return w / w.norm(dim=0, keepdim=True).clamp(min=1)

    def backward(self, d: Tensor, w: Tensor) -> Any:
        n = w.norm(dim=0, keepdim=True)
        u = w / n
        return torch.where(n > 1, (d - u * (d * u).sum(0, keepdim=True)) / n, d)

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(3, 14, scale=0.65),)

    mistakes = (
        wrong("length taken as constant", "(d - u * (d * u).sum(0, keepdim=True))", "d", PROJECTION),
        wrong(
            "all cut",
            "torch.where(n > 1, (d - u * (d * u).sum(0, keepdim=True)) / n, d)",
            "(d - u * (d * u).sum(0, keepdim=True)) / n",
            "wrong-mask slope-miswritten",
        ),
        wrong(
            "long ones get nothing",
            "(d - u * (d * u).sum(0, keepdim=True)) / n, d",
            "0 * d, d",
            "wrong-mask part-missing path-detached dead-unit",
        ),
        wrong(
            "handed on",
            "torch.where(n > 1, (d - u * (d * u).sum(0, keepdim=True)) / n, d)",
            "d.clone()",
            "slope-missing wrong-mask",
        ),
        wrong("over all entries", "(d * u).sum(0, keepdim=True)", "(d * u).sum()", "another-axis"),
    )


PROGRAMS = programs("directions", UnitVectors, WeightNorm, CosineOfPairs, MaxLengthColumns)
