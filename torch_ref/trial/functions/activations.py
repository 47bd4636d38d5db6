"""Activations, entry by entry, and gated units."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.functions.kind import Draw, Inputs, Kind


def _drawn(g: Draw) -> Inputs:
    return [g.normal(g.rows, g.columns)]


def _gelu(d: Tensor, x: Tensor, density: float = 1.0) -> Tensor:
    bell = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return d * ((1 + torch.erf(x / math.sqrt(2))) / 2 + density * x * bell)


def _gelu_tanh(d: Tensor, x: Tensor, inner: float = 3.0) -> Tensor:
    c = math.sqrt(2 / math.pi)
    u = torch.tanh(c * (x + 0.044715 * x**3))
    return d * ((1 + u) / 2 + x / 2 * (1 - u * u) * c * (1 + inner * 0.044715 * x * x))


def _silu(d: Tensor, x: Tensor) -> Tensor:
    s = torch.sigmoid(x)
    return d * s * (1 + x * (1 - s))


def _glu(d: Tensor, x: Tensor, swapped: bool = False) -> Tensor:
    a, b = x.chunk(2, -1)
    s = torch.sigmoid(b)
    parts = [d * s, d * a * s * (1 - s)]
    return torch.cat(parts[::-1] if swapped else parts, -1)


def _swiglu(d: Tensor, a: Tensor, b: Tensor) -> Any:
    return _silu(d * b, a), d * a * torch.sigmoid(a)


def _prelu(d: Tensor, x: Tensor, a: Tensor) -> Any:
    return torch.where(x > 0, d, a * d), (d * x.clamp_max(0)).sum(0)


KINDS = (
    Kind(
        "ReLU",
        "activations",
        lambda x: torch.relu(x),
        lambda d, x: d * (x > 0),
        _drawn,
        {
            "mask of the upstream gradient": lambda d, x: d.clamp_min(0),
            "leaky": lambda d, x: torch.where(x > 0, d, 0.01 * d),
            "mask turned round": lambda d, x: d * (x < 0),
            "times x": lambda d, x: d * x.clamp_min(0),
            "no mask": lambda d, x: d.clone(),
        },
    ),
    Kind(
        "leaky ReLU",
        "activations",
        lambda x: fn.leaky_relu(x, 0.1),
        lambda d, x: torch.where(x > 0, d, 0.1 * d),
        _drawn,
        {
            "slope of 0.01": lambda d, x: torch.where(x > 0, d, 0.01 * d),
            "not leaky": lambda d, x: d * (x > 0),
            "slope added": lambda d, x: torch.where(x > 0, d, d + 0.1),
            "sides changed": lambda d, x: torch.where(x > 0, 0.1 * d, d),
        },
    ),
    Kind(
        "GELU",
        "activations",
        lambda x: fn.gelu(x),
        _gelu,
        _drawn,
        {
            "no bell term": lambda d, x: _gelu(d, x, 0),
            "half of the bell term": lambda d, x: _gelu(d, x, 0.5),
            "of its approximation by a sigmoid": lambda d, x: (
                d * torch.sigmoid(1.702 * x) * (1 + 1.702 * x * torch.sigmoid(-1.702 * x))
            ),
            "slope at the output": lambda d, x: _gelu(d, fn.gelu(x)),
        },
        scales=(1e-8, 30),
    ),
    Kind(
        "GELU by tanh",
        "activations",
        lambda x: fn.gelu(x, approximate="tanh"),
        _gelu_tanh,
        _drawn,
        {
            "factor of 3 forgotten": lambda d, x: _gelu_tanh(d, x, 1.0),
            "inner derivative of 1": lambda d, x: _gelu_tanh(d, x, 0.0),
            "exact GELU": lambda d, x: _gelu(d, x),
        },
        scales=(1e-8, 5),
    ),
    Kind(
        "SiLU",
        "activations",
        lambda x: fn.silu(x),
        _silu,
        _drawn,
        {
            "slope of the sigmoid alone": lambda d, x: d * torch.sigmoid(x) * torch.sigmoid(-x),
            "sigmoid alone": lambda d, x: d * torch.sigmoid(x),
            "slope at the output": lambda d, x: _silu(d, fn.silu(x)),
            "sign of the second term": lambda d, x: d * torch.sigmoid(x) * (1 - x * torch.sigmoid(-x)),
        },
        as_function=True,
        scales=(1e-8, 30),
    ),
    Kind(
        "softplus",
        "activations",
        lambda x: fn.softplus(x),
        lambda d, x: d * torch.sigmoid(x),
        _drawn,
        {
            "at the output": lambda d, x: d * torch.sigmoid(fn.softplus(x)),
            "of the other side": lambda d, x: d * torch.sigmoid(-x),
            "slope of the sigmoid": lambda d, x: d * torch.sigmoid(x) * torch.sigmoid(-x),
        },
        scales=(1e-8, 30),
    ),
    Kind(
        "ELU",
        "activations",
        lambda x: fn.elu(x),
        lambda d, x: torch.where(x > 0, d, d * x.clamp_max(0).exp()),
        _drawn,
        {
            "exponential less 1": lambda d, x: torch.where(x > 0, d, d * x.clamp_max(0).expm1()),
            "at the output": lambda d, x: torch.where(x > 0, d, d * fn.elu(x).exp()),
            "exponential everywhere": lambda d, x: d * x.clamp_max(1).exp(),
        },
        scales=(1e-8, 30),
    ),
    Kind(
        "clamp",
        "activations",
        lambda x: x.clamp(-0.5, 1.0),
        lambda d, x: d * ((x >= -0.5) & (x <= 1.0)),
        _drawn,
        {
            "only from above": lambda d, x: d * (x <= 1.0),
            "upstream gradient clamped": lambda d, x: d.clamp(-0.5, 1.0) * ((x >= -0.5) & (x <= 1.0)),
            "between -1 and 1": lambda d, x: d * ((x >= -1.0) & (x <= 1.0)),
            "straight through": lambda d, x: d.clone(),
        },
        scales=(1e-2, 1e6),
    ),
    Kind(
        "tanh",
        "activations",
        lambda x: torch.tanh(x),
        lambda d, x: d * (1 - torch.tanh(x) ** 2),
        _drawn,
        {
            "at the input": lambda d, x: d * (1 - x * x),
            "not squared": lambda d, x: d * (1 - torch.tanh(x)),
            "slope applied twice": lambda d, x: d * (1 - torch.tanh(x) ** 2) ** 2,
            "upstream gradient added": lambda d, x: d + (1 - torch.tanh(x) ** 2),
        },
        scales=(1e-8, 5),
        as_function=True,
    ),
    Kind(
        "PReLU",
        "activations",
        lambda x, a: torch.where(x > 0, x, a * x),
        _prelu,
        lambda g: [g.normal(g.rows, g.columns), g.weight(g.columns) / 4],
        {
            "slope's gradient from both sides": lambda d, x, a: (_prelu(d, x, a)[0], (d * x).sum(0)),
            "slope's gradient of the first sample": lambda d, x, a: (_prelu(d, x, a)[0], (d * x.clamp_max(0))[0]),
            "slope forgotten": lambda d, x, a: (d * (x > 0), _prelu(d, x, a)[1]),
        },
    ),
    Kind(
        "gated linear unit",
        "gates",
        lambda x: fn.glu(x, -1),
        _glu,
        lambda g: [g.normal(g.rows, 2 * g.columns)],
        {
            "halves changed": lambda d, x: _glu(d, x, swapped=True),
            "gate detached": lambda d, x: torch.cat([d * torch.sigmoid(x.chunk(2, -1)[1]), 0 * d], -1),
            "gate without its slope": lambda d, x: torch.cat(
                [d * torch.sigmoid(x.chunk(2, -1)[1]), d * x.chunk(2, -1)[0]], -1
            ),
            "value not gated": lambda d, x: torch.cat([d, _glu(d, x).chunk(2, -1)[1]], -1),
        },
    ),
    Kind(
        "SwiGLU",
        "gates",
        lambda a, b: fn.silu(a) * b,
        _swiglu,
        lambda g: [g.normal(g.rows, g.columns), g.normal(g.rows, g.columns)],
        {
            "gate by the sigmoid alone": lambda d, a, b: (d * b * torch.sigmoid(a), _swiglu(d, a, b)[1]),
            "gate's gradient without the value": lambda d, a, b: (_silu(d, a), _swiglu(d, a, b)[1]),
            "value's gradient by a": lambda d, a, b: (_swiglu(d, a, b)[0], d * a),
            "gradients changed": lambda d, a, b: _swiglu(d, a, b)[::-1],
        },
        as_function=True,
        scales=(1e-8, 30),
    ),
)
