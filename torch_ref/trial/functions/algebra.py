"""Decompositions, and what is solved with them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.functions import wrong
from torch_ref.trial.functions.kind import SINGLE, Draw, Inputs, Kind


def _square(g: Draw) -> Tensor:
    """Return a matrix that is far from singular."""
    n = min(g.columns, 40)
    return (g.normal(n, n, scale=1.0) / n + 2 * torch.eye(n, dtype=g.dtype)) * g.scale


def _positive(g: Draw) -> Inputs:
    m = _square(g) / g.scale
    return [(m @ m.mT) * g.scale]


def _inverse(d: Tensor, a: Tensor) -> Any:
    y = torch.linalg.inv(a)
    return -y.mT @ d @ y.mT


def _solved(d: Tensor, a: Tensor, b: Tensor) -> Any:
    v = torch.linalg.solve(a.mT, d)
    return -v @ torch.linalg.solve(a, b).mT, v


def _logdet(a: Tensor) -> Any:
    return 2 * torch.linalg.cholesky(a).diagonal().log().sum()


def _covariance(d: Tensor, x: Tensor) -> Tensor:
    c = x - x.mean(0)
    g = c @ (d + d.mT) / len(x)
    return g - g.mean(0)


KINDS = (
    Kind(
        "inverse",
        "algebra",
        lambda a: torch.linalg.inv(a),
        _inverse,
        lambda g: [_square(g)],
        {
            "not transposed": lambda d, a: -torch.linalg.inv(a) @ d @ torch.linalg.inv(a),
            "positive": lambda d, a: -_inverse(d, a),
            "one factor forgotten": lambda d, a: -torch.linalg.inv(a).mT @ d,
            "upstream gradient transposed": lambda d, a: _inverse(d.mT, a),
        },
        dtypes=SINGLE,
        scales=(1e-4, 1e4),
    ),
    Kind(
        "solution of linear equations",
        "algebra",
        lambda a, b: torch.linalg.solve(a, b),
        _solved,
        lambda g: [_square(g), g.normal(min(g.columns, 40), 3)],
        {
            "matrix not transposed": lambda d, a, b: (_solved(d, a, b)[0], torch.linalg.solve(a, d)),
            "right side for the solution": lambda d, a, b: (-_solved(d, a, b)[1] @ b.mT, _solved(d, a, b)[1]),
            "matrix's gradient positive": wrong.scaled(_solved, 0, -1.0),
            "matrix's gradient transposed": wrong.transposed(_solved, 0),
        },
        dtypes=SINGLE,
        scales=(1e-4, 1e4),
    ),
    Kind(
        "log determinant by Cholesky",
        "algebra",
        lambda a: _logdet(a),
        lambda d, a: d * torch.cholesky_inverse(torch.linalg.cholesky(a)),
        _positive,
        {
            "matrix for its inverse": lambda d, a: d * a,
            "factor of 2": lambda d, a: 2 * d * torch.linalg.inv(a),
            "only the diagonal": lambda d, a: d * torch.diag(torch.linalg.inv(a).diagonal()),
            "inverse of the factor": lambda d, a: d * torch.linalg.inv(torch.linalg.cholesky(a)),
        },
        dtypes=SINGLE,
        reference=lambda a: torch.logdet(a),
        as_function=True,
        scales=(1e-4, 1e4),
    ),
    Kind(
        "covariance",
        "algebra",
        lambda x: (x - x.mean(0)).mT @ (x - x.mean(0)) / len(x),
        _covariance,
        lambda g: [g.normal(g.rows, 4) + g.scale],
        {
            "one half of the product": lambda d, x: (
                (x - x.mean(0)) @ d / len(x) - ((x - x.mean(0)) @ d / len(x)).mean(0)
            ),
            "one half twice": lambda d, x: 2 * (x - x.mean(0)) @ d / len(x),
            "mean not subtracted from x": lambda d, x: x @ (d + d.mT) / len(x),
            "divided by n less 1": lambda d, x: _covariance(d, x) * len(x) / (len(x) - 1),
        },
    ),
    Kind(
        "trace of a product",
        "algebra",
        lambda a, b: (a @ b).trace(),
        lambda d, a, b: (d * b.mT, d * a.mT),
        lambda g: [g.normal(5, g.columns), g.normal(g.columns, 5)],
        {
            "other input for its transpose": lambda d, a, b: (d * b.reshape(a.shape), d * a.mT),
            "only the diagonal": lambda d, a, b: (d * torch.eye(5, a.shape[1], dtype=a.dtype) * b.mT, d * a.mT),
            "own input": lambda d, a, b: (d * a, d * a.mT),
        },
        dtypes=SINGLE,
    ),
)
