"""The same formulas in numpy, by hand: one large product for each convolution, the channels before the samples."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np

from benchmarks.cases import Array
from benchmarks.contenders.by_numpy import softmax_cross_entropy
from benchmarks.lenet.problem import KERNEL, LR, PADDING, SIDE, Problem

PLACES = [(i, j) for i in range(KERNEL) for j in range(KERNEL)]
OF_POOLING = [(i, j) for i in (0, 1) for j in (0, 1)]


class Numpy:
    """Products into ready arrays, everything else in place. The error of q is +∂L/∂q here."""

    scope = nullcontext

    def __init__(self, problem: Problem) -> None:
        """Copy the parameters and make the first columns, which are the same in every step."""
        self.all, self.t = problem.arrays(), problem.t.numpy()
        self.n = len(self.t)
        images = problem.x.numpy().reshape(1, self.n, SIDE, SIDE)
        self.x = np.pad(images, ((0, 0), (0, 0), (PADDING[0],) * 2, (PADDING[0],) * 2))

    def step(self) -> np.float32:
        """Take one step."""
        (w1, b1, w2, b2), rest = self.all[:4], self.all[4:]
        columns1, x1 = convolved(self.x, w1, b1)
        y1 = pooled(x1)
        columns2, x2 = convolved(y1, w2, b2)
        y2 = pooled(x2)
        rows = [np.ascontiguousarray(y2.transpose(1, 0, 2, 3)).reshape(self.n, -1)]
        pairs = list(zip(rest[::2], rest[1::2], strict=True))
        for w, b in pairs:
            rows.append(rows[-1] @ w.T + b)
            if w is not pairs[-1][0]:
                np.maximum(rows[-1], 0, out=rows[-1])
        d = np.empty_like(rows[-1])
        loss = softmax_cross_entropy(rows.pop(), self.t, d)
        d /= np.float32(self.n)
        for (w, b), x in zip(reversed(pairs), reversed(rows), strict=True):
            below = d @ w
            if x is not rows[0]:
                below *= x > 0
            w -= LR * (d.T @ x)
            b -= LR * d.sum(0)
            d = below
        c, h, across = len(w2), *y2.shape[2:]
        d_x2 = unpooled(d.reshape(self.n, c, h, across).transpose(1, 0, 2, 3), x2, y2)
        d_x1 = unpooled(updated(w2, b2, d_x2, columns2, y1), x1, y1)
        updated(w1, b1, d_x1, columns1, None)
        return loss

    def parameters(self) -> list[Array]:
        """Return the parameters."""
        return [p.copy() for p in self.all]


def convolved(x: Array, w: Array, b: Array) -> tuple[Array, Array]:
    """Return the columns of images (c, N, h, w), and ReLU of W columns + b."""
    h, across = x.shape[2] - KERNEL + 1, x.shape[3] - KERNEL + 1
    columns = np.empty((len(x), len(PLACES), x.shape[1], h, across), np.float32)
    for k, (i, j) in enumerate(PLACES):
        columns[:, k] = x[:, :, i : i + h, j : j + across]
    flat = columns.reshape(len(x) * len(PLACES), -1)
    net = w.reshape(len(w), -1) @ flat
    net += b[:, None]
    return flat, np.maximum(net, 0, out=net).reshape(len(w), x.shape[1], h, across)


def pooled(x: Array) -> Array:
    """Return the largest pixel of each window."""
    first, *others = (x[:, :, i::2, j::2] for i, j in OF_POOLING)
    y = first.copy()
    for other in others:
        np.maximum(y, other, out=y)
    return y


def unpooled(d: Array, x: Array, y: Array) -> Array:
    """Return ∂L/∂net below a pooling of ReLU: at the first largest pixel of each window, where it is positive."""
    d_net, is_open = np.empty_like(x), y > 0
    for i, j in OF_POOLING:
        is_here = is_open & (x[:, :, i::2, j::2] == y)
        d_net[:, :, i::2, j::2] = d * is_here
        is_open &= ~is_here
    return d_net


def updated(w: Array, b: Array, d: Array, columns: Array, x: Array | None) -> Array:
    """Update a convolution's parameters; return ∂L/∂x where an x is given, by the weights as they were."""
    flat = d.reshape(len(d), -1)
    d_x = np.empty(0, np.float32)
    if x is not None:
        sent = (w.reshape(len(w), -1).T @ flat).reshape(len(x), len(PLACES), *d.shape[1:])
        d_x = np.zeros_like(x)
        for k, (i, j) in enumerate(PLACES):
            d_x[:, :, i : i + d.shape[2], j : j + d.shape[3]] += sent[:, k]
    w -= LR * (flat @ columns.T).reshape(w.shape)
    b -= LR * flat.sum(1)
    return d_x
