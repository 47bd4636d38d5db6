"""Planted faults of the convolution, as people write it: with F.unfold and F.fold, and with loops over the windows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # as everybody calls it

from manual_bp import Conv2d
from torch_ref.known.faults import Fault, planted


def _columns(l: Conv2d, x: Tensor) -> Tensor:
    """Return the windows side by side, (N, c_in k_h k_w, h′ w′)."""
    return F.unfold(x, l.windows.kernel, padding=l.windows.padding, stride=l.windows.stride)


def _net(
    l: Conv2d, x: Tensor, w: Tensor | None = None, columns: Tensor | None = None, b: Tensor | None = None
) -> Tensor:
    """Return net, of other weights, columns or biases than the layer's own where they are given."""
    w, b = l.weight if w is None else w, l.bias if b is None else b
    net = w.reshape(len(w), -1) @ (_columns(l, x) if columns is None else columns)
    net = net if b is None else net + b[:, None]
    return net.view(len(x), -1, *l.windows.counted(*x.shape[2:]))


def _folded(l: Conv2d, columns: Tensor, x: Tensor) -> Tensor:
    """Add up at the pixels what each window sends back."""
    settings = {"kernel_size": l.windows.kernel, "padding": l.windows.padding, "stride": l.windows.stride}
    return F.fold(columns, x.shape[2:], **settings)


def _error(l: Conv2d, d: Tensor, x: Tensor, w: Tensor | None = None) -> Tensor:
    w = l.weight if w is None else w
    return _folded(l, w.reshape(len(w), -1).t() @ d.flatten(2), x)


def _weight(l: Conv2d, d: Tensor, x: Tensor) -> Tensor:
    """Return ∂L/∂W from the columns of x."""
    return _of_columns(l, d, _columns(l, x))


def _of_columns(l: Conv2d, d: Tensor, columns: Tensor) -> Tensor:
    return -(d.flatten(2) @ columns.transpose(1, 2)).sum(0).view(l.weight.shape)


def _windows(l: Conv2d, d: Tensor) -> Iterator[tuple[int, int, int, int]]:
    """Yield every window p, q with the row and column of its first pixel in the padded image."""
    for p, q in product(range(d.shape[2]), range(d.shape[3])):
        yield p, q, p * l.windows.stride[0], q * l.windows.stride[1]


def _padded(l: Conv2d, x: Tensor) -> Tensor:
    (down, across) = l.windows.padding
    return F.pad(x, (across, across, down, down))


def _slid(l: Conv2d, d: Tensor, x: Tensor, step: tuple[int, int], taken_off: tuple[int, int]) -> Tensor:
    """Return the error of x by a loop that moves by ``step`` and takes so many rows and columns off above and left."""
    (k, m), (h, w) = l.windows.kernel, x.shape[2:]
    error = torch.zeros_like(_padded(l, x))
    for p, q in product(range(d.shape[2]), range(d.shape[3])):
        u, v = p * step[0], q * step[1]
        error[:, :, u : u + k, v : v + m] += torch.einsum("nc,cdij->ndij", d[:, :, p, q], l.weight)
    down, across = taken_off
    return error[:, :, down : down + h, across : across + w]


def _overwritten(l: Conv2d, d: Tensor, x: Tensor) -> Tensor:
    (k, m), error = l.windows.kernel, torch.zeros_like(_padded(l, x))
    for p, q, u, v in _windows(l, d):
        error[:, :, u : u + k, v : v + m] = torch.einsum("nc,cdij->ndij", d[:, :, p, q], l.weight)
    down, across = l.windows.padding
    return error[:, :, down : down + x.shape[2], across : across + x.shape[3]]


def _overwritten_places(l: Conv2d, d: Tensor, x: Tensor) -> Tensor:
    (down, across), (s, r), error = l.windows.padding, l.windows.stride, torch.zeros_like(_padded(l, x))
    h, w = d.shape[2:]
    for i, j in product(*map(range, l.windows.kernel)):
        sent = torch.einsum("ncpq,cd->ndpq", d, l.weight[:, :, i, j])
        error[:, :, i : i + s * h : s, j : j + r * w : r] = sent
    return error[:, :, down : down + x.shape[2], across : across + x.shape[3]]


