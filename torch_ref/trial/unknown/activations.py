"""Activations, entry by entry."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import Inputs, Numbers, programs, wrong


class SoftPlus:
    """ln(1 + e^x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log1p(torch.exp(x))

    def backward(self, d: Tensor, x: Tensor) -> Any:
        return d * torch.sigmoid(x)

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(9, 5),)

    mistakes = (
        wrong("slope forgotten", "d * torch.sigmoid(x)", "d.clone()", "slope-missing"),
        wrong("slope at the output", "(x)", "(self.forward(x))", "slope-at-output wrong-argument another-tensor"),
        wrong("slope squared", "torch.sigmoid(x)", "torch.sigmoid(x) ** 2", "slope-twice wrong-power"),
        wrong("slope added", "d * torch", "d + torch", "slope-added"),
        wrong("slope of the sigmoid", "(x)", "(x) * torch.sigmoid(-x)", "slope-of-another-function slope-miswritten"),
        wrong("argument of the other sign", "(x)", "(-x)", "wrong-argument slope-miswritten"),
        wrong("value for the slope", "torch.sigmoid(x)", "self.forward(x)", "slope-miswritten another-tensor"),
        wrong("only the slope", "d * torch", "torch", "upstream-missing upstream-ignored"),
        wrong("divided by the slope", "d * torch", "d / torch", "slope-divided"),
        wrong("upstream inside", "(x)", "(d)", "slope-at-upstream wrong-argument another-tensor"),
    )


class ExponentialUnit:
    """ELU with α = 0.7."""

    alpha = 0.7

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.alpha * (torch.exp(x) - 1))

    def backward(self, d: Tensor, x: Tensor) -> Any:
        return d * torch.where(x > 0, 1.0, self.alpha * torch.exp(x))

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(4, 6, 3),)

    mistakes = (
        wrong("alpha forgotten", "self.alpha * torch", "torch", "slope-miswritten"),
        wrong("nothing below zero", "self.alpha * torch.exp(x)", "0.0", "slope-of-another-function slope-miswritten"),
        wrong("value below zero", "torch.exp(x)", "(torch.exp(x) - 1)", "slope-miswritten another-tensor"),
        wrong("mask reversed", "x > 0", "x < 0", "wrong-mask slope-miswritten"),
        wrong("threshold of one", "x > 0", "x > 1", "wrong-mask slope-miswritten"),
        wrong("mask of the upstream gradient", "x > 0", "d > 0", "wrong-mask slope-at-upstream"),
        wrong("handed on", "d * torch.where(x > 0, 1.0, self.alpha * torch.exp(x))", "d.clone()", "slope-missing"),
        wrong("exponent of the other sign", "exp(x)", "exp(-x)", "wrong-argument slope-miswritten"),
    )


