"""Sums, means, extremes, broadcast parameters, and a little physics."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class Standardised:
    """Columns less their mean over their standard deviation (N − 1), as data are prepared."""

    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(0)) / x.std(0)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        n = len(x)
        s = x.std(0)
        y = (x - x.mean(0)) / s
        return (d - d.mean(0) - y * (d * y).sum(0) / (n - 1)) / s

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(9, 4, scale=6, around=10),)

    mistakes = (
        wrong("deviation taken as constant", " - y * (d * y).sum(0) / (n - 1)", "", PROJECTION),
        wrong("mean taken as constant", " - d.mean(0)", "", PROJECTION),
        wrong("both taken as constant", "(d - d.mean(0) - y * (d * y).sum(0) / (n - 1))", "d", PROJECTION),
        wrong(
            "samples for degrees of freedom",
            "/ (n - 1)",
            "/ n",
            "slope-miswritten mean-for-sum wrong-argument projection-missing factor wrong-divisor",
        ),
        wrong("mean over the columns", "d.mean(0)", "d.mean(1, keepdim=True)", "another-axis"),
        wrong("variance below", "(n - 1)) / s", "(n - 1)) / s**2", "wrong-power slope-twice factor"),
        wrong("deviation of n", "x.std(0)", "x.std(0, correction=0)", "factor mean-for-sum slope-miswritten"),
        wrong("input for the output", "y * (d * y)", "x * (d * x)", "another-tensor"),
        wrong("sum for mean", "d.mean(0)", "d.sum(0)", "mean-for-sum"),
    )


class VarianceOfRows:
    """The unbiased variance of each row."""

    def forward(self, x: Tensor) -> Tensor:
        return x.var(1)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        m = x.mean(1, keepdim=True)
        return d[:, None] * 2 * (x - m) / (x.shape[1] - 1)

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(4, 16, around=3),)

    mistakes = (
        wrong("biased", "(x.shape[1] - 1)", "x.shape[1]", "factor mean-for-sum"),
        wrong("mean forgotten", "(x - m)", "x", "term-missing projection-missing path-detached part-missing"),
        wrong("two forgotten", "* 2 * (x", "* (x", "factor"),
        wrong("number of rows", "(x.shape[1] - 1)", "(len(x) - 1)", "factor another-axis"),
        wrong("mean of the columns", "x.mean(1, keepdim=True)", "x.mean(0, keepdim=True)", "another-axis"),
        wrong("upstream forgotten", "d[:, None] * 2", "2", "upstream-missing upstream-ignored"),
        wrong("count forgotten", " / (x.shape[1] - 1)", "", MEAN),
        wrong("upstream summed", "d[:, None] * 2", "d.sum() * 2", "broadcast-over-batch another-axis"),
        wrong(
            "of the standard deviation",
            "* 2 * (x - m) /",
            "* (x - m) / x.std(1, keepdim=True) /",
            "another-function wrong-power slope-of-another-function",
        ),
    )


class LargestAndSoftest:
    """The maximum of each row plus its logsumexp."""

    def forward(self, x: Tensor) -> Tensor:
        return x.amax(1) + x.logsumexp(1)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        top = (x == x.amax(1, keepdim=True)).to(x.dtype)
        soft = torch.softmax(x, 1)
        return d[:, None] * (top + soft)

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(13, 5, scale=1.5),)

    mistakes = (
        wrong("maximum taken as constant", "(top + soft)", "soft", PART),
        wrong("soft part forgotten", "(top + soft)", "top", PART),
        wrong("minimum for maximum", "x.amax", "x.amin", "wrong-mask another-tensor another-function"),
        wrong("maximum of the columns", "x.amax(1", "x.amax(0", "another-axis wrong-mask"),
        wrong("softmax of the columns", "softmax(x, 1)", "softmax(x, 0)", "another-axis"),
        wrong("exponential alone", "torch.softmax(x, 1)", "x.exp()", "softmax-miswritten"),
        wrong("upstream of the first row", "d[:, None] *", "d[0] *", "broadcast-over-batch one-sample"),
        wrong("numbers for their softmax", "torch.softmax(x, 1)", "x", "softmax-missing slope-missing another-tensor"),
        wrong("maximum twice", "(top + soft)", "(2 * top + soft)", "part-twice"),
        wrong("minus between the two", "(top + soft)", "(top - soft)", "plus-for-minus"),
    )


class LengthOfAll:
    """The Euclidean norm of a matrix plus a tenth of its sum of sizes: a penalty."""

    def forward(self, w: Tensor) -> Any:
        return w.norm() + 0.1 * w.abs().sum()

    def backward(self, d: Tensor, w: Tensor) -> Any:
        return d * (w / w.norm() + 0.1 * w.sign())

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(7, 3),)

    mistakes = (
        wrong("square root forgotten", "w / w.norm()", "2 * w", "wrong-power slope-missing"),
        wrong("norm squared", "w.norm()", "w.norm() ** 2", "wrong-power"),
        wrong("sizes forgotten", " + 0.1 * w.sign()", "", PART),
        wrong("size for sign", "w.sign()", "w.abs()", "slope-missing another-tensor slope-miswritten"),
        wrong("tenth forgotten", "0.1 * w.sign()", "w.sign()", "slope-miswritten part-twice"),
        wrong("upstream squared", "d * (w", "d * d * (w", "upstream-twice"),
        wrong("norm forgotten", "w / w.norm()", "w", "wrong-power term-missing another-function"),
        wrong("norm of the columns", "w.norm()", "w.norm(dim=0)", "another-axis"),
        wrong("matrix for its sign", "w.sign()", "w", "weight-decay slope-miswritten another-tensor"),
    )


class ScaledAndShifted:
    """x times a row, plus a column, times one number, of (B, R, C)."""

    def forward(self, x: Tensor, row: Tensor, column: Tensor, s: Tensor) -> Tensor:
        return s * (x * row + column)

    def backward(self, d: Tensor, x: Tensor, row: Tensor, column: Tensor, s: Tensor) -> Any:
        d_row = s * (d * x).sum((0, 1))
        d_column = s * d.sum((0, 2))[:, None]
        d_s = (d * (x * row + column)).sum()
        return s * d * row, d_row, d_column, d_s

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 5, 5), g.normal(5), g.normal(5, 1), torch.tensor(2.5)

    mistakes = (
        wrong("column over the rows", "d.sum((0, 2))", "d.sum((0, 1))", "another-axis"),
        wrong("row over the columns", "(d * x).sum((0, 1))", "(d * x).sum((0, 2))", "another-axis"),
        wrong("mean over the batch", "(d * x).sum((0, 1))", "(d * x).sum(1).mean(0)", MEAN),
        wrong("batch not summed", "d.sum((0, 2))", "d[0].sum(1)", "broadcast-not-summed one-sample"),
        wrong("columns not summed", "d.sum((0, 2))", "d.sum(0)[:, 0]", "broadcast-not-summed one-sample step-missing"),
        wrong("mean for the number", "column)).sum()", "column)).mean()", MEAN),
        wrong("number forgotten", "s * (d * x)", "(d * x)", "factor"),
        wrong("column forgotten for the number", "(x * row + column)", "(x * row)", f"{PART} term-missing"),
        wrong("x forgotten for the row", "(d * x)", "d", "input-missing"),
        wrong("row forgotten for x", "s * d * row", "s * d", "weights-missing slope-missing"),
        wrong("mean over the rows", "(d * x).sum((0, 1))", "(d * x).sum(0).mean(0)", MEAN),
    )


class Pendulum:
    """½ m l² ω² + m g l (1 − cos φ) of a hundred swings; m and l are single numbers."""

    g = 9.81

    def forward(self, phi: Tensor, omega: Tensor, m: Tensor, length: Tensor) -> Tensor:
        return 0.5 * m * length**2 * omega**2 + m * self.g * length * (1 - torch.cos(phi))

    def backward(self, d: Tensor, phi: Tensor, omega: Tensor, m: Tensor, length: Tensor) -> Any:
        lifted = 1 - torch.cos(phi)
        d_phi = d * m * self.g * length * torch.sin(phi)
        d_omega = d * m * length**2 * omega
        d_m = (d * (0.5 * length**2 * omega**2 + self.g * length * lifted)).sum()
        d_length = (d * (m * length * omega**2 + m * self.g * lifted)).sum()
        return d_phi, d_omega, d_m, d_length

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(40), g.normal(40, scale=3), torch.tensor(0.2), torch.tensor(0.8)

    mistakes = (
        wrong("cosine for sine", "torch.sin(phi)", "torch.cos(phi)", "slope-miswritten"),
        wrong("sign of the sine", "* torch.sin(phi)", "* -torch.sin(phi)", "wrong-sign"),
        wrong(
            "angle for its sine", "torch.sin(phi)", "phi", "slope-miswritten another-tensor slope-of-another-function"
        ),
        wrong("two times the speed", "length**2 * omega\n", "length**2 * omega * 2\n", "factor"),
        wrong("length not squared", "d_omega = d * m * length**2", "d_omega = d * m * length", "factor wrong-power"),
        wrong("potential energy forgotten for m", " + self.g * length * lifted", "", PART),
        wrong("kinetic energy forgotten for the length", "m * length * omega**2 + ", "", PART),
        wrong("mean for m", "lifted)).sum()\n    d_length", "lifted)).mean()\n    d_length", MEAN),
        wrong("gravity forgotten", "d * m * self.g * length", "d * m * length", "factor"),
        wrong("m and length exchanged", "d_m, d_length\n", "d_length, d_m\n", "another-gradient swapped"),
        wrong("upstream forgotten", "d * m * length**2", "m * length**2", "upstream-missing upstream-ignored"),
    )


PROGRAMS = programs(
    "reductions", Standardised, VarianceOfRows, LargestAndSoftest, LengthOfAll, ScaledAndShifted, Pendulum
)
