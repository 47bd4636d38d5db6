"""The numbers at which formulas are tried: the public ones of the template, and hidden ones that a seed draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from manual_bp import (
    RNN,
    AvgPool2d,
    Conv2d,
    Flatten,
    LayerNorm,
    Linear,
    MaxPool2d,
    ReLU,
    SoftmaxCrossEntropy,
    SquaredError,
)
from torch_ref.grade.subjects import LECTURE, QUESTIONS_OF, NumberKind, Point
from torch_ref.known import KNOWN

SATURATING = {torch.float32: 100.0, torch.float64: 1000.0}
"""A number, of which e^x is too large for the dtype."""

PUBLIC = NumberKind("the public example X2", torch.float32)
SHOWN = NumberKind("the public example", torch.float32)
"""That of the other chapters."""

TWINS = (1, 2)
"""Two points of the same sizes: a formula that gives the same at both does not read its inputs."""

KINDS = (
    NumberKind("ordinary numbers"),
    NumberKind("ordinary numbers"),
    NumberKind("ordinary numbers", one_row=True),
    NumberKind("ordinary numbers", square=True, reduction="sum", bias=False),
    NumberKind("ordinary numbers", torch.float32, reduction="sum"),
    NumberKind("large numbers", largest=30.0, reduction="sum", bias=False),
    NumberKind("large numbers", torch.float32, largest=30.0),
    NumberKind("many zeros", zeros=True),
)


class Windows(NamedTuple):
    """How the windows of a kernel lie at one point; a pooling's are square and have no padding."""

    kernel: tuple[int, int]
    stride: int
    padding: int


WINDOWS = (
    Windows((3, 2), 2, 2), Windows((3, 2), 2, 2), Windows((2, 2), 1, 0), Windows((3, 3), 1, 1),
    Windows((2, 3), 1, 2), Windows((2, 2), 3, 0), Windows((2, 2), 2, 0), Windows((2, 1), 1, 1),
)  # fmt: skip
"""Of the convolutions, by kind."""

POOLED = ((3, 2), (3, 2), (2, 2), (2, 1), (2, 3), (3, 2), (3, 3), (2, 1))
"""Kernel and stride of the poolings, by kind: windows side by side, overlapping, and with pixels between them."""

TIES = (3, 7)
"""The kinds at which images have few different numbers, so that several pixels of a window are the largest."""


@lru_cache(maxsize=64)
def points(name: str, seed: int, arrays: bool = False) -> tuple[Point, ...]:
    """Return the public point of a class, then the hidden ones of a seed; for arrays of numpy all in float64."""
    kind = QUESTIONS_OF[name][0].kind
    generator = torch.Generator().manual_seed(seed)
    rows, n_in, n_out = (3 + torch.randperm(6, generator=generator)[:3]).tolist()
    sizes = {False: (rows, n_in, n_out), True: (rows, n_in, n_in)}
    kinds = [replace(k, dtype=torch.float64) if arrays else k for k in KINDS]
    if name in LECTURE:
        hidden = [_hidden(kind, k, sizes[k.square], generator) for k in kinds]
    else:
        n, width = (2 + torch.randperm(3, generator=generator)).tolist(), torch.randperm(3, generator=generator)
        hidden = [DRAWN[kind](_Drawn(kind, k, i, generator), n, (5 + width).tolist()) for i, k in enumerate(kinds)]
    public = _public(kind) if name in LECTURE else PUBLIC_POINTS[kind]()
    return (public.in_float64 if arrays else public, *hidden)


def _hidden(kind: type, of: NumberKind, sizes: tuple[int, int, int], generator: torch.Generator) -> Point:
    rows, n_in, n_out = 1 if of.one_row else sizes[0], *sizes[1:]

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=of.dtype, generator=generator)

    def error(*shape: int) -> Tensor:
        e = normal(*shape)
        return torch.cat([e[:-1], torch.zeros_like(e[-1:])]) if of.zeros else e

    x = normal(rows, n_in) * of.largest ** torch.rand(rows, n_in, dtype=of.dtype, generator=generator)
    if of.zeros:
        x.view(-1)[::2] = 0
        x[0] = 0
    if kind is Linear:
        owner = Linear(normal(n_out, n_in), normal(n_out) if of.bias else None)
        return Point(of, owner, x, error(rows, n_out))
    if of.largest > 1:
        x[-1, :2] = torch.tensor([1.0, -1.0]) * SATURATING[of.dtype]
    if "output" in KNOWN[kind].formulas:
        return Point(of, kind(of.reduction), x, torch.softmax(normal(rows, n_in), 1))
    if kind is ReLU:
        x[0, 0] = 0  # its kink
    return Point(of, kind(), x, error(rows, n_in))


def _public(kind: type) -> Point:
    """Return the numbers of X2: those of its first layer, or of its output; two units for the softmax."""
    rows = {name: torch.tensor([numbers]) for name, numbers in X2.items()}
    if kind is Linear:
        owner = Linear(torch.tensor([[0.1, 0.8], [0.4, 0.6]]), torch.zeros(2))
        return Point(PUBLIC, owner, rows["x^0"], rows["δ^1"])
    if kind is SquaredError:
        return Point(PUBLIC, kind(), rows["y"], rows["t"])
    if kind is SoftmaxCrossEntropy:
        return Point(PUBLIC, kind(), rows["net^1"], torch.tensor([[0.0, 1.0]]))
    return Point(PUBLIC, kind(), rows["net^1"], rows["e^1"])