def _without(d: Tensor, *, row: int | None = None, column: int | None = None) -> Tensor:
    d = d.clone()
    if row is not None:
        d[:, :, row] = 0
    if column is not None:
        d[:, :, :, column] = 0
    return d


def _one(d: Tensor, place: int) -> Tensor:
    kept = torch.zeros_like(d)
    kept[:, :, place, place] = d[:, :, place, place]
    return kept


def _valid(l: Conv2d, x: Tensor) -> Tensor:
    """Return net where the windows begin at the image's own corner: the zeros are all on the other sides."""
    (down, across) = l.windows.padding
    moved = F.pad(x, (0, 2 * across, 0, 2 * down))
    return F.conv2d(moved, l.weight, l.bias, l.windows.stride)


def _columns_beside(l: Conv2d, x: Tensor, down: int, right: int) -> Tensor:
    """Return the columns of windows that lie too far down and to the right."""
    (rows, columns), (k, m) = l.windows.padding, l.windows.kernel
    moved = F.pad(x, (columns - right, columns + right, rows - down, rows + down))
    return F.unfold(moved, (k, m), stride=l.windows.stride)


def _dense(l: Conv2d, x: Tensor) -> Tensor:
    """Return net with the stride left out, of as many windows as there should be."""
    h, w = l.windows.counted(*x.shape[2:])
    return F.conv2d(_padded(l, x), l.weight, l.bias)[:, :, :h, :w]


def _by_window(l: Conv2d, x: Tensor) -> Tensor:
    """Return the columns with the pixels of a window before its channels."""
    return _columns(l, x).view(len(x), x.shape[1], l.weight[0, 0].numel(), -1).transpose(1, 2).flatten(1, 2)


def _after_an_update(l: Conv2d, d: Tensor, x: Tensor) -> Tensor:
    return l.weight - 0.1 * _weight(l, d, x)


def _turned(w: Tensor) -> Tensor:
    return torch.rot90(w, 2, (2, 3))


def _mean_of_windows(l: Conv2d, d: Tensor, x: Tensor) -> Tensor:
    return _error(l, d, x) / _folded(l, _columns(l, torch.ones_like(x)), x)[:, :1]


def _unpadded_weight(l: Conv2d, d: Tensor, x: Tensor) -> Tensor:
    down, across = l.windows.padding
    moved = F.pad(x, (0, 2 * across, 0, 2 * down))
    return _of_columns(l, d, F.unfold(moved, l.windows.kernel, stride=l.windows.stride))


def _dense_weight(l: Conv2d, d: Tensor, x: Tensor) -> Tensor:
    (h, w), padded = d.shape[2:], _padded(l, x)
    side_by_side = padded.unfold(2, l.windows.kernel[0], 1).unfold(3, l.windows.kernel[1], 1)[:, :, :h, :w]
    return -torch.einsum("ncpq,ndpqij->cdij", d, side_by_side)


def _one_less(l: Conv2d) -> tuple[int, int]:
    down, across = l.windows.padding
    return down, across - 1


def _first_channel(x: Tensor) -> Tensor:
    return (torch.arange(x.shape[1]) == 0)[:, None, None].to(x.dtype)


