"""Norms: over the features, over the batch, over groups."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.functions import wrong
from torch_ref.trial.functions.kind import Kind

EPS = 1e-5


def _normed(x: Tensor, dims: Any) -> tuple[Tensor, Tensor]:
    """Return (x − mean) / σ, and 1/σ."""
    r = (x.var(dims, unbiased=False, keepdim=True) + EPS).rsqrt()
    return (x - x.mean(dims, keepdim=True)) * r, r


def _back(k: Tensor, h: Tensor, r: Tensor, dims: Any, mean: float = 1.0, projection: float = 1.0) -> Tensor:
    """Return the gradient of x, where k is that of h; each of the two correction terms times a factor."""
    return r * (k - mean * k.mean(dims, keepdim=True) - projection * h * (k * h).mean(dims, keepdim=True))


def _layer(mean: float = 1.0, projection: float = 1.0, power: float = 1.0) -> Any:
    def backward(d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        h, r = _normed(x, -1)
        return _back(d * w, h, r**power, -1, mean, projection), (d * h).sum(0), d.sum(0)

    return backward


def _layer_rows(d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
    h, r = _normed(x, 0)
    return _back(d * w, h, r, 0), (d * h).sum(0), d.sum(0)


def _rms(projection: float = 1.0, power: int = 3, count: int = 0) -> Any:
    def backward(d: Tensor, x: Tensor, w: Tensor) -> Any:
        r, k = (x.pow(2).mean(-1, keepdim=True) + EPS).rsqrt(), d * w
        c = (k * x).sum(-1, keepdim=True) / (x.shape[-1] + count)
        return r * k - projection * r**power * x * c, (d * x * r).sum(0)

    return backward


def _batch(mean: float = 1.0, projection: float = 1.0) -> Any:
    def backward(d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        h, r = _normed(x, 0)
        return _back(d * w, h, r, 0, mean, projection), (d * h).sum(0), d.sum(0)

    return backward


def _grouped(x: Tensor) -> Tensor:
    return x.reshape(len(x), 2, -1, *x.shape[2:])


def _group(over: Any = (2, 3), mean: float = 1.0, projection: float = 1.0) -> Any:
    def backward(d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        true, _ = _normed(_grouped(x), (2, 3))
        h, r = _normed(_grouped(x), over)
        k = _grouped(d * w[:, None])
        return _back(k, h, r, over, mean, projection).flatten(1, 2), (d * true.flatten(1, 2)).sum((0, 2)), d.sum((0, 2))

    return backward


def _evaluated(d: Tensor, x: Tensor, w: Tensor, mean: Tensor, variance: Tensor) -> Any:
    r = (variance + EPS).rsqrt()
    return d * w * r, (d * (x - mean) * r).sum(0), None, None


KINDS = (
    Kind(
        "layer norm",
        "norms",
        lambda x, w, b: fn.layer_norm(x, x.shape[-1:], w, b, EPS),
        _layer(),
        lambda g: [g.normal(g.rows, g.columns), g.weight(g.columns), g.normal(g.columns)],
        {
            "no mean term": _layer(mean=0),
            "no projection term": _layer(projection=0),
            "projection term of the other sign": _layer(projection=-1),
            "divided by the variance": _layer(power=2),
            "norm over the samples": _layer_rows,
            "upstream gradient without the weight": lambda d, x, w, b: (
                _layer()(d, x, torch.ones_like(w), b)[0],
                *_layer()(d, x, w, b)[1:],
            ),
            "weight's gradient of x, not of its norm": lambda d, x, w, b: (
                _layer()(d, x, w, b)[0],
                (d * x).sum(0),
                d.sum(0),
            ),
            "bias's gradient is a mean": wrong.divided_by_rows(_layer(), 2),
        },
    ),
    Kind(
        "RMS norm",
        "norms",
        lambda x, w: x * (x.pow(2).mean(-1, keepdim=True) + EPS).rsqrt() * w,
        _rms(),
        lambda g: [g.normal(g.rows, g.columns), g.weight(g.columns)],
        {
            "no projection term": _rms(projection=0),
            "projection term with 1/rms": _rms(power=1),
            "mean over one entry less": _rms(count=-1),
            "half of the projection term": _rms(projection=0.5),
            "weight twice": lambda d, x, w: (_rms()(d * w, x, w)[0], _rms()(d, x, w)[1]),
            "weight's gradient is a mean": wrong.divided_by_rows(_rms(), 1),
        },
        scales=(1e-8, 1e4),
    ),
    Kind(
        "batch norm",
        "norms",
        lambda x, w, b: fn.batch_norm(x, None, None, w, b, training=True, eps=EPS),
        _batch(),
        lambda g: [g.normal(g.rows, g.columns), g.weight(g.columns), g.normal(g.columns)],
        {
            "statistics taken as constants": _batch(mean=0, projection=0),
            "no mean term": _batch(mean=0),
            "no projection term": _batch(projection=0),
            "projection term too large": _batch(projection=1.1),
            "weight's gradient of x, not of its norm": lambda d, x, w, b: (
                _batch()(d, x, w, b)[0],
                (d * x).sum(0),
                d.sum(0),
            ),
        },
        as_function=True,
    ),
    Kind(
        "batch norm in evaluation",
        "norms",
        lambda x, w, mean, variance: (x - mean) * (variance + EPS).rsqrt() * w,
        _evaluated,
        lambda g: [
            g.normal(g.rows, g.columns).requires_grad_(),
            g.weight(g.columns).requires_grad_(),
            g.normal(g.columns),
            g.weight(g.columns),
        ],
        {
            "divided by the variance": lambda d, x, w, mean, variance: (
                d * w / (variance + EPS),
                *_evaluated(d, x, w, mean, variance)[1:],
            ),
            "statistics of the batch": lambda d, x, w, mean, variance: (
                _batch()(d, x, w, mean)[0],
                *_evaluated(d, x, w, mean, variance)[1:],
            ),
            "weight's gradient without the mean": lambda d, x, w, mean, variance: (
                _evaluated(d, x, w, mean, variance)[0],
                (d * x * (variance + EPS).rsqrt()).sum(0),
                None,
                None,
            ),
        },
    ),
    Kind(
        "group norm",
        "norms",
        lambda x, w, b: fn.group_norm(x, 2, w, b, EPS),
        _group(),
        lambda g: [g.normal(g.rows, 4, g.columns), g.weight(4), g.normal(4)],
        {
            "norm of every channel alone": _group(over=(3,)),
            "norm of all channels": _group(over=(1, 2, 3)),
            "no mean term": _group(mean=0),
            "no projection term": _group(projection=0),
            "bias's gradient misses the positions": lambda d, x, w, b: (*_group()(d, x, w, b)[:2], d[..., 0].sum(0)),
        },
        widest=300,
    ),
)
