"""Convolution by unfolding, and pooling."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from torch_ref.trial.functions import wrong
from torch_ref.trial.functions.kind import SINGLE, Draw, Inputs, Kind


def _conv1(d: Tensor, x: Tensor, w: Tensor, b: Tensor, turned: bool = False) -> Any:
    """Return the gradients of y[n,o,t] = Σ x[n,c,t+k] w[o,c,k] + b[o]."""
    k = w.shape[2]
    patches = x.unfold(2, k, 1)
    d_w = torch.einsum("not,nctk->ock", d, patches)
    d_x = torch.zeros_like(x)
    for j in range(k):
        v = w[:, :, k - 1 - j if turned else j]
        d_x[:, :, j : j + d.shape[2]] += torch.einsum("not,oc->nct", d, v)
    return d_x, d_w, d.sum((0, 2))


def _overwritten(d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
    d_x = torch.zeros_like(x)
    for j in range(w.shape[2]):
        d_x[:, :, j : j + d.shape[2]] = torch.einsum("not,oc->nct", d, w[:, :, j])
    return d_x, *_conv1(d, x, w, b)[1:]


def _conv2(d: Tensor, x: Tensor, w: Tensor, padding: int = 1, turned: bool = False) -> Any:
    h, v = x.shape[2:]
    columns = fn.unfold(x, 3, padding=1).reshape(len(x), x.shape[1], 3, 3, h * v)
    d_w = torch.einsum("nol,ncijl->ocij", d.flatten(2), columns)
    w = w.flip(2, 3) if turned else w
    spread = torch.einsum("nol,ocij->ncijl", d.flatten(2), w).flatten(1, 3)
    return fn.fold(spread, (h, v), 3, padding=padding), d_w


def _conv2_drawn(g: Draw) -> Inputs:
    return [g.normal(min(g.rows, 7), 2, 4, g.columns), g.normal(3, 2, 3, 3)]


def _windows(g: Draw) -> Inputs:
    return [g.normal(g.rows, 2, 3 * g.columns)]


def _max(d: Tensor, x: Tensor) -> Tensor:
    y, i = x.unfold(2, 3, 3).max(-1)
    places = i + 3 * torch.arange(y.shape[2])
    return torch.zeros_like(x).scatter(2, places, d)


def _average(d: Tensor, x: Tensor, count: int = 3) -> Tensor:
    d_x = torch.zeros_like(x)
    for j in range(3):
        d_x[:, :, j : j + d.shape[2]] += d / count
    return d_x


def _everything(d: Tensor, x: Tensor) -> Tensor:
    return d[..., None].expand_as(x) / x.shape[-1]


KINDS = (
    Kind(
        "convolution in one dimension",
        "convolution",
        lambda x, w, b: fn.conv1d(x, w, b),
        _conv1,
        lambda g: [g.normal(min(g.rows, 7), 2, g.columns), g.normal(4, 2, 3), g.normal(4)],
        {
            "kernel turned round": lambda d, x, w, b: _conv1(d, x, w, b, turned=True),
            "overlaps overwritten": _overwritten,
            "bias of one position": lambda d, x, w, b: (*_conv1(d, x, w, b)[:2], d[:, :, 0].sum(0)),
            "weight's gradient a mean": wrong.divided_by_rows(_conv1, 1),
            "weight's gradient in reverse": lambda d, x, w, b: (
                _conv1(d, x, w, b)[0],
                _conv1(d, x, w, b)[1].flip(2),
                d.sum((0, 2)),
            ),
        },
    ),
    Kind(
        "convolution in two dimensions",
        "convolution",
        lambda x, w: fn.conv2d(x, w, padding=1),
        _conv2,
        _conv2_drawn,
        {
            "kernel turned round": lambda d, x, w: _conv2(d, x, w, turned=True),
            "weight's gradient transposed": lambda d, x, w: (_conv2(d, x, w)[0], _conv2(d, x, w)[1].mT),
            "the last row of pixels forgotten": lambda d, x, w: (
                _conv2(d, x, w)[0],
                _conv2(torch.cat([d[:, :, :-1], 0 * d[:, :, -1:]], 2), x, w)[1],
            ),
            "channels mixed up": lambda d, x, w: (_conv2(d, x, w)[0].flip(1), _conv2(d, x, w)[1]),
        },
        dtypes=SINGLE,
        widest=60,
    ),
    Kind(
        "depthwise convolution",
        "convolution",
        lambda x, w: (x.unfold(2, 3, 1) * w[:, None, :]).sum(-1),
        lambda d, x, w: _depthwise(d, x, w),
        lambda g: [g.normal(min(g.rows, 7), 4, g.columns), g.normal(4, 3)],
        {
            "one kernel for all channels": lambda d, x, w: (
                _depthwise(d, x, w[:1].expand_as(w))[0],
                _depthwise(d, x, w)[1],
            ),
            "kernel turned round": lambda d, x, w: (_depthwise(d, x, w.flip(1))[0], _depthwise(d, x, w)[1]),
            "weight's gradient of the first sample": lambda d, x, w: (
                _depthwise(d, x, w)[0],
                _depthwise(d[:1], x[:1], w)[1],
            ),
        },
    ),
    Kind(
        "max pooling",
        "pooling",
        lambda x: fn.max_pool1d(x, 3),
        _max,
        _windows,
        {
            "to the first of each window": lambda d, x: torch.zeros_like(x).scatter(
                2, (3 * torch.arange(d.shape[2])).expand_as(d), d
            ),
            "shared by the window": lambda d, x: (d / 3).repeat_interleave(3, 2),
            "to the smallest": lambda d, x: _max(d, -x),
            "to the whole window": lambda d, x: d.repeat_interleave(3, 2),
        },
        as_function=True,
    ),
    Kind(
        "average pooling with overlaps",
        "pooling",
        lambda x: x.unfold(2, 3, 1).mean(-1),
        _average,
        _windows,
        {
            "a sum": lambda d, x: _average(d, x, 1),
            "windows side by side": lambda d, x: fn.pad(d, (0, 2)),
            "divided by 2": lambda d, x: _average(d, x, 2),
            "shifted by one": lambda d, x: _average(d, x).roll(1, 2),
        },
    ),
    Kind(
        "global average pooling",
        "pooling",
        lambda x: x.mean(-1),
        _everything,
        _windows,
        {
            "not divided": lambda d, x: d[..., None].expand_as(x).clone(),
            "only the first position": lambda d, x: fn.pad(d[..., None] / x.shape[-1], (0, x.shape[-1] - 1)),
            "divided by the samples": lambda d, x: d[..., None].expand_as(x) / (2 * len(x) + 1),
        },
    ),
    Kind(
        "the largest of a row",
        "pooling",
        lambda x: x.amax(1),
        lambda d, x: _shared(d, x),
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "all of the row": lambda d, x: d[:, None].expand_as(x).clone(),
            "to the smallest": lambda d, x: _shared(d, -x),
            "times the value": lambda d, x: _shared(d, x) * x,
        },
    ),
)


def _depthwise(d: Tensor, x: Tensor, w: Tensor) -> Any:
    d_x = torch.zeros_like(x)
    for j in range(3):
        d_x[:, :, j : j + d.shape[2]] += d * w[:, j, None]
    return d_x, (d[..., None] * x.unfold(2, 3, 1)).sum((0, 2))


def _shared(d: Tensor, x: Tensor) -> Tensor:
    """Return d at the largest of each row; equal ones share it."""
    largest = (x == x.amax(1, keepdim=True)).to(d.dtype)
    return d[:, None] * largest / largest.sum(1, keepdim=True)
