"""Softmax and cross entropy, with labels that are ignored and scores that are masked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.functions.kind import Draw, Kind

IGNORED = -100


def _softmax(d: Tensor, z: Tensor, dim: int = -1, centred: float = 1.0) -> Tensor:
    p = torch.softmax(z, dim)
    return p * (d - centred * (d * p).sum(dim, keepdim=True))


def _log_softmax(d: Tensor, z: Tensor) -> Tensor:
    return d - torch.softmax(z, -1) * d.sum(-1, keepdim=True)


def _labels(g: Draw) -> Tensor:
    t = g.labels(g.rows, g.columns)
    t[:: max(2, g.rows // 3)] = IGNORED
    return t


def _entropy(d: Tensor, z: Tensor, t: Tensor, ignore: bool = True, count: int | None = None) -> Any:
    """Return the gradient of the mean cross entropy over the labels that are not ignored."""
    kept = t != IGNORED
    hot = fn.one_hot(t.clamp_min(0), z.shape[1]).to(z.dtype)
    e = torch.softmax(z, -1) - hot
    e = e * kept[:, None] if ignore else e
    return d * e / (kept.sum() if count is None else count), None


def _smoothed(d: Tensor, z: Tensor, t: Tensor, s: float = 0.1, rest: int = 0) -> Any:
    k = z.shape[1]
    target = fn.one_hot(t, k).to(z.dtype) * (1 - s) + s / (k - rest)
    return d * (torch.softmax(z, -1) - target) / len(z), None


def _scores(g: Draw) -> list[Tensor]:
    m = g.mask(g.rows, g.columns)
    m[:, 0] = True
    return [g.normal(g.rows, g.columns), m]


def _masked_softmax(s: Tensor, m: Tensor) -> Tensor:
    return torch.softmax(s.masked_fill(~m, float("-inf")), -1)


def _masked_back(d: Tensor, s: Tensor, m: Tensor) -> Any:
    p = _masked_softmax(s, m)
    return p * (d - (d * p).sum(-1, keepdim=True)), None


KINDS = (
    Kind(
        "softmax",
        "losses",
        lambda z: torch.softmax(z, -1),
        _softmax,
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "no sum term": lambda d, z: _softmax(d, z, centred=0),
            "over the samples": lambda d, z: _softmax(d, z, 0),
            "half of the sum term": lambda d, z: _softmax(d, z, centred=0.5),
            "only the diagonal": lambda d, z: d * torch.softmax(z, -1) * (1 - torch.softmax(z, -1)),
        },
        as_function=True,
    ),
    Kind(
        "masked softmax",
        "losses",
        _masked_softmax,
        _masked_back,
        _scores,
        {
            "mask forgotten": lambda d, s, m: (_softmax(d, s), None),
            "mask turned round": lambda d, s, m: (_masked_back(d, s, m)[0] * ~m, None),
            "no sum term": lambda d, s, m: (_masked_softmax(s, m) * d, None),
            "sum term without the probabilities": lambda d, s, m: (
                _masked_softmax(s, m) * (d - (d * m).sum(-1, keepdim=True)),
                None,
            ),
        },
    ),
    Kind(
        "log softmax",
        "losses",
        lambda z: torch.log_softmax(z, -1),
        _log_softmax,
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "mean for sum": lambda d, z: d - torch.softmax(z, -1) * d.mean(-1, keepdim=True),
            "no softmax": lambda d, z: d - d.sum(-1, keepdim=True),
            "backward of softmax": lambda d, z: _softmax(d, z),
            "sum over the samples": lambda d, z: d - torch.softmax(z, -1) * d.sum(0, keepdim=True),
        },
    ),
    Kind(
        "log of a sum of exponentials",
        "losses",
        lambda z: torch.logsumexp(z, -1),
        lambda d, z: d[:, None] * torch.softmax(z, -1),
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "log softmax for softmax": lambda d, z: d[:, None] * torch.log_softmax(z, -1),
            "over the samples": lambda d, z: d[:, None] * torch.softmax(z, 0),
            "exponentials without their sum": lambda d, z: d[:, None] * (z - z.amax(-1, keepdim=True)).exp(),
        },
    ),
    Kind(
        "cross entropy with ignored labels",
        "losses",
        lambda z, t: fn.cross_entropy(z, t, ignore_index=IGNORED),
        _entropy,
        lambda g: [g.normal(g.rows, g.columns), _labels(g)],
        {
            "ignored labels count": lambda d, z, t: _entropy(d, z, t, ignore=False),
            "divided by all samples": lambda d, z, t: _entropy(d, z, t, count=len(t)),
            "a sum for the mean": lambda d, z, t: _entropy(d, z, t, count=1),
            "target not subtracted": lambda d, z, t: (
                d * torch.softmax(z, -1) * (t != IGNORED)[:, None] / (t != IGNORED).sum(),
                None,
            ),
            "label of the next class": lambda d, z, t: _entropy(d, z, torch.where(t < 0, t, (t + 1) % z.shape[1])),
            "backward through softmax once more": lambda d, z, t: (_softmax(_entropy(d, z, t)[0], z), None),
        },
    ),
    Kind(
        "cross entropy with smoothed labels",
        "losses",
        lambda z, t: fn.cross_entropy(z, t, label_smoothing=0.1),
        _smoothed,
        lambda g: [g.normal(g.rows, g.columns), g.labels(g.rows, g.columns)],
        {
            "not smoothed": lambda d, z, t: _smoothed(d, z, t, s=0.0),
            "shared by the other classes": lambda d, z, t: _smoothed(d, z, t, rest=1),
            "smoothed twice as much": lambda d, z, t: _smoothed(d, z, t, s=0.2),
            "divided by the entries": lambda d, z, t: (_smoothed(d, z, t)[0] / z.shape[1], None),
        },
    ),
)