FAULTS: tuple[Fault, ...] = (
    *planted(
        Conv2d,
        "forward",
        "convolution-forward",
        ("turned", "kernel-turned", "the kernel is turned round", lambda l, x: _net(l, x, _turned(l.weight))),
        ("transposed", "kernel-transposed", "rows and columns of the kernel", lambda l, x: _net(l, x, l.weight.mT)),
        ("swapped", "transposed-weights", "transposed weights", lambda l, x: _net(l, x, l.weight.transpose(0, 1))),
        ("mixed", "columns-mixed", "the columns have another", lambda l, x: _net(l, x, columns=_by_window(l, x))),
        ("bgr", "columns-mixed", "the channels of x are in", lambda l, x: _net(l, x.flip(1))),
        ("no-bias", "bias-missing", "the bias is missing", lambda l, x: _net(l, x, b=torch.zeros(len(l.weight)))),
        ("bias-beside", "unit-beside", "the bias is of the channel", lambda l, x: _net(l, x, b=l.bias.roll(1))),
        ("no-padding", "wrong-padding", "the padding is ignored", lambda l, x: _valid(l, x)),
        ("no-stride", "stride-ignored", "the stride is ignored", lambda l, x: _dense(l, x)),
        (
            "beside",
            "window-beside",
            "the windows lie one pixel too far",
            lambda l, x: _net(l, x, columns=_columns_beside(l, x, 0, 1)),
        ),
        ("one-channel", "one-channel", "one channel of x only", lambda l, x: _net(l, x * _first_channel(x))),
        ("mean", "mean-for-sum", "a mean over the pixels", lambda l, x: _net(l, x, l.weight / l.weight[0].numel())),
        ("repeated", "one-window", "one window only", lambda l, x: _net(l, x)[:, :, :1, :1].expand_as(_net(l, x))),
        ("wrong-sample", "wrong-sample", "pairs the wrong sample", lambda l, x: _net(l, x.roll(1, 0))),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, x: -_net(l, x)),
        ("1.0005", "factor", "a constant factor of 1.0005", lambda l, x: 1.0005 * _net(l, x)),
    ),
    *planted(
        Conv2d,
        "error",
        "convolution-error",
        ("turned", "kernel-turned", "the kernel is turned", lambda l, d, x, _: _error(l, d, x, _turned(l.weight))),
        ("transposed", "kernel-transposed", "rows and columns", lambda l, d, x, _: _error(l, d, x, l.weight.mT)),
        (
            "swapped",
            "transposed-weights",
            "transposed weights",
            lambda l, d, x, _: _error(l, d, x, l.weight.transpose(0, 1)),
        ),
        ("overwritten", "windows-overwritten", "windows that overlap", lambda l, d, x, _: _overwritten(l, d, x)),
        (
            "overwritten-places",
            "windows-overwritten",
            "windows that overlap",
            lambda l, d, x, _: _overwritten_places(l, d, x),
        ),
        (
            "padding-left",
            "wrong-padding",
            "the padding is ignored",
            lambda l, d, x, _: _slid(l, d, x, l.windows.stride, (0, 0)),
        ),
        (
            "no-stride",
            "stride-ignored",
            "the stride is ignored",
            lambda l, d, x, _: _slid(l, d, x, (1, 1), l.windows.padding),
        ),
        (
            "beside",
            "window-beside",
            "the windows lie one pixel",
            lambda l, d, x, _: _slid(l, d, x, l.windows.stride, _one_less(l)),
        ),
        ("one-window", "one-window", "one window only", lambda l, d, x, _: _error(l, _one(d, -1), x)),
        (
            "last-row",
            "window-missing",
            "the last row of windows",
            lambda l, d, x, _: _error(l, _without(d, row=-1), x),
        ),
        ("one-channel", "one-channel", "one channel of δ only", lambda l, d, x, _: _error(l, d * _first_channel(d), x)),
        ("mean", "mean-for-sum", "divided by the number of windows", lambda l, d, x, _: _mean_of_windows(l, d, x)),
        (
            "no-weights",
            "weights-missing",
            "the weights are missing",
            lambda l, d, x, _: _error(l, d, x, torch.ones_like(l.weight)),
        ),
        ("stale", "stale-weights", "stale weights", lambda l, d, x, _: _error(l, d, x, _after_an_update(l, d, x))),
        ("slope-too", "slope-not-here", "σ′ is applied here too", lambda l, d, x, _: _error(l, d, x) * x * (1 - x)),
        ("wrong-sample", "wrong-sample", "pairs the wrong sample", lambda l, d, x, _: _error(l, d.roll(1, 0), x)),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, d, x, _: -_error(l, d, x)),
        ("zeros", "zeros", "zeros", lambda l, d, x, _: torch.zeros_like(x)),
    ),
    *planted(
        Conv2d,
        "weight",
        "convolution-weight",
        ("turned", "kernel-turned", "the kernel is turned", lambda l, d, x, _: _turned(_weight(l, d, x))),
        ("transposed", "kernel-transposed", "rows and columns of", lambda l, d, x, _: _weight(l, d, x).mT.contiguous()),
        (
            "swapped",
            "transposed-weights",
            "transposed weights",
            lambda l, d, x, _: _weight(l, d, x).transpose(0, 1).contiguous(),
        ),
        ("mixed", "columns-mixed", "the columns have", lambda l, d, x, _: _of_columns(l, d, _by_window(l, x))),
        ("one-sample", "one-sample", "one sample only (the first)", lambda l, d, x, _: _weight(l, d[:1], x[:1])),
        ("last-missing", "sample-missing", "the last sample is", lambda l, d, x, _: _weight(l, d[:-1], x[:-1])),
        ("one-window", "one-window", "one window only (the last)", lambda l, d, x, _: _weight(l, _one(d, -1), x)),
        (
            "last-column",
            "window-missing",
            "the last column of windows",
            lambda l, d, x, _: _weight(l, _without(d, column=-1), x),
        ),
        ("mean", "mean-for-sum", "a mean over the windows", lambda l, d, x, _: _weight(l, d, x) / d[0, 0].numel()),
        ("over-n", "factor", "a factor of 1/N", lambda l, d, x, _: _weight(l, d, x) / len(x)),
        (
            "sum-first",
            "sum-too-early",
            "sums over the windows before",
            lambda l, d, x, _: -(d.sum((2, 3)).t() @ _columns(l, x).sum(2)).view(l.weight.shape),
        ),
        ("no-padding", "wrong-padding", "the padding is ignored", lambda l, d, x, _: _unpadded_weight(l, d, x)),
        ("no-stride", "stride-ignored", "the stride is ignored", lambda l, d, x, _: _dense_weight(l, d, x)),
        (
            "beside",
            "window-beside",
            "the windows lie one pixel",
            lambda l, d, x, _: _of_columns(l, d, _columns_beside(l, x, -1, 0)),
        ),
        ("no-x", "input-missing", "x is missing", lambda l, d, x, _: _weight(l, d, torch.ones_like(x))),
        ("wrong-sample", "wrong-sample", "pairs the wrong sample", lambda l, d, x, _: _weight(l, d, x.flip(0))),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, d, x, _: -_weight(l, d, x)),
        ("decay", "weight-decay", "0.01 times the weight", lambda l, d, x, _: _weight(l, d, x) + 0.01 * l.weight),
    ),
    *planted(
        Conv2d,
        "bias",
        "convolution-bias",
        ("per-window", "wrong-shape", "it is of shape", lambda l, d, x, _: -d.sum(0)),
        ("mean", "mean-for-sum", "a mean over the windows", lambda l, d, x, _: -d.mean((2, 3)).sum(0)),
        ("mean-of-all", "mean-for-sum", "a mean over the samples and", lambda l, d, x, _: -d.mean((0, 2, 3))),
        ("one-window", "one-window", "one window only (the first)", lambda l, d, x, _: -d[:, :, 0, 0].sum(0)),
        ("one-sample", "one-sample", "one sample only (the first)", lambda l, d, x, _: -d[0].sum((1, 2))),
        ("last-row", "window-missing", "the last row of windows", lambda l, d, x, _: -d[:, :, :-1].sum((0, 2, 3))),
        ("one-number", "broadcast-over-batch", "broadcasts over", lambda l, d, x, _: -d.sum().expand(d.shape[1])),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, d, x, _: d.sum((0, 2, 3))),
    ),
)
