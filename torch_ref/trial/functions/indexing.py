"""Embedding, gather and scatter, selecting and padding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.functions.kind import Draw, Inputs, Kind

PADDING = 0


def _words(g: Draw) -> Inputs:
    i = g.labels(g.rows * 2, 4)
    i[:3] = torch.tensor([1, 1, PADDING])
    return [i, g.normal(5, g.columns)]


def _embedding(d: Tensor, i: Tensor, w: Tensor) -> Any:
    return None, torch.zeros_like(w).index_add(0, i, d * (i != PADDING)[:, None])


def _assigned(d: Tensor, i: Tensor, w: Tensor) -> Any:
    g = torch.zeros_like(w)
    g[i] = d * (i != PADDING)[:, None]
    return None, g


def _gathered(g: Draw) -> Inputs:
    i = torch.randint(g.columns, (g.rows, 4), generator=g.generator)
    i[:, 1] = i[:, 0]
    return [g.normal(g.rows, g.columns), i]


def _gather(d: Tensor, x: Tensor, i: Tensor) -> Any:
    return torch.zeros_like(x).scatter_add(1, i, d), None


def _added(g: Draw) -> Inputs:
    i = g.labels(g.rows, 4)
    i[:2] = 1
    return [g.normal(4, g.columns), i, g.normal(g.rows, g.columns)]


def _put(g: Draw) -> Inputs:
    return [
        g.normal(g.rows + 2, g.columns),
        torch.randperm(g.rows + 2, generator=g.generator)[: g.rows],
        g.normal(g.rows, g.columns),
    ]


def _copied(d: Tensor, x: Tensor, i: Tensor, s: Tensor) -> Any:
    return d.index_fill(0, i, 0.0), None, d[i]


def _largest(d: Tensor, x: Tensor) -> Tensor:
    return torch.zeros_like(x).scatter(1, x.topk(3, 1).indices, d)


KINDS = (
    Kind(
        "embedding with padding",
        "indexing",
        lambda i, w: fn.embedding(i, w, padding_idx=PADDING),
        _embedding,
        _words,
        {
            "words that come twice overwritten": _assigned,
            "padding counts": lambda d, i, w: (None, torch.zeros_like(w).index_add(0, i, d)),
            "divided by how often a word comes": lambda d, i, w: (
                None,
                _embedding(d, i, w)[1] / torch.bincount(i, minlength=5).clamp_min(1)[:, None],
            ),
            "rows in another order": lambda d, i, w: (None, _embedding(d.flip(0), i, w)[1]),
            "index off by one": lambda d, i, w: (None, _embedding(d, i, w)[1].roll(1, 0)),
        },
        differences=False,  # the row of the padding is used, and gets no gradient all the same
    ),
    Kind(
        "gather",
        "indexing",
        lambda x, i: x.gather(1, i),
        _gather,
        _gathered,
        {
            "scatter overwrites": lambda d, x, i: (torch.zeros_like(x).scatter(1, i, d), None),
            "mean of what falls together": lambda d, x, i: (
                torch.zeros_like(x).scatter_reduce(1, i, d, "mean", include_self=False),
                None,
            ),
            "first column only": lambda d, x, i: (_gather(d[:, :1], x, i[:, :1])[0], None),
            "the largest of what falls together": lambda d, x, i: (
                torch.zeros_like(x).scatter_reduce(1, i, d, "amax", include_self=False),
                None,
            ),
        },
    ),
    Kind(
        "index add",
        "indexing",
        lambda x, i, s: x.index_add(0, i, s),
        lambda d, x, i, s: (d.clone(), None, d[i]),
        _added,
        {
            "places that got something lose it": lambda d, x, i, s: (d.index_fill(0, i, 0.0), None, d[i]),
            "shared among the rows of a place": lambda d, x, i, s: (
                d.clone(),
                None,
                d[i] / torch.bincount(i, minlength=4)[i][:, None],
            ),
            "index in reverse": lambda d, x, i, s: (d.clone(), None, d[i.flip(0)]),
        },
    ),
    Kind(
        "index copy",
        "indexing",
        lambda x, i, s: x.index_copy(0, i, s),
        _copied,
        _put,
        {
            "what was overwritten keeps its gradient": lambda d, x, i, s: (d.clone(), None, d[i]),
            "one place of them keeps its gradient": lambda d, x, i, s: (d.index_fill(0, i[1:], 0.0), None, d[i]),
            "index in reverse": lambda d, x, i, s: (_copied(d, x, i, s)[0], None, d[i.flip(0)]),
        },
    ),
    Kind(
        "the three largest",
        "indexing",
        lambda x: x.topk(3, 1).values,
        _largest,
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "the three smallest": lambda d, x: torch.zeros_like(x).scatter(1, x.topk(3, 1, largest=False).indices, d),
            "not in order": lambda d, x: _largest(d.flip(1), x),
            "the first three": lambda d, x: torch.cat([d, torch.zeros_like(x[:, 3:])], 1),
        },
        smooth=True,
    ),
    Kind(
        "choice by a mask",
        "indexing",
        lambda m, a, b: torch.where(m, a, b),
        lambda d, m, a, b: (None, (d * m).sum(0), d * ~m),
        lambda g: [g.mask(g.rows, g.columns), g.normal(g.columns), g.normal(g.rows, g.columns)],
        {
            "mask turned round": lambda d, m, a, b: (None, (d * ~m).sum(0), d * ~m),
            "both get all": lambda d, m, a, b: (None, (d * m).sum(0), d.clone()),
            "mean for sum": lambda d, m, a, b: (None, (d * m).mean(0), d * ~m),
            "first row for the sum": lambda d, m, a, b: (None, (d * m)[0], d * ~m),
        },
    ),
    Kind(
        "reflected padding",
        "indexing",
        lambda x: fn.pad(x[None], (2, 1), mode="reflect")[0],
        lambda d, x: _padded(d, x, 1.0),
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "edges forgotten": lambda d, x: _padded(d, x, 0.0),
            "edges twice": lambda d, x: _padded(d, x, 2.0),
            "shifted by one": lambda d, x: _padded(d.roll(1, 1), x, 1.0),
        },
        dtypes=(torch.float64, torch.float32),
    ),
)


def _padded(d: Tensor, x: Tensor, edge: float) -> Tensor:
    n = x.shape[1]
    g = d[:, 2 : 2 + n].clone()
    g[:, 1] += edge * d[:, 1]
    g[:, 2] += edge * d[:, 0]
    g[:, n - 2] += edge * d[:, n + 2]
    return g
