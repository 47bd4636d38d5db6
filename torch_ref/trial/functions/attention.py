"""Attention, and the rotation of queries and keys."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.functions.kind import Draw, Inputs, Kind


def _weights(q: Tensor, k: Tensor, causal: bool, scale: float) -> Tensor:
    s = q @ k.mT * scale
    if causal:
        s = s.masked_fill(torch.ones_like(s, dtype=torch.bool).triu(1), float("-inf"))
    return torch.softmax(s, -1)


def _attention(
    d: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = True,
    scaled: bool = True,
    sum_term: float = 1.0,
    mask: bool = True,
) -> Any:
    scale = 1 / math.sqrt(q.shape[-1])
    p = _weights(q, k, causal and mask, scale)
    right = _weights(q, k, causal, scale)
    d_p = d @ v.mT
    d_s = p * (d_p - sum_term * (d_p * p).sum(-1, keepdim=True)) * (scale if scaled else 1)
    return d_s @ k, d_s.mT @ q, right.mT @ d


def _heads(g: Draw) -> Inputs:
    rows, size = min(g.rows, 300), min(g.columns, 64)
    return [g.normal(2, rows, size), g.normal(2, rows, size), g.normal(2, rows, 4)]


def _biased(d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
    """Return the gradients of attention of x to its keys x w + b; that of b is 0 in exact arithmetic."""
    k = x @ w + b
    p = torch.softmax(x @ k.mT, -1)
    d_p = d @ x.mT
    d_s = p * (d_p - (d_p * p).sum(-1, keepdim=True))
    d_k = d_s.mT @ x
    return d_s @ k + d_k @ w.mT + p.mT @ d, x.mT @ d_k, d_k.sum(0)


def _forward_biased(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return torch.softmax(x @ (x @ w + b).mT, -1) @ x


def _self_wrong(which: str) -> Any:
    def backward(d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        k = x @ w + b
        p = torch.softmax(x @ k.mT, -1)
        d_p = d @ x.mT
        d_s = p * (d_p - (d_p * p).sum(-1, keepdim=True))
        paths = {"query": d_s @ k, "key": d_s.mT @ x @ w.mT, "value": p.mT @ d}
        return sum(path for name, path in paths.items() if name != which), *_biased(d, x, w, b)[1:]

    return backward


def _tables(g: Draw) -> Inputs:
    n, half = g.rows, 4
    angle = torch.arange(n)[:, None] / 10.0 ** torch.linspace(0, 1, half)
    cos, sin = angle.cos().to(g.dtype), angle.sin().to(g.dtype)
    return [g.normal(2, n, 2 * half).requires_grad_(), cos, sin]


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def _back(d: Tensor, x: Tensor, cos: Tensor, sin: Tensor) -> Any:
    return _rotated(d, cos, -sin), None, None


def _qkv(d: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Any:
    return _attention(d, q, k, v, causal=False)


KINDS = (
    Kind(
        "causal attention",
        "attention",
        lambda q, k, v: _weights(q, k, True, 1 / math.sqrt(q.shape[-1])) @ v,
        lambda d, q, k, v: _attention(d, q, k, v),
        _heads,
        {
            "no 1/√d": lambda d, q, k, v: _attention(d, q, k, v, scaled=False),
            "mask forgotten": lambda d, q, k, v: _attention(d, q, k, v, mask=False),
            "no sum term": lambda d, q, k, v: _attention(d, q, k, v, sum_term=0),
            "keys get the queries' part": lambda d, q, k, v: (
                _attention(d, q, k, v)[0],
                _attention(d, q, k, v)[0],
                _attention(d, q, k, v)[2],
            ),
            "values by the untransposed weights": lambda d, q, k, v: (
                *_attention(d, q, k, v)[:2],
                _weights(q, k, True, 1 / math.sqrt(q.shape[-1])) @ d,
            ),
            "heads changed": lambda d, q, k, v: (
                _attention(d, q, k, v)[0].flip(0),
                *_attention(d, q, k, v)[1:],
            ),
        },
        scales=(1e-8, 10),
        widest=300,
    ),
    Kind(
        "attention to other tokens",
        "attention",
        lambda q, k, v: _weights(q, k, False, 1 / math.sqrt(q.shape[-1])) @ v,
        _qkv,
        _heads,
        {
            "scale twice": lambda d, q, k, v: (
                _qkv(d, q, k, v)[0] / math.sqrt(q.shape[-1]),
                *_qkv(d, q, k, v)[1:],
            ),
            "sum term over the queries": lambda d, q, k, v: (
                *_over_queries(d, q, k, v),
                _qkv(d, q, k, v)[2],
            ),
            "queries and keys changed": lambda d, q, k, v: (
                _qkv(d, q, k, v)[1],
                _qkv(d, q, k, v)[0],
                _qkv(d, q, k, v)[2],
            ),
            "values' gradient of the upstream gradient alone": lambda d, q, k, v: (*_qkv(d, q, k, v)[:2], d.clone()),
        },
        scales=(1e-8, 10),
        widest=300,
        as_function=True,
    ),
    Kind(
        "attention to itself, keys with a bias",
        "attention",
        _forward_biased,
        _biased,
        lambda g: [g.normal(min(g.rows, 200), 4), g.normal(4, 4, scale=0.5), g.normal(4)],
        {
            "path through the queries detached": _self_wrong("query"),
            "path through the keys detached": _self_wrong("key"),
            "path through the values detached": _self_wrong("value"),
            "weight's gradient transposed": lambda d, x, w, b: (
                _biased(d, x, w, b)[0],
                _biased(d, x, w, b)[1].mT,
                _biased(d, x, w, b)[2],
            ),
            "bias gets the upstream gradient": lambda d, x, w, b: (*_biased(d, x, w, b)[:2], d.sum(0)),
        },
        scales=(1e-3, 3),
        general=False,
        widest=200,
        zero=("b",),
    ),
    Kind(
        "rotary embedding",
        "rotary",
        _rotated,
        _back,
        _tables,
        {
            "rotated forwards": lambda d, x, cos, sin: (_rotated(d, cos, sin), None, None),
            "not rotated": lambda d, x, cos, sin: (d.clone(), None, None),
            "only cosines": lambda d, x, cos, sin: (_rotated(d, cos, 0 * sin), None, None),
            "pairs side by side": lambda d, x, cos, sin: (
                _back(d.reshape(*d.shape[:-1], -1, 2).mT.flatten(-2), x, cos, sin)[0],
                None,
                None,
            ),
            "positions from 1": lambda d, x, cos, sin: (_back(d, x, cos.roll(-1, 0), sin.roll(-1, 0))[0], None, None),
        },
    ),
)


def _over_queries(d: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Any:
    scale = 1 / math.sqrt(q.shape[-1])
    p, d_p = _weights(q, k, False, scale), d @ v.mT
    d_s = p * (d_p - (d_p * p).sum(-2, keepdim=True)) * scale
    return d_s @ k, d_s.mT @ q
