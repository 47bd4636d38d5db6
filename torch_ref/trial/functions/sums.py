"""Products, sums along a dimension, and broadcasting."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.functions import wrong
from torch_ref.trial.functions.kind import Kind


def _linear(d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
    return d @ w, d.mT @ x, d.sum(0)


def _cumulated(d: Tensor, x: Tensor) -> Tensor:
    return d.flip(-1).cumsum(-1).flip(-1)


def _product(d: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of the running product; no x is 0."""
    return (d * x.cumprod(-1)).flip(-1).cumsum(-1).flip(-1) / x


def _bilinear(d: Tensor, x: Tensor, w: Tensor, y: Tensor) -> Any:
    return (
        torch.einsum("no,oij,nj->ni", d, w, y),
        torch.einsum("no,ni,nj->oij", d, x, y),
        torch.einsum("no,ni,oij->nj", d, x, w),
    )


def _outer(d: Tensor, a: Tensor, b: Tensor) -> Any:
    return (d * b).sum((0, 2))[:, None], (d * a).sum(1, keepdim=True)


def _spread(d: Tensor, x: Tensor) -> Tensor:
    c = x - x.mean(0)
    return d * 2 * c / (len(x) - 1)


def _power(d: Tensor, x: Tensor, p: Tensor) -> Any:
    return d * p * x ** (p - 1), (d * x**p * x.log()).sum(0)


