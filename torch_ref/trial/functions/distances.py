"""Distances, similarities, and losses that are made of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.functions.kind import Kind


def _cosine(d: Tensor, a: Tensor, b: Tensor, projection: float = 1.0) -> Any:
    na, nb = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    c, e = (a * b).sum(-1, keepdim=True) / (na * nb), d[:, None]
    return e * (b / (na * nb) - projection * c * a / na**2), e * (a / (na * nb) - c * b / nb**2)


def _pairs(d: Tensor, a: Tensor, b: Tensor) -> Any:
    gap = a[:, None] - b[None]
    g = d[..., None] * gap / gap.norm(dim=-1, keepdim=True)
    return g.sum(1), -g.sum(0)


def _squares(d: Tensor, a: Tensor, b: Tensor) -> Any:
    g = 2 * d[..., None] * (a[:, None] - b[None])
    return g.sum(1), -g.sum(0)


def _triplet(d: Tensor, a: Tensor, p: Tensor, n: Tensor, margin: float = 1.0) -> Any:
    x, y = a - p, a - n
    nx, ny = x.norm(dim=-1, keepdim=True), y.norm(dim=-1, keepdim=True)
    m = ((nx - ny + margin) > 0) * d / len(a)
    return m * (x / nx - y / ny), -m * x / nx, m * y / ny


def _unit(d: Tensor, x: Tensor) -> Tensor:
    r: Tensor = 1 / x.norm(dim=-1, keepdim=True)
    y = x * r
    return r * (d - y * (d * y).sum(-1, keepdim=True))


def _contrast(d: Tensor, a: Tensor, b: Tensor) -> Any:
    p = (torch.softmax(a @ b.mT, -1) - torch.eye(len(a), dtype=a.dtype)) * d / len(a)
    return p @ b, p.mT @ a


KINDS = (
    Kind(
        "cosine similarity",
        "distances",
        lambda a, b: (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1)),
        _cosine,
        lambda g: [g.normal(g.rows, g.columns), g.normal(g.rows, g.columns)],
        {
            "no projection term": lambda d, a, b: _cosine(d, a, b, 0),
            "projection term of the other sign": lambda d, a, b: _cosine(d, a, b, -1),
            "projection along b": lambda d, a, b: (
                _cosine(d, a, b)[0],
                _cosine(d, a, b)[0] * a.norm(dim=-1, keepdim=True) / b.norm(dim=-1, keepdim=True),
            ),
            "projection term half": lambda d, a, b: _cosine(d, a, b, 0.5),
        },
        smooth=True,
    ),
    Kind(
        "distances of all pairs",
        "distances",
        lambda a, b: (a[:, None] - b[None]).norm(dim=-1),
        _pairs,
        lambda g: [g.normal(min(g.rows, 60), g.columns), g.normal(4, g.columns)],
        {
            "not divided by the distance": lambda d, a, b: (_squares(d / 2, a, b)[0], _pairs(d, a, b)[1]),
            "b of the same sign": lambda d, a, b: (_pairs(d, a, b)[0], -_pairs(d, a, b)[1]),
            "one partner only": lambda d, a, b: (_pairs(d[:, :1], a, b[:1])[0], _pairs(d, a, b)[1]),
        },
        smooth=True,
        widest=300,
    ),
    Kind(
        "squared distances of all pairs",
        "distances",
        lambda a, b: ((a[:, None] - b[None]) ** 2).sum(-1),
        _squares,
        lambda g: [g.normal(min(g.rows, 60), g.columns), g.normal(4, g.columns)],
        {
            "no factor of 2": lambda d, a, b: (_squares(d, a, b)[0] / 2, _squares(d, a, b)[1]),
            "product term alone": lambda d, a, b: (-2 * d @ b, _squares(d, a, b)[1]),
            "mean over the pairs": lambda d, a, b: (_squares(d, a, b)[0], _squares(d, a, b)[1] / len(a)),
        },
        widest=300,
    ),
    Kind(
        "triplet loss",
        "distances",
        lambda a, p, n: ((a - p).norm(dim=-1) - (a - n).norm(dim=-1) + 1).clamp_min(0).mean(),
        _triplet,
        lambda g: [g.normal(g.rows, g.columns) for _ in range(3)],
        {
            "margin forgotten": lambda d, a, p, n: _triplet(d, a, p, n, margin=0),
            "triplets that are right count": lambda d, a, p, n: _triplet(d, a, p, n, margin=1e9),
            "anchor of the positive alone": lambda d, a, p, n: (
                -_triplet(d, a, p, n)[1],
                *_triplet(d, a, p, n)[1:],
            ),
            "negative of the other sign": lambda d, a, p, n: (
                *_triplet(d, a, p, n)[:2],
                -_triplet(d, a, p, n)[2],
            ),
        },
        smooth=True,
    ),
    Kind(
        "unit vectors",
        "distances",
        lambda x: x / x.norm(dim=-1, keepdim=True),
        _unit,
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "no projection term": lambda d, x: d / x.norm(dim=-1, keepdim=True),
            "projection by x, not by its direction": lambda d, x: (
                (d - x * (d * x).sum(-1, keepdim=True)) / x.norm(dim=-1, keepdim=True)
            ),
            "divided by the square": lambda d, x: _unit(d, x) / x.norm(dim=-1, keepdim=True),
        },
        as_function=True,
        smooth=True,
    ),
    Kind(
        "contrastive loss",
        "distances",
        lambda a, b: fn.cross_entropy(a @ b.mT, torch.arange(len(a))),
        _contrast,
        lambda g: [g.normal(min(g.rows, 200), g.columns), g.normal(min(g.rows, 200), g.columns)],
        {
            "second view detached": lambda d, a, b: (_contrast(d, a, b)[0], torch.zeros_like(b)),
            "partners not subtracted": lambda d, a, b: (
                d / len(a) * torch.softmax(a @ b.mT, -1) @ b,
                _contrast(d, a, b)[1],
            ),
            "softmax over the other view": lambda d, a, b: (
                (torch.softmax(a @ b.mT, 0) - torch.eye(len(a), dtype=a.dtype)) * d / len(a) @ b,
                _contrast(d, a, b)[1],
            ),
        },
        scales=(1e-4, 1),
        widest=200,
    ),
)
