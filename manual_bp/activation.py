"""Activation functions: the output of a unit (E2) and its derivative from the stored output alone (E16).

    forward    E2    x = σ(net)
    backward   E15   δ = σ′(net) e                e: the error of x
               E16   σ′(net) = x (1 − x)          Sigmoid (E3)
                         1 − x²             Tanh
                         1 if x > 0 else 0  ReLU: the subgradient 0 at its kink net = 0

The order of the multiplications is autograd's, so that every bit agrees: e (1 − x) x, not e (x (1 − x)).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from manual_bp.layer import NEW, ByName, check_like, constant


@dataclass(frozen=True)
class Sigmoid:
    """σ(z) = 1 / (1 + e^−z) (E3), the lecture's activation; outputs in [0, 1]."""

    def forward(self, x: Tensor, out: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return x^l = σ(net^l), elementwise on any shape; saves x^l."""
        net, (y, _) = x, out or NEW
        y = torch.sigmoid(net, out=y)
        return y, y

    def backward(
        self, error: Tensor, saved: Tensor, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return δ = e (1 − x) x (E16)."""
        x, (delta, _) = saved, out or NEW
        if delta is None:
            check_like("Sigmoid", "the error of x", error, saved)
        delta = torch.sub(constant(1.0, x.dtype), x, out=delta)
        return delta.mul_(error).mul_(x), {}


@dataclass(frozen=True)
class Tanh:
    """tanh z = 2 σ(2z) − 1; outputs in [-1, 1]."""

    def forward(self, x: Tensor, out: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return x^l = tanh(net^l), elementwise on any shape; saves x^l."""
        net, (y, _) = x, out or NEW
        y = torch.tanh(net, out=y)
        return y, y

    def backward(
        self, error: Tensor, saved: Tensor, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return δ = e (1 − x²), with x² subtracted in one rounding."""
        x, (delta, _) = saved, out or NEW
        if delta is None:
            check_like("Tanh", "the error of x", error, saved)
        delta = torch.addcmul(constant(1.0, x.dtype, x.device), x, x, value=-1, out=delta)
        return delta.mul_(error), {}


@dataclass(frozen=True)
class ReLU:
    """max(0, z); outputs in [0, inf)."""

    def forward(self, x: Tensor, out: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return x^l = max(0, net^l), elementwise on any shape; saves x^l."""
        net, (y, _) = x, out or NEW
        y = torch.clamp_min(net, 0, out=y)
        return y, y

    def backward(
        self, error: Tensor, saved: Tensor, out: tuple[Tensor | None, ByName] | None = None
    ) -> tuple[Tensor, ByName]:
        """Return δ = e where x > 0, else 0: sign(x) is 1 or 0, since x >= 0."""
        x, (delta, _) = saved, out or NEW
        if delta is None:
            check_like("ReLU", "the error of x", error, saved)
        delta = torch.sign(x, out=delta)
        return delta.mul_(error), {}
