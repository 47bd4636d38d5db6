"""Losses of answers and targets, with weights and masks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.functions.kind import Kind


def _bce(d: Tensor, z: Tensor, y: Tensor) -> Any:
    return d * (torch.sigmoid(z) - y) / z.numel(), -d * z / z.numel()


def _weighted(d: Tensor, z: Tensor, y: Tensor, w: Tensor) -> Any:
    return d * ((1 - y) * torch.sigmoid(z) - w * y * torch.sigmoid(-z)) / z.numel(), None, None


def _nll(d: Tensor, a: Tensor, t: Tensor, w: Tensor) -> Any:
    picked, total, rows = a.gather(1, t[:, None])[:, 0], w[t].sum(), torch.arange(len(a))
    d_a, d_w = torch.zeros_like(a), torch.zeros_like(w)
    d_a[rows, t] = -d * w[t] / total
    loss = -(w[t] * picked).sum() / total
    return d_a, d_w.index_add(0, t, d * (-picked - loss) / total)


def _kl(d: Tensor, a: Tensor, q: Tensor) -> Any:
    return -d * q.exp() / len(a), d * q.exp() * (q - a + 1) / len(a)


def _huber(d: Tensor, y: Tensor, t: Tensor) -> Any:
    e = (y - t).clamp(-1, 1) * d / y.numel()
    return e, -e


def _hinge(d: Tensor, s: Tensor, t: Tensor) -> Any:
    right = s.gather(1, t[:, None])
    over = (s - right + 1 > 0).to(s.dtype).scatter(1, t[:, None], 0.0)
    return d * over.scatter(1, t[:, None], -over.sum(1, keepdim=True)) / len(s), None


def _focal(d: Tensor, z: Tensor, y: Tensor) -> Any:
    """Return the gradient of −(1 − p)² log p, with p the probability of the right answer."""
    u = torch.where(y, z, -z)
    p, q = torch.sigmoid(u), torch.sigmoid(-u)
    g = 2 * p * q * q * fn.logsigmoid(u) - q**3
    return d * torch.where(y, g, -g) / z.numel(), None


def _masked_squares(d: Tensor, y: Tensor, t: Tensor, m: Tensor) -> Any:
    e = 2 * d * (y - t) * m / m.sum()
    return e, -e, None


KINDS = (
    Kind(
        "binary cross entropy",
        "losses",
        lambda z, y: fn.binary_cross_entropy_with_logits(z, y),
        _bce,
        lambda g: [g.normal(g.rows, g.columns), g.share(g.rows, g.columns)],
        {
            "slope of the sigmoid once more": lambda d, z, y: (
                _bce(d, z, y)[0] * torch.sigmoid(z) * torch.sigmoid(-z),
                _bce(d, z, y)[1],
            ),
            "divided by the samples": lambda d, z, y: (_bce(d, z, y)[0] * z.shape[1], _bce(d, z, y)[1]),
            "sigmoid forgotten": lambda d, z, y: (d * (z - y) / z.numel(), _bce(d, z, y)[1]),
            "target's gradient of the sigmoid": lambda d, z, y: (_bce(d, z, y)[0], -d * torch.sigmoid(z) / z.numel()),
        },
        smooth=True,
    ),
    Kind(
        "binary cross entropy with weighted ones",
        "losses",
        lambda z, y, w: fn.binary_cross_entropy_with_logits(z, y.to(z.dtype), pos_weight=w.detach()),
        _weighted,
        lambda g: [
            g.normal(g.rows, g.columns).requires_grad_(),
            g.mask(g.rows, g.columns).to(g.dtype),
            g.weight(g.columns),
        ],
        {
            "weight on all": lambda d, z, y, w: (d * w * (torch.sigmoid(z) - y) / z.numel(), None, None),
            "weight forgotten": lambda d, z, y, w: (d * (torch.sigmoid(z) - y) / z.numel(), None, None),
            "weight on the zeros": lambda d, z, y, w: (
                d * (w * (1 - y) * torch.sigmoid(z) - y * torch.sigmoid(-z)) / z.numel(),
                None,
                None,
            ),
        },
        smooth=True,
    ),
    Kind(
        "negative log likelihood with weights",
        "losses",
        lambda a, t, w: -(w[t] * a.gather(1, t[:, None])[:, 0]).sum() / w[t].sum(),
        lambda d, a, t, w: (_nll(d, a, t, w)[0], None, _nll(d, a, t, w)[1]),
        lambda g: [g.normal(g.rows, g.columns), g.labels(g.rows, g.columns), g.weight(g.columns)],
        {
            "divided by the samples": lambda d, a, t, w: (
                _nll(d, a, t, w)[0] * w[t].sum() / len(t),
                None,
                _nll(d, a, t, w)[1],
            ),
            "weights of the classes in order": lambda d, a, t, w: (
                _nll(d, a, t, w.flip(0))[0],
                None,
                _nll(d, a, t, w)[1],
            ),
            "sum of weights taken as a constant": lambda d, a, t, w: (
                _nll(d, a, t, w)[0],
                None,
                torch.zeros_like(w).index_add(0, t, -d * a.gather(1, t[:, None])[:, 0] / w[t].sum()),
            ),
            "classes that come twice overwritten": lambda d, a, t, w: (
                _nll(d, a, t, w)[0],
                None,
                _nll(d, a, t, w)[1].index_fill(0, t[:1], 0.0),
            ),
        },
    ),
    Kind(
        "Kullback-Leibler divergence",
        "losses",
        lambda a, q: fn.kl_div(a, q, reduction="batchmean", log_target=True),
        _kl,
        lambda g: [
            torch.log_softmax(g.normal(g.rows, g.columns), -1),
            torch.log_softmax(g.normal(g.rows, g.columns), -1),
        ],
        {
            "target's gradient without the 1": lambda d, a, q: (_kl(d, a, q)[0], d * q.exp() * (q - a) / len(a)),
            "arguments changed": lambda d, a, q: (-d * a.exp() / len(a), _kl(d, a, q)[1]),
            "divided by the entries": lambda d, a, q: (_kl(d, a, q)[0] / a.shape[1], _kl(d, a, q)[1]),
            "log forgotten": lambda d, a, q: (-d * q / len(a), _kl(d, a, q)[1]),
        },
        scales=(1e-8, 10),
    ),
    Kind(
        "Huber loss",
        "losses",
        lambda y, t: fn.smooth_l1_loss(y, t),
        _huber,
        lambda g: [g.normal(g.rows, g.columns), g.normal(g.rows, g.columns)],
        {
            "not cut off": lambda d, y, t: (d * (y - t) / y.numel(), _huber(d, y, t)[1]),
            "sign everywhere": lambda d, y, t: (d * (y - t).sign() / y.numel(), _huber(d, y, t)[1]),
            "the target gets none": lambda d, y, t: (_huber(d, y, t)[0], torch.zeros_like(t)),
            "both of one sign": lambda d, y, t: (_huber(d, y, t)[0],) * 2,
        },
    ),
    Kind(
        "hinge loss of classes",
        "losses",
        lambda s, t: ((s - s.gather(1, t[:, None]) + 1).clamp_min(0).sum() - len(s)) / len(s),
        _hinge,
        lambda g: [g.normal(g.rows, g.columns), g.labels(g.rows, g.columns)],
        {
            "right class not lowered": lambda d, s, t: (_hinge(d, s, t)[0].clamp_min(0), None),
            "right class lowered once": lambda d, s, t: (_hinge(d, s, t)[0].clamp_min(-d / len(s) * 0.999), None),
            "margin of 0": lambda d, s, t: (
                _hinge(d, s.scatter_add(1, t[:, None], torch.ones_like(s[:, :1])), t)[0],
                None,
            ),
            "a sum for the mean": lambda d, s, t: (_hinge(d, s, t)[0] * len(s), None),
        },
        smooth=True,
    ),
    Kind(
        "focal loss",
        "losses",
        lambda z, y: -((1 - torch.sigmoid(torch.where(y, z, -z))) ** 2 * fn.logsigmoid(torch.where(y, z, -z))).mean(),
        _focal,
        lambda g: [g.normal(g.rows, g.columns), g.mask(g.rows, g.columns)],
        {
            "weight taken as a constant": lambda d, z, y: (
                d * torch.where(y, -1, 1) * torch.sigmoid(torch.where(y, -z, z)) ** 3 / z.numel(),
                None,
            ),
            "sign of the zeros": lambda d, z, y: (_focal(d, z, y)[0] * torch.where(y, 1, -1), None),
            "all answers taken as ones": lambda d, z, y: _focal(d, z, torch.ones_like(y)),
        },
        scales=(1e-8, 3),
    ),
    Kind(
        "squared error of what is not masked",
        "losses",
        lambda y, t, m: ((y - t) ** 2 * m).sum() / m.sum(),
        _masked_squares,
        lambda g: [
            g.normal(g.rows, g.columns),
            g.normal(g.rows, g.columns),
            g.mask(g.rows, g.columns).index_fill(1, torch.tensor([0]), True),
        ],
        {
            "mask forgotten": lambda d, y, t, m: (2 * d * (y - t) / m.sum(), _masked_squares(d, y, t, m)[1], None),
            "divided by all entries": lambda d, y, t, m: (
                2 * d * (y - t) * m / m.numel(),
                _masked_squares(d, y, t, m)[1],
                None,
            ),
            "no factor of 2": lambda d, y, t, m: (d * (y - t) * m / m.sum(), _masked_squares(d, y, t, m)[1], None),
            "mask turned round": lambda d, y, t, m: (
                2 * d * (y - t) * ~m / m.sum(),
                _masked_squares(d, y, t, m)[1],
                None,
            ),
        },
    ),
)