KINDS = (
    Kind(
        "linear",
        "products",
        lambda x, w, b: x @ w.mT + b,
        _linear,
        lambda g: [g.normal(g.rows, g.columns), g.normal(7, g.columns), g.normal(7)],
        {
            "bias's gradient a mean": wrong.divided_by_rows(_linear, 2),
            "weight's gradient a mean": wrong.divided_by_rows(_linear, 1),
            "bias forgotten": lambda d, x, w, b: (d @ w, d.mT @ x, torch.zeros_like(b)),
            "weight's gradient of absolute inputs": lambda d, x, w, b: (d @ w, d.mT @ x.abs(), d.sum(0)),
        },
        as_function=True,
    ),
    Kind(
        "product of square matrices",
        "products",
        lambda a, b: a @ b,
        lambda d, a, b: (d @ b.mT, a.mT @ d),
        lambda g: [g.normal(g.columns, g.columns), g.normal(g.columns, g.columns)],
        {
            "second factor not transposed": lambda d, a, b: (d @ b, a.mT @ d),
            "first factor not transposed": lambda d, a, b: (d @ b.mT, a @ d),
            "gradient transposed": wrong.transposed(lambda d, a, b: (d @ b.mT, a.mT @ d), 0),
            "factors in another order": lambda d, a, b: (d @ b.mT, d @ a.mT),
        },
        widest=300,
    ),
    Kind(
        "bilinear form by einsum",
        "products",
        lambda x, w, y: torch.einsum("ni,oij,nj->no", x, w, y),
        _bilinear,
        lambda g: [g.normal(g.rows, 4), g.normal(3, 4, 4), g.normal(g.rows, 4)],
        {
            "indices of the weight changed": lambda d, x, w, y: (
                torch.einsum("no,oji,nj->ni", d, w, y),
                *_bilinear(d, x, w, y)[1:],
            ),
            "weight's gradient transposed": wrong.transposed(_bilinear, 1),
            "x twice in the weight's gradient": lambda d, x, w, y: (
                _bilinear(d, x, w, y)[0],
                torch.einsum("no,ni,nj->oij", d, x, x),
                _bilinear(d, x, w, y)[2],
            ),
            "y's gradient without x": lambda d, x, w, y: (
                *_bilinear(d, x, w, y)[:2],
                torch.einsum("no,oij->nj", d, w),
            ),
        },
    ),
    Kind(
        "cumulative sum",
        "sums",
        lambda x: x.cumsum(-1),
        _cumulated,
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "in the same direction": lambda d, x: d.cumsum(-1),
            "without the entry itself": lambda d, x: _cumulated(d, x) - d,
            "of all": lambda d, x: d.sum(-1, keepdim=True).expand_as(x).clone(),
            "along the samples": lambda d, x: d.flip(0).cumsum(0).flip(0),
            "not summed": lambda d, x: d.clone(),
        },
    ),
    Kind(
        "cumulative product",
        "sums",
        lambda x: x.cumprod(-1),
        _product,
        lambda g: [g.weight(g.rows, min(g.columns, 24))],
        {
            "in the same direction": lambda d, x: (d * x.cumprod(-1)).cumsum(-1) / x,
            "not divided": lambda d, x: _product(d, x) * x,
            "only the entry itself": lambda d, x: d * x.cumprod(-1) / x,
        },
        scales=(1, 1),
    ),
    Kind(
        "variance",
        "sums",
        lambda x: x.var(0),
        _spread,
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "mean not subtracted": lambda d, x: d * 2 * (x + 0 * x.mean(0)) / (len(x) - 1),
            "divided by n": lambda d, x: _spread(d, x) * (len(x) - 1) / len(x),
            "no factor of 2": lambda d, x: _spread(d, x) / 2,
        },
    ),
    Kind(
        "broadcast sum",
        "broadcasting",
        lambda x, b: x + b,
        lambda d, x, b: (d.clone(), d.sum(0)),
        lambda g: [g.normal(g.rows, g.columns), g.normal(g.columns)],
        {
            "mean over the rows": lambda d, x, b: (d.clone(), d.mean(0)),
            "first row for the sum": lambda d, x, b: (d.clone(), d[0].clone()),
            "largest for the sum": lambda d, x, b: (d.clone(), d.amax(0)),
            "last row missing": lambda d, x, b: (d.clone(), d[:-1].sum(0)),
        },
        as_function=True,
    ),
    Kind(
        "broadcast product of three dimensions",
        "broadcasting",
        lambda a, b: a * b,
        _outer,
        lambda g: [g.normal(4, 1), g.normal(g.rows, 1, g.columns)],
        {
            "a summed over one dimension": lambda d, a, b: ((d * b)[:, :, 0].sum(0)[:, None], _outer(d, a, b)[1]),
            "a's factor forgotten": lambda d, a, b: (_outer(d, a, b)[0], d.sum(1, keepdim=True)),
            "b's factor forgotten": lambda d, a, b: (d.sum((0, 2))[:, None], _outer(d, a, b)[1]),
            "b a mean": lambda d, a, b: (_outer(d, a, b)[0], (d * a).mean(1, keepdim=True)),
        },
    ),
    Kind(
        "broadcast quotient",
        "broadcasting",
        lambda x, s: x / s,
        lambda d, x, s: (d / s, -(d * x).sum(1, keepdim=True) / s**2),
        lambda g: [g.normal(g.rows, g.columns), g.weight(g.rows, 1)],
        {
            "sign of the divisor": lambda d, x, s: (d / s, (d * x).sum(1, keepdim=True) / s**2),
            "divisor not squared": lambda d, x, s: (d / s, -(d * x).sum(1, keepdim=True) / s),
            "times the divisor": lambda d, x, s: (d * s, -(d * x).sum(1, keepdim=True) / s**2),
        },
    ),
    Kind(
        "power with a learned exponent",
        "broadcasting",
        lambda x, p: x**p,
        _power,
        lambda g: [g.weight(g.rows, g.columns), g.weight(g.columns) * 2],
        {
            "exponent not lowered": lambda d, x, p: (d * p * x**p, _power(d, x, p)[1]),
            "logarithm forgotten": lambda d, x, p: (_power(d, x, p)[0], (d * x**p).sum(0)),
            "exponent not multiplied": lambda d, x, p: (d * x ** (p - 1), _power(d, x, p)[1]),
        },
        scales=(1, 1),
    ),
)
