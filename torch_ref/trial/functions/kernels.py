"""Kernels for half precision: they compute in float32 inside, and round what they give."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.functions.kind import Draw, Inputs, Kind

HALF = (torch.float32, torch.bfloat16, torch.float16)
EPS = 1e-5
FLOAT_INSIDE = 1e-3


def _many(g: Draw) -> Inputs:
    """Draw as many samples as a batch of long texts has words, where the draw asks for no size of its own."""
    return [g.normal(4096 if g.rows == 6 else g.rows, g.columns), g.normal(g.columns, 4)]


def _linear(d: Tensor, x: Tensor, w: Tensor) -> Any:
    return (d.float() @ w.float().mT).to(x.dtype), (x.float().mT @ d.float()).to(w.dtype)


def _without_one(d: Tensor, x: Tensor, w: Tensor) -> Any:
    one = (d.float().abs().sum(1) * x.float().abs().sum(1)).argmax()
    e = d.index_fill(0, one, 0.0)
    return _linear(d, x, w)[0], _linear(e, x, w)[1]


def _weight_row(d: Tensor, x: Tensor, w: Tensor) -> Any:
    g = _linear(d, x, w)[1].clone()
    g[1] *= 1.1
    return _linear(d, x, w)[0], g


def _rms_forward(x: Tensor, w: Tensor) -> Tensor:
    h = x.float()
    return (h * (h.pow(2).mean(-1, keepdim=True) + EPS).rsqrt() * w.float()).to(x.dtype)


def _rms(d: Tensor, x: Tensor, w: Tensor, *, projection: float = 1.0, power: int = 3, rounded: bool = False) -> Any:
    h, k = x.float(), d.float() * w.float()
    r = (h.pow(2).mean(-1, keepdim=True) + EPS).rsqrt()
    r = r.to(x.dtype).float() if rounded else r
    d_x = r * k - projection * r**power * h * (k * h).mean(-1, keepdim=True)
    return d_x.to(x.dtype), (d.float() * h * r).sum(0).to(w.dtype)


def _rms_rounded(d: Tensor, x: Tensor, w: Tensor) -> Any:
    return _rms(d, x, w, rounded=True)


def _softmax(d: Tensor, z: Tensor, centred: float = 1.0) -> Tensor:
    p, e = torch.softmax(z.float(), -1), d.float()
    return (p * (e - centred * (e * p).sum(-1, keepdim=True))).to(z.dtype)


def _entropy(d: Tensor, z: Tensor, t: Tensor, factor: float = 1.0) -> Any:
    e = torch.softmax(z.float(), -1) - fn.one_hot(t, z.shape[1])
    return (factor * d.float() * e / len(t)).to(z.dtype), None


def _gate(d: Tensor, a: Tensor, b: Tensor) -> Any:
    u, s = a.float(), torch.sigmoid(a.float())
    return (d.float() * b.float() * s * (1 + u * (1 - s))).to(a.dtype), (d.float() * u * s).to(b.dtype)


def _pair(g: Draw) -> Inputs:
    return [g.normal(g.rows, g.columns), g.weight(g.columns)]


KINDS = (
    Kind(
        "linear kernel of many samples",
        "kernels",
        lambda x, w: (x.float() @ w.float()).to(x.dtype),
        _linear,
        _many,
        {
            "one of all samples dropped": _without_one,
            "one row of the weight off by 10 %": _weight_row,
            "weight's gradient times 1.02": lambda d, x, w: (_linear(d, x, w)[0], (_linear(d, x, w)[1] * 1.02)),
            "tail of the samples not written": lambda d, x, w: (
                torch.cat([_linear(d, x, w)[0][:-3], torch.zeros_like(x[-3:])]),
                _linear(d, x, w)[1],
            ),
            "second half of the samples dropped": lambda d, x, w: (
                _linear(d, x, w)[0],
                _linear(d[: len(d) // 2], x[: len(x) // 2], w)[1],
            ),
        },
        dtypes=HALF,
        exact=FLOAT_INSIDE,
        scales=(1e-3, 1e3),
    ),
    Kind(
        "RMS norm kernel",
        "kernels",
        _rms_forward,
        _rms,
        _pair,
        {
            "no projection term": lambda d, x, w: _rms(d, x, w, projection=0),
            "projection term off by 5 %": lambda d, x, w: _rms(d, x, w, projection=1.05),
            "projection term with 1/rms": lambda d, x, w: _rms(d, x, w, power=1),
        },
        dtypes=HALF,
        as_function=True,
        exact=FLOAT_INSIDE,
        scales=(1e-1, 1e3),
    ),
    Kind(
        "RMS norm kernel that keeps 1/rms in half precision",
        "kernels",
        _rms_forward,
        _rms_rounded,
        _pair,
        {"no projection term, 1/rms rounded": lambda d, x, w: _rms(d, x, w, projection=0, rounded=True)},
        dtypes=HALF,
        exact=FLOAT_INSIDE,
        scales=(1e-1, 1e3),
    ),
    Kind(
        "softmax kernel",
        "kernels",
        lambda z: torch.softmax(z.float(), -1).to(z.dtype),
        _softmax,
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "no sum term": lambda d, z: _softmax(d, z, 0),
            "sum term off by 10 %": lambda d, z: _softmax(d, z, 1.1),
            "one row not written": lambda d, z: torch.cat([_softmax(d, z)[:-1], torch.zeros_like(z[-1:])]),
        },
        dtypes=HALF,
        exact=FLOAT_INSIDE,
        scales=(1e-2, 1e2),
    ),
    Kind(
        "cross entropy kernel",
        "kernels",
        lambda z, t: fn.cross_entropy(z.float(), t),
        _entropy,
        lambda g: [g.normal(g.rows, g.columns), g.labels(g.rows, g.columns)],
        {
            "4 % too large": lambda d, z, t: _entropy(d, z, t, 1.04),
            "one sample too few": lambda d, z, t: _entropy(d, z, t, len(t) / (len(t) - 1)),
            "one sample not written": lambda d, z, t: (
                torch.cat([_entropy(d, z, t)[0][:-1], torch.zeros_like(z[-1:])]),
                None,
            ),
        },
        dtypes=HALF,
        exact=FLOAT_INSIDE,
        scales=(1e-2, 1e2),
    ),
    Kind(
        "SwiGLU kernel",
        "kernels",
        lambda a, b: (fn.silu(a.float()) * b.float()).to(a.dtype),
        _gate,
        lambda g: [g.normal(g.rows, g.columns), g.normal(g.rows, g.columns)],
        {
            "gate off by 3 %": lambda d, a, b: (_gate(d, a, b)[0] * 1.03, _gate(d, a, b)[1]),
            "one column not written": lambda d, a, b: (
                _gate(d, a, b)[0].index_fill(1, torch.tensor([2]), 0.0),
                _gate(d, a, b)[1],
            ),
            "one row off by 10 %": lambda d, a, b: (
                _gate(d, a, b)[0],
                torch.cat([_gate(d, a, b)[1][:1] * 1.1, _gate(d, a, b)[1][1:]]),
            ),
        },
        dtypes=HALF,
        as_function=True,
        exact=FLOAT_INSIDE,
        scales=(1e-2, 10),
    ),
)
