"""Planted faults of the poolings, as people write them: by F.max_pool2d's indices, and in loops over the windows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # as everybody calls it

from manual_bp import AvgPool2d, MaxPool2d
from manual_bp.pooling import Pooling
from torch_ref.known.faults import Fault, planted


def _windows(l: Pooling, x: Tensor) -> Tensor:
    """Return the pixels of every window, (N, c, h′, w′, k_h, k_w)."""
    (k, m), (s, r) = l.windows.kernel, l.windows.stride
    return x.unfold(2, k, s).unfold(3, m, r)


def _boxes(l: Pooling, e: Tensor) -> Iterator[tuple[int, int, slice, slice]]:
    """Yield every window p, q with its rows and columns."""
    (k, m), (s, r) = l.windows.kernel, l.windows.stride
    for p, q in product(range(e.shape[2]), range(e.shape[3])):
        yield p, q, slice(p * s, p * s + k), slice(q * r, q * r + m)


def _by_masks(l: Pooling, e: Tensor, x: Tensor) -> Tensor:
    """Return the error of x by a mask of the largest pixels of each window, all of them where several are equal."""
    error = torch.zeros_like(x)
    for p, q, rows, columns in _boxes(l, e):
        box = x[:, :, rows, columns]
        error[:, :, rows, columns] += (box == box.amax((2, 3), keepdim=True)) * e[:, :, p, q, None, None]
    return error


def _scattered(l: Pooling, e: Tensor, x: Tensor) -> Tensor:
    """Return the error of x by the indices of the largest pixels."""
    _, at = F.max_pool2d(x, l.windows.kernel, l.windows.stride, return_indices=True)
    return torch.zeros_like(x).flatten(2).scatter_add(2, at.flatten(2), e.flatten(2)).view_as(x)


def _last_winner(l: Pooling, e: Tensor, x: Tensor) -> Tensor:
    """Return the error of x in which a window writes at its largest pixel, where it has to add."""
    _, at = F.max_pool2d(x, l.windows.kernel, l.windows.stride, return_indices=True)
    error = torch.zeros_like(x).flatten(2)
    for window, sent in zip(at.flatten(2).unbind(2), e.flatten(2).unbind(2), strict=True):
        error.scatter_(2, window[:, :, None], sent[:, :, None])
    return error.view_as(x)


def _shared(l: Pooling, e: Tensor, x: Tensor, pixels: float, *, add: bool = True) -> Tensor:
    """Return the error of x in which each pixel of a window gets e over ``pixels``."""
    error = torch.zeros_like(x)
    for p, q, rows, columns in _boxes(l, e):
        if add:
            error[:, :, rows, columns] += e[:, :, p, q, None, None] / pixels
        else:
            error[:, :, rows, columns] = e[:, :, p, q, None, None] / pixels
    return error


def _corner(l: Pooling, e: Tensor, x: Tensor) -> Tensor:
    error = torch.zeros_like(x)
    for p, q, rows, columns in _boxes(l, e):
        error[:, :, rows.start, columns.start] += e[:, :, p, q]
    return error


def _turned_winner(l: Pooling, e: Tensor, x: Tensor) -> Tensor:
    """Return the error of x where the number of the largest pixel in its window is read column by column."""
    (k, m), error, n, c = l.windows.kernel, torch.zeros_like(x), *map(torch.arange, x.shape[:2])
    for p, q, rows, columns in _boxes(l, e):
        at = x[:, :, rows, columns].flatten(2).argmax(2)
        u, v = rows.start + at % k, columns.start + at // m
        error[n[:, None], c, u, v] += e[:, :, p, q]
    return error


def _of_each_window_beside(l: Pooling, e: Tensor, x: Tensor) -> Tensor:
    """Return the error of x where the largest pixel is taken for the one to its right."""
    _, at = F.max_pool2d(x, l.windows.kernel, l.windows.stride, return_indices=True)
    wider = torch.zeros(*x.shape[:3], x.shape[3] + 1, dtype=x.dtype)
    at = at // x.shape[3] * wider.shape[3] + at % x.shape[3] + 1
    return wider.flatten(2).scatter_add(2, at.flatten(2), e.flatten(2)).view_as(wider)[..., : x.shape[3]]


def _side_by_side(l: Pooling, x: Tensor) -> Tensor:
    """Return windows that move by one pixel, as many as there should be."""
    h, w = l.windows.counted(*x.shape[2:])
    (k, m) = l.windows.kernel
    return x.unfold(2, k, 1).unfold(3, m, 1)[:, :, :h, :w]


def _without_last_row(e: Tensor) -> Tensor:
    return torch.cat([e[:, :, :-1], torch.zeros_like(e[:, :, -1:])], 2)


def _pixels(l: Pooling) -> int:
    return l.windows.kernel[0] * l.windows.kernel[1]


OF_MAXIMUM: tuple[Fault, ...] = (
    *planted(
        MaxPool2d,
        "forward",
        "max-pooling-forward",
        ("mean", "another-function", "the mean of the window", lambda l, x: _windows(l, x).mean((4, 5))),
        ("sum", "another-function", "the sum of the window", lambda l, x: _windows(l, x).sum((4, 5))),
        ("first", "one-pixel", "one pixel of each window only (the first)", lambda l, x: _windows(l, x)[..., 0, 0]),
        ("no-stride", "stride-ignored", "the stride is ignored", lambda l, x: _side_by_side(l, x).amax((4, 5))),
        ("wrong-sample", "wrong-sample", "pairs the wrong sample", lambda l, x: _windows(l, x.roll(1, 0)).amax((4, 5))),
    ),
    *planted(
        MaxPool2d,
        "error",
        "max-pooling-error",
        ("ties", "wrong-winner", "of equal pixels each one gets the whole", lambda l, e, x, y: _by_masks(l, e, x)),
        ("smallest", "wrong-winner", "the smallest pixel", lambda l, e, x, y: _scattered(l, e, -x)),
        ("turned", "wrong-winner", "row and column of the largest", lambda l, e, x, y: _turned_winner(l, e, x)),
        ("to-all", "error-to-all-pixels", "every pixel of the window gets", lambda l, e, x, y: _shared(l, e, x, 1)),
        ("mean", "error-to-all-pixels", "every pixel", lambda l, e, x, y: _shared(l, e, x, _pixels(l))),
        ("first", "one-pixel", "one pixel of each window only (the first)", lambda l, e, x, y: _corner(l, e, x)),
        ("overwritten", "windows-overwritten", "windows that overlap", lambda l, e, x, y: _last_winner(l, e, x)),
        ("beside", "window-beside", "the windows lie one", lambda l, e, x, y: _of_each_window_beside(l, e, x)),
        ("times-y", "input-too-often", "x is multiplied in", lambda l, e, x, y: _scattered(l, e * y, x)),
        (
            "last-row",
            "window-missing",
            "the last row of windows",
            lambda l, e, x, y: _scattered(l, _without_last_row(e), x),
        ),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, e, x, y: -_scattered(l, e, x)),
        ("wrong-sample", "wrong-sample", "pairs the wrong sample", lambda l, e, x, y: _scattered(l, e, x).roll(1, 0)),
    ),
)

OF_AVERAGE: tuple[Fault, ...] = (
    *planted(
        AvgPool2d,
        "forward",
        "average-pooling-forward",
        ("sum", "wrong-divisor", "not divided by the number", lambda l, x: _windows(l, x).sum((4, 5))),
        ("side", "wrong-divisor", "divided by the ", lambda l, x: _windows(l, x).sum((4, 5)) / l.windows.kernel[1]),
        ("max", "another-function", "the largest pixel", lambda l, x: _windows(l, x).amax((4, 5))),
        ("no-stride", "stride-ignored", "the stride is ignored", lambda l, x: _side_by_side(l, x).mean((4, 5))),
    ),
    *planted(
        AvgPool2d,
        "error",
        "average-pooling-error",
        ("not-divided", "wrong-divisor", "not divided by the number", lambda l, e, x, y: _shared(l, e, x, 1)),
        ("side", "wrong-divisor", "divided by the ", lambda l, e, x, y: _shared(l, e, x, l.windows.kernel[1])),
        (
            "overwritten",
            "windows-overwritten",
            "windows that",
            lambda l, e, x, y: _shared(l, e, x, _pixels(l), add=False),
        ),
        ("first", "one-pixel", "one pixel of each window only (the first)", lambda l, e, x, y: _corner(l, e, x)),
        ("max", "another-function", "the largest pixel of the window", lambda l, e, x, y: _scattered(l, e, x)),
        (
            "last-row",
            "window-missing",
            "the last row of windows",
            lambda l, e, x, y: _shared(l, _without_last_row(e), x, _pixels(l)),
        ),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, e, x, y: _shared(l, e, x, -_pixels(l))),
    ),
)