class HardSwish:
    """x clip(x + 3, 0, 6) / 6."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (x + 3).clamp(0, 6) / 6

    def backward(self, d: Tensor, x: Tensor) -> Any:
        inside = (x > -3) & (x < 3)
        return d * torch.where(inside, (2 * x + 3) / 6, (x >= 3).to(x.dtype))

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(11, 4, scale=3),)

    mistakes = (
        wrong("product rule for one factor", "2 * x + 3", "x + 3", "part-missing path-detached slope-miswritten"),
        wrong("nothing above three", "(x >= 3).to(x.dtype)", "0.0", "wrong-mask slope-miswritten"),
        wrong("limits of one", "(x > -3) & (x < 3)", "(x > -1) & (x < 1)", "wrong-mask slope-miswritten"),
        wrong("sixth forgotten", "(2 * x + 3) / 6", "2 * x + 3", "slope-miswritten"),
        wrong(
            "slope of the hard sigmoid",
            "(2 * x + 3) / 6, (x >= 3).to(x.dtype)",
            "1 / 6, 0.0",
            "slope-of-another-function slope-miswritten",
        ),
        wrong("handed on", "d * torch.where(inside, (2 * x + 3) / 6, (x >= 3).to(x.dtype))", "d * 1", "slope-missing"),
        wrong("lower limit forgotten", "(x > -3) & (x < 3)", "x < 3", "wrong-mask slope-miswritten"),
    )


class ParametricReLU:
    """The slope below zero is learned, one for each channel."""

    def forward(self, x: Tensor, a: Tensor) -> Tensor:
        return torch.where(x > 0, x, a * x)

    def backward(self, d: Tensor, x: Tensor, a: Tensor) -> Any:
        d_x = torch.where(x > 0, d, a * d)
        d_a = (d * x * (x <= 0)).sum(0)
        return d_x, d_a

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(23, 5), g.between(0.1, 0.6, 5)

    mistakes = (
        wrong("mean for a", ".sum(0)", ".mean(0)", "mean-for-sum factor"),
        wrong(
            "a summed over the channels too",
            ".sum(0)",
            ".sum().expand(a.shape).clone()",
            "another-axis broadcast-over-batch",
        ),
        wrong("positive side for a", "x <= 0", "x >= 0", "wrong-mask"),
        wrong("a without upstream", "a * d", "a.expand_as(d)", "upstream-missing upstream-ignored"),
        wrong("mask reversed", "torch.where(x > 0", "torch.where(x < 0", "wrong-mask"),
        wrong("size of x for a", "d * x *", "d * x.abs() *", "wrong-sign weights-without-sign"),
        wrong("x forgotten for a", "d * x *", "d *", "input-missing"),
        wrong("usual slope of 0.01", "a * d", "0.01 * d", "slope-miswritten slope-of-another-function another-tensor"),
        wrong("mask forgotten for a", " * (x <= 0)", "", "wrong-mask"),
    )


class ArcTan:
    """Of a vector, no batch."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.atan(x)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        return d / (1 + x * x)

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(31, scale=2),)

    mistakes = (
        wrong("square forgotten", "1 + x * x", "1 + x.abs()", "wrong-power slope-miswritten"),
        wrong(
            "slope of tanh at the output",
            "/ (1 + x * x)",
            "* (1 - self.forward(x) ** 2)",
            "slope-of-another-function slope-miswritten",
        ),
        wrong(
            "root of it", "(1 + x * x)", "(1 + x * x).sqrt()", "wrong-power slope-miswritten slope-of-another-function"
        ),
        wrong("slope at the output", "1 + x * x", "1 + torch.atan(x) ** 2", "slope-at-output another-tensor"),
        wrong("multiplied", "d / (", "d * (", "slope-divided slope-miswritten"),
        wrong("upstream squared", "d / (", "d * d / (", "upstream-twice"),
        wrong("sign", "d / (", "-d / (", "wrong-sign"),
        wrong("slope twice", "(1 + x * x)", "(1 + x * x) ** 2", "slope-twice wrong-power"),
    )


class Decibel:
    """10 log10(1 + x²)."""

    def forward(self, x: Tensor) -> Tensor:
        return 10 * torch.log10(1 + x * x)

    def backward(self, d: Tensor, x: Tensor) -> Any:
        return d * 20 * x / ((1 + x * x) * math.log(10))

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(3, 8, scale=0.5),)

    mistakes = (
        wrong("natural logarithm", " * math.log(10)", "", "wrong-logarithm factor"),
        wrong("base of two", "log(10)", "log(2)", "wrong-logarithm factor"),
        wrong("inner derivative forgotten", "20 * x", "10", "slope-missing slope-miswritten input-missing"),
        wrong("one forgotten", "(1 + x * x)", "(x * x)", "term-missing slope-miswritten slope-of-another-function"),
        wrong("two forgotten", "20 * x", "10 * x", "factor"),
        wrong("upstream forgotten", "d * 20", "20", "upstream-missing upstream-ignored"),
    )


PROGRAMS = programs("activations", SoftPlus, ExponentialUnit, HardSwish, ParametricReLU, ArcTan, Decibel)
