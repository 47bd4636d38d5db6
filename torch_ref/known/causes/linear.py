"""Mistakes in the linear part of a layer: net (E1), the error of x (E14) and the gradients (E12)."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from torch_ref.known.causes.general import other_samples
from torch_ref.known.causes.scene import Candidate, Scene


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in net = x Wᵀ + b (E1)."""
    w, b = s.others["weight"], s.others.get("bias")
    product = s.x @ w.t()
    right_b = 0 if b is None else b
    if w.shape[0] == w.shape[1]:
        yield "transposed weights", s.x @ w + right_b
    if b is not None:
        yield "the bias is missing", product
        yield "the bias is doubled", product + 2 * b
        yield "the bias has the wrong sign", product - b
        yield "the bias is of the unit beside", product + b.roll(1)
        yield "the bias is of the unit beside", product + b.roll(-1)
        if len(b) == s.n:
            yield "the bias broadcasts over the batch instead of the units", product + b[:, None]
    for name, x in other_samples(s.x):
        yield f"pairs the wrong sample ({name})", x @ w.t() + right_b


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in the error of x, δ W (E14)."""
    w = s.others["weight"]
    if w.shape[0] == w.shape[1]:
        yield "transposed weights", s.error @ w.t()
        yield "the weights are missing", s.error
    yield "the weights without their sign", s.error @ w.abs()
    for name, e in other_samples(s.error):
        yield f"pairs the wrong sample ({name})", e @ w
    for shift in (1, -1):
        yield "the weights of the unit beside", s.error @ w.roll(shift, 0)
    yield "σ′ is applied here too (it belongs to the activation)", (s.error @ w) * s.x * (1 - s.x)


def of_weight(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in ∂L/∂W = −δᵀ x (E12)."""
    d, x, w = s.error, s.x, s.others["weight"]
    yield "x is missing", -d.sum(0)[:, None].expand_as(w)
    yield "δ is missing", -x.sum(0).expand_as(w)
    if x.shape == d.shape:
        yield "x and δ are swapped (transposed)", -(x.t() @ d)
        yield "the output's x in place of the input's", -(d.t() @ s.y)
        yield "the output's x in place of the input's", -(d.t() @ torch.sigmoid(s.y))
        yield "the output's x in place of the input's", -(d.t() @ torch.tanh(s.y))
        yield "the output's x in place of the input's", -(d.t() @ s.y.clamp_min(0))
    for name, rows in other_samples(x):
        yield f"pairs the wrong sample ({name})", -(d.t() @ rows)
    yield "one sample only (the first)", -(d[:1].t() @ x[:1])
    yield "one sample only (the last)", -(d[-1:].t() @ x[-1:])
    yield "the last sample is missing", -(d[:-1].t() @ x[:-1])
    yield "the first sample is missing", -(d[1:].t() @ x[1:])
    yield "broadcasts over the batch: sums before it multiplies", -(d.sum(0)[:, None] * x.sum(0))
    yield "broadcasts over the batch: averages before it multiplies", -(d.mean(0)[:, None] * x.sum(0))
    yield "broadcasts over the batch: averages before it multiplies", -(d.mean(0)[:, None] * x.mean(0))
    yield "x is squared", -(d.t() @ (x * x))
    yield "the weights are in place of x", -d.sum(0)[:, None] * w


def of_bias(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in ∂L/∂b = −Σ δ (E12)."""
    d = s.error
    yield "one sample only (the first)", -d[0]
    yield "one sample only (the last)", -d[-1]
    yield "the last sample is missing", -d[:-1].sum(0)
    yield "the first sample is missing", -d[1:].sum(0)
    yield "sums over the units instead of the samples", -d.sum(1)
    yield "broadcasts over the batch: one number for all units", -d.sum().expand(d.shape[1])
    yield "broadcasts over the batch: one number for all units", -d.sum(0).mean().expand(d.shape[1])
    if s.x.shape == d.shape:
        yield "x is in place of δ", -s.x.sum(0)
    yield "x is multiplied in (the input of a bias is 1)", -(d * s.x.mean(1, keepdim=True)).sum(0)
