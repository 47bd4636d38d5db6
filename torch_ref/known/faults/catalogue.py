"""The mistakes: name, what the formula makes, how the likely cause has to begin, and the wrong formula."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manual_bp import Linear
from torch_ref.known.faults.fault import Wrong

Rows = list[tuple[str, str, str, Wrong]]


def _with_zero_row(d: Tensor, row: int) -> Tensor:
    return torch.cat([d[:row], torch.zeros_like(d[row : row + 1]), d[row + 1 :]])


def _plus_b(layer: Linear, product: Tensor) -> Tensor:
    return product if layer.bias is None else product + layer.bias


def _with_one_nan(net: Tensor) -> Tensor:
    net = net.clone()
    net[1, 2] = float("nan")
    return net


def _after_an_update(layer: Linear, delta: Tensor, x: Tensor, lr: float = 0.1) -> Tensor:
    return layer.weight + lr * delta.t() @ x


def _updating_inside(layer: Linear, delta: Tensor, x: Tensor) -> Tensor:
    layer.weight.add_(delta.t() @ x, alpha=0.1)
    return delta @ layer.weight


def _in_place(error: Tensor, net: Tensor, x: Tensor) -> Tensor:
    return error.mul_(1 - x).mul_(x)


def _n(loss: Any, x: Tensor) -> int:
    return len(x) if loss.reduction == "mean" else 1


def _s(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


def _y(net: Tensor, over: int = 1) -> Tensor:
    return torch.softmax(net, over)


def _entropy(loss: Any, net: Tensor, t: Tensor) -> Tensor:
    return -(t * torch.log_softmax(net, 1)).sum() / _n(loss, net)


def _slope(x: Tensor) -> Tensor:
    return x * (1 - x)


LINEAR: Rows = [
    ("forward-transposed", "forward", "transposed weights", lambda l, x: _plus_b(l, x @ l.weight)),
    ("forward-no-bias", "forward", "the bias is missing", lambda l, x: x @ l.weight.t()),
    ("forward-bias-twice", "forward", "the bias is doubled", lambda l, x: x @ l.weight.t() + l.bias + l.bias),
    ("forward-bias-sign", "forward", "the bias has the wrong sign", lambda l, x: x @ l.weight.t() - l.bias),
    ("forward-bias-beside", "forward", "the bias is of the unit", lambda l, x: x @ l.weight.t() + l.bias.roll(1)),
    (
        "forward-wrong-sample",
        "forward",
        "pairs the wrong sample",
        lambda l, x: _plus_b(l, x.roll(1, 0) @ l.weight.t()),
    ),
    ("forward-1.0005", "forward", "a constant factor of 1.0005", lambda l, x: 1.0005 * _plus_b(l, x @ l.weight.t())),
    ("forward-nan", "forward", "NaN appears here first", lambda l, x: _with_one_nan(_plus_b(l, x @ l.weight.t()))),
    ("forward-sign", "forward", "the sign is wrong", lambda l, x: -_plus_b(l, x @ l.weight.t())),
    ("error-transposed", "error", "transposed weights", lambda l, d, x: d @ l.weight.t()),
    ("error-stale", "error", "stale weights", lambda l, d, x: d @ _after_an_update(l, d, x)),
    ("error-updating", "error", "changes weight in place", _updating_inside),
    ("error-sign", "error", "the sign is wrong", lambda l, d, x: -(d @ l.weight)),
    ("error-no-weights", "error", "the weights are missing", lambda l, d, x: d.clone()),
    ("error-slope-too", "error", "σ′ is applied here too", lambda l, d, x: (d @ l.weight) * _slope(x)),
    ("error-wrong-sample", "error", "pairs the wrong sample", lambda l, d, x: d.roll(1, 0) @ l.weight),
    ("error-over-n", "error", "a factor of 1/N", lambda l, d, x: d @ l.weight / len(d)),
    ("error-zeros", "error", "zeros", lambda l, d, x: torch.zeros_like(x)),
    ("error-of-the-mean", "error", "broadcasts over the batch", lambda l, d, x: (d.mean(0) @ l.weight).expand_as(x)),
    ("error-1.0005", "error", "a constant factor of 1.0005", lambda l, d, x: 1.0005 * (d @ l.weight)),
    ("weight-sign", "weight", "the sign is wrong", lambda l, d, x: d.t() @ x),
    ("weight-swapped", "weight", "x and δ are swapped", lambda l, d, x: -(x.t() @ d)),
    ("weight-zeros", "weight", "zeros", lambda l, d, x: torch.zeros_like(l.weight)),
    ("weight-over-n", "weight", "a factor of 1/N", lambda l, d, x: -(d.t() @ x) / len(x)),
    ("weight-times-n", "weight", "a factor of N", lambda l, d, x: -(d.t() @ x) * len(x)),
    ("weight-twice", "weight", "a factor of 2", lambda l, d, x: -2 * d.t() @ x),
    ("weight-no-x", "weight", "x is missing", lambda l, d, x: -d.sum(0)[:, None].expand_as(l.weight)),
    ("weight-no-delta", "weight", "δ is missing", lambda l, d, x: -x.sum(0).expand_as(l.weight)),
    ("weight-output-x", "weight", "the output's x", lambda l, d, x: -(d.t() @ l.forward(x)[0])),
    ("weight-wrong-sample", "weight", "pairs the wrong sample", lambda l, d, x: -(d.t() @ x.roll(-1, 0))),
    ("weight-reversed", "weight", "pairs the wrong sample (in rev", lambda l, d, x: -(d.t() @ x.flip(0))),
    ("weight-one-sample", "weight", "one sample only (the first)", lambda l, d, x: -torch.outer(d[0], x[0])),
    ("weight-last-missing", "weight", "the last sample is missing", lambda l, d, x: -(d[:-1].t() @ x[:-1])),
    ("weight-sum-first", "weight", "broadcasts over the batch", lambda l, d, x: -torch.outer(d.sum(0), x.sum(0))),
    ("weight-decay", "weight", "0.01 times the weight itself", lambda l, d, x: -(d.t() @ x) + 0.01 * l.weight),
    ("weight-dead-unit", "weight", "a dead unit: row 2", lambda l, d, x: _with_zero_row(-(d.t() @ x), 2)),
    ("weight-1.0005", "weight", "a constant factor of 1.0005", lambda l, d, x: -1.0005 * d.t() @ x),
    ("weight-shape", "weight", "it is of shape", lambda l, d, x: -(d[:, :2].t() @ x)),
    ("bias-missing", "bias", "zeros", lambda l, d, x: torch.zeros_like(l.bias)),
    ("bias-twice", "bias", "a factor of 2", lambda l, d, x: -2 * d.sum(0)),
    ("bias-sign", "bias", "the sign is wrong", lambda l, d, x: d.sum(0)),
    ("bias-mean", "bias", "a factor of 1/N", lambda l, d, x: -d.mean(0)),
    ("bias-one-sample", "bias", "one sample only (the first)", lambda l, d, x: -d[0]),
    ("bias-last-missing", "bias", "the last sample is missing", lambda l, d, x: -d[:-1].sum(0)),
    ("bias-over-units", "bias", "it is of shape", lambda l, d, x: -d.sum(1)),
    ("bias-one-number", "bias", "broadcasts over the batch", lambda l, d, x: -d.sum().expand(len(l.bias))),
    ("bias-decay", "bias", "0.01 times the bias itself", lambda l, d, x: -d.sum(0) + 0.01 * l.bias),
]

SIGMOID: Rows = [
    ("forward-tanh", "forward", "another activation: tanh", torch.tanh),
    ("forward-sign", "forward", "the argument has the wrong sign", lambda net: 1 / (1 + torch.exp(net))),
    ("forward-twice", "forward", "applied twice", lambda net: _s(_s(net))),
    ("error-no-slope", "error", "σ′ is missing", lambda e, net, x: e.clone()),
    ("error-slope-of-x", "error", "σ′ of the wrong quantity: σ′(x)", lambda e, net, x: e * _slope(_s(x))),
    ("error-slope-from-net", "error", "σ′ of the wrong quantity: its", lambda e, net, x: e * _slope(net)),
    ("error-x-alone", "error", "x in place of σ′", lambda e, net, x: e * x),
    ("error-one-minus-x", "error", "1 − x in place of σ′", lambda e, net, x: e * (1 - x)),
    ("error-slope-of-tanh", "error", "1 − x² in place of σ′", lambda e, net, x: e * (1 - x * x)),
    ("error-plus", "error", "x (1 + x) in place", lambda e, net, x: e * x * (1 + x)),
    ("error-slope-twice", "error", "σ′ is applied twice", lambda e, net, x: e * _slope(x) ** 2),
    ("error-missing", "error", "the error is missing", lambda e, net, x: _slope(x)),
    ("error-wrong-sample", "error", "pairs the wrong sample", lambda e, net, x: e * _slope(x.roll(1, 0))),
    ("error-mean-slope", "error", "broadcasts over the batch: σ′ of the", lambda e, net, x: e * _slope(x).mean(0)),
    ("error-sign", "error", "the sign is wrong", lambda e, net, x: -e * _slope(x)),
    ("error-in-place", "error", "changes error in place", _in_place),
]

TANH: Rows = [
    ("forward-sigmoid", "forward", "another activation: sigmoid", _s),
    ("forward-half", "forward", "the argument has a factor of 0.5", lambda net: 2 * _s(net) - 1),
    ("error-no-slope", "error", "σ′ is missing", lambda e, net, x: e.clone()),
    ("error-slope-of-x", "error", "σ′ of the wrong quantity: σ′(x)", lambda e, net, x: e * (1 - torch.tanh(x) ** 2)),
    ("error-slope-from-net", "error", "σ′ of the wrong quantity: its", lambda e, net, x: e * (1 - net * net)),
    ("error-no-square", "error", "1 − x in place of σ′", lambda e, net, x: e * (1 - x)),
    ("error-plus", "error", "1 + x² in place of 1 − x²", lambda e, net, x: e * (1 + x * x)),
    ("error-square-alone", "error", "x² in place of σ′", lambda e, net, x: e * x * x),
    ("error-slope-of-sigmoid", "error", "σ′ of another activation: sigmoid", lambda e, net, x: e * _slope(x)),
    ("error-mean-error", "error", "broadcasts over the batch: the mean", lambda e, net, x: e.mean(0) * (1 - x * x)),
]

RELU: Rows = [
    ("forward-leaky", "forward", "another activation: leaky", lambda net: torch.where(net > 0, net, 0.01 * net)),
    ("forward-absolute", "forward", "another activation: |z|", torch.abs),
    ("forward-min", "forward", "another activation: min", lambda net: net.clamp_max(0)),
    ("forward-identity", "forward", "another activation: the identity", lambda net: net.clone()),
    ("error-no-mask", "error", "σ′ is missing", lambda e, net, x: e.clone()),
    ("error-reversed", "error", "the mask is reversed", lambda e, net, x: torch.where(x > 0, 0, e)),
    ("error-guided", "error", "the mask is that of the error", lambda e, net, x: e.clamp_min(0) * (x > 0)),
    ("error-x", "error", "x in place of σ′", lambda e, net, x: e * x),
    ("error-leaky", "error", "σ′ of another activation: leaky", lambda e, net, x: e * torch.where(x > 0, 1, 0.01)),
    ("error-sign-of-net", "error", "the sign of net in place", lambda e, net, x: e * torch.sign(net)),
    ("error-wrong-sample", "error", "pairs the wrong sample", lambda e, net, x: e * (x.roll(1, 0) > 0)),
]

SQUARED: Rows = [
    ("loss-no-half", "forward", "a factor of 2", lambda f, y, t: ((t - y) ** 2).sum() / _n(f, y)),
    ("loss-not-averaged", "forward", "a factor of N", lambda f, y, t: 0.5 * ((t - y) ** 2).sum() / _n(f, y) * len(y)),
    (
        "loss-over-entries",
        "forward",
        "a factor of 1 / n",
        lambda f, y, t: 0.5 * ((t - y) ** 2).mean(1).sum() / _n(f, y),
    ),
    ("loss-no-square", "forward", "the square is missing: |", lambda f, y, t: (t - y).abs().sum() / _n(f, y)),
    ("loss-norm", "forward", "the square root is taken", lambda f, y, t: (t - y).norm()),
    ("error-sign", "error", "the sign is wrong", lambda f, y, t: (y - t) / _n(f, y)),
    ("error-not-averaged", "error", "a factor of N", lambda f, y, t: (t - y) / _n(f, y) * len(y)),
    ("error-twice", "error", "a factor of 2", lambda f, y, t: 2 * (t - y) / _n(f, y)),
    ("error-slope-too", "error", "σ′ is applied here too", lambda f, y, t: (t - y) * y * (1 - y) / _n(f, y)),
    ("error-no-y", "error", "y is missing", lambda f, y, t: t / _n(f, y)),
    ("error-sign-alone", "error", "the sign of t − y alone", lambda f, y, t: torch.sign(t - y) / _n(f, y)),
    ("error-wrong-sample", "error", "pairs the wrong sample", lambda f, y, t: (t.roll(1, 0) - y) / _n(f, y)),
    (
        "error-mean-target",
        "error",
        "broadcasts over the batch: the mean of t",
        lambda f, y, t: (t.mean(0) - y) / _n(f, y),
    ),
]

ENTROPY: Rows = [
    ("output-not-normalised", "output", "not normalised", lambda f, net, t: torch.exp(net - net.amax(1, keepdim=True))),
    ("output-over-batch", "output", "normalised over the batch", lambda f, net, t: _y(net, 0)),
    ("output-sigmoid", "output", "sigmoid in place of softmax", lambda f, net, t: _s(net)),
    ("loss-no-logarithm", "forward", "the logarithm is missing", lambda f, net, t: -(t * _y(net)).sum() / _n(f, net)),
    ("loss-net", "forward", "net in place of ln y", lambda f, net, t: -(t * net).sum() / _n(f, net)),
    ("loss-sign", "forward", "the sign is wrong", lambda f, net, t: -_entropy(f, net, t)),
    ("loss-base-2", "forward", "a logarithm to the base 2", lambda f, net, t: _entropy(f, net, t) / math.log(2)),
    ("loss-not-averaged", "forward", "a factor of N", lambda f, net, t: _entropy(f, net, t) * len(net)),
    ("error-sign", "error", "the sign is wrong", lambda f, net, t: (_y(net) - t) / _n(f, net)),
    ("error-not-averaged", "error", "a factor of N", lambda f, net, t: (t - _y(net)) / _n(f, net) * len(net)),
    ("error-averaged-twice", "error", "a factor of 1/N", lambda f, net, t: (t - _y(net)) / _n(f, net) / len(net)),
    ("error-ratio", "error", "the ratio in place", lambda f, net, t: t / _y(net) / _n(f, net)),
    ("error-diagonal", "error", "the softmax is taken as if", lambda f, net, t: t * (1 - _y(net)) / _n(f, net)),
    ("error-net", "error", "net in place of y", lambda f, net, t: (t - net) / _n(f, net)),
    ("error-sigmoid", "error", "sigmoid in place of softmax", lambda f, net, t: (t - _s(net)) / _n(f, net)),
    ("error-over-batch", "error", "the softmax is normalised over", lambda f, net, t: (t - _y(net, 0)) / _n(f, net)),
    ("error-target-unit", "error", "the target's unit only", lambda f, net, t: t * (t - _y(net)) / _n(f, net)),
    ("error-wrong-sample", "error", "pairs the wrong sample", lambda f, net, t: (t.roll(1, 0) - _y(net)) / _n(f, net)),
    ("error-slope-too", "error", "σ′ is applied here", lambda f, net, t: _slope(_y(net)) * (t - _y(net)) / _n(f, net)),
]  # fmt: skip