X2 = {
    "x^0": [0.35, 0.9],
    "net^1": [0.755, 0.68],
    "y": [0.690283],
    "t": [0.5],
    "e^1": [-0.012204, -0.036613],  # W^2 δ^2
    "δ^1": [-0.002654, -0.008172],
}


# ------------------------------------------------------------------------------------------------ the other chapters


class _Drawn(NamedTuple):
    """Draws one hidden point of a class."""

    kind: Any
    of: NumberKind
    at: int
    """Which of the KINDS it is."""
    generator: torch.Generator

    def normal(self, *shape: int) -> Tensor:
        """Return normal numbers."""
        return torch.randn(shape, dtype=self.of.dtype, generator=self.generator)

    def x(self, *shape: int) -> Tensor:
        """Return numbers of this kind, in rows of samples."""
        shape = (1 if self.of.one_row else shape[0], *shape[1:])
        wide = torch.rand(shape, dtype=self.of.dtype, generator=self.generator)
        x = self.normal(*shape) * self.of.largest**wide
        if self.of.zeros:
            x.view(-1)[::2] = 0
            x[0] = 0
        return x

    def point(self, owner: Any, x: Tensor) -> Point:
        """Return the point with an error of y."""
        e = self.normal(*owner.forward(x)[0].shape)  # whose shape alone is of use
        return Point(self.of, owner, x, torch.cat([e[:-1], torch.zeros_like(e[-1:])]) if self.of.zeros else e)


def _convolution(d: _Drawn, n: list[int], size: list[int]) -> Point:
    c_in, c_out = sorted([2, 4], reverse=n[0] > 2)
    c_out = c_in if d.of.square else c_out
    kernel, stride, padding = WINDOWS[d.at]
    bias = d.normal(c_out) if d.of.bias else None
    owner = Conv2d(d.normal(c_out, c_in, *kernel), bias, stride, padding)
    return d.point(owner, d.x(3, c_in, *size[:2]))


def _pooling(d: _Drawn, n: list[int], size: list[int]) -> Point:
    x = d.x(2, 4, *size[:2])
    if d.at in TIES:
        x = torch.randint(0, 3, x.shape, generator=d.generator).to(x.dtype) - int(d.of.zeros)
        x[0, 0] = 0
    return d.point(d.kind(*POOLED[d.at]), x)


def _flatten(d: _Drawn, n: list[int], size: list[int]) -> Point:
    return d.point(Flatten(), d.x(*n[:2], *([size[0]] * 2 if d.of.square else size[:2])))


def _layer_norm(d: _Drawn, n: list[int], size: list[int]) -> Point:
    epsilon = 1e-2 if d.at == 2 else 1e-5
    rows, width = n[0] + 1, n[0] + 1 if d.of.square else size[0]
    return d.point(LayerNorm(d.normal(width), d.normal(width), epsilon), d.x(rows, width))


def _recurrent(d: _Drawn, n: list[int], size: list[int]) -> Point:
    rows, n_in, units = n
    units = n_in if d.of.square else units
    steps = 1 if d.at == 5 else size[0]
    parameters = d.normal(units, n_in), d.normal(units, units) / units**0.5, d.normal(units), d.normal(units)
    return d.point(RNN(*parameters), d.x(rows, steps, n_in) / (3 if d.of.largest > 1 else 1))


DRAWN: dict[type, Callable[[_Drawn, list[int], list[int]], Point]] = {
    Conv2d: _convolution, MaxPool2d: _pooling, AvgPool2d: _pooling, Flatten: _flatten, LayerNorm: _layer_norm,
    RNN: _recurrent,
}  # fmt: skip
"""How a hidden point of a class is drawn, with three different small sizes, and three of images or sequences.

Images have fixed numbers of samples and channels: a mean over 9 pixels is not to look like one over something else.
"""

IMAGE = torch.arange(1.0, 10.0).view(1, 1, 3, 3)


def _of_template(owner: Any, x: Tensor, error: list[Any]) -> Point:
    return Point(SHOWN, owner, x, torch.tensor(error, dtype=torch.float32))


PUBLIC_POINTS: dict[type, Callable[[], Point]] = {
    Conv2d: lambda: _of_template(
        Conv2d(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), torch.tensor([0.5])), IMAGE, [[[[1.0, -1.0], [2.0, 0.5]]]]
    ),
    MaxPool2d: lambda: _of_template(MaxPool2d(2, 1), IMAGE, [[[[1.0, -1.0], [2.0, 0.5]]]]),
    AvgPool2d: lambda: _of_template(AvgPool2d(2, 1), IMAGE, [[[[1.0, -1.0], [2.0, 0.5]]]]),
    Flatten: lambda: _of_template(Flatten(), IMAGE, [[*range(1, 10)]]),
    LayerNorm: lambda: _of_template(
        LayerNorm(torch.tensor([1.0, 2.0, -1.0]), torch.tensor([0.5, 0.0, 0.0])),
        torch.tensor([[1.0, 2.0, 6.0]]), [[1.0, 0.5, 2.0]],
    ),
    RNN: lambda: _of_template(
        RNN(torch.tensor([[0.5]]), torch.tensor([[-1.0]]), torch.tensor([0.1]), torch.tensor([0.2])),
        torch.tensor([[[1.0], [2.0]]]), [[[1.0], [0.5]]],
    ),
}  # fmt: skip
"""The numbers that the templates of the other chapters show."""
