"""Layers with gates: highway, gated feed-forward, and one step of a GRU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import PART, Inputs, Numbers, programs, wrong


class Highway:
    """t tanh(x W) + (1 − t) x, with the gate t = σ(x V + b)."""

    def forward(self, x: Tensor, v: Tensor, b: Tensor, w: Tensor) -> Tensor:
        t = torch.sigmoid(x @ v + b)
        return t * torch.tanh(x @ w) + (1 - t) * x

    def backward(self, d: Tensor, x: Tensor, v: Tensor, b: Tensor, w: Tensor) -> Any:
        t, h = torch.sigmoid(x @ v + b), torch.tanh(x @ w)
        d_t = d * (h - x) * t * (1 - t)
        d_h = d * t * (1 - h * h)
        d_x = d * (1 - t) + d_t @ v.T + d_h @ w.T
        return d_x, x.T @ d_t, d_t.sum(0), x.T @ d_h

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(9, 5), g.normal(5, 5, scale=0.5), g.normal(5), g.normal(5, 5, scale=0.5)

    mistakes = (
        wrong("carried part forgotten", "d * (1 - t) + ", "", PART),
        wrong("carried part not in the gate", "(h - x)", "h", f"{PART} term-missing"),
        wrong("gate for its complement", "d * (1 - t) +", "d * t +", "another-tensor swapped slope-miswritten"),
        wrong(
            "other weights on the way back", "d_t @ v.T + d_h @ w.T", "d_t @ w.T + d_h @ v.T", "another-tensor swapped"
        ),
        wrong("first sample for the bias", "d_t.sum(0)", "d_t[0]", "one-sample broadcast-not-summed"),
        wrong("slope of the gate twice", "* t * (1 - t)", "* (t * (1 - t)) ** 2", "slope-twice wrong-power"),
    )


class GatedFeedForward:
    """(silu(x Wᵀ) ⊙ x Vᵀ) Uᵀ, of (B, T, D)."""

    def forward(self, x: Tensor, w: Tensor, v: Tensor, u: Tensor) -> Tensor:
        a = x @ w.T
        return (a * torch.sigmoid(a) * (x @ v.T)) @ u.T

    def backward(self, d: Tensor, x: Tensor, w: Tensor, v: Tensor, u: Tensor) -> Any:
        a, b = x @ w.T, x @ v.T
        s = torch.sigmoid(a)
        silu = a * s
        d_g = d @ u
        d_a = d_g * b * s * (1 + a * (1 - s))
        d_b = d_g * silu
        d_w = torch.einsum("bth,bti->hi", d_a, x)
        d_v = torch.einsum("bth,bti->hi", d_b, x)
        d_u = torch.einsum("bto,bth->oh", d, silu * b)
        return d_a @ w + d_b @ v, d_w, d_v, d_u

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 4, 5), g.normal(6, 5), g.normal(6, 5), g.normal(5, 6)

    mistakes = (
        wrong(
            "slope of the sigmoid alone",
            "s * (1 + a * (1 - s))",
            "s * (1 - s)",
            f"{PART} slope-of-another-function slope-miswritten",
        ),
        wrong("linear way to x forgotten", "d_a @ w + d_b @ v", "d_a @ w", PART),
        wrong(
            "gate without its input",
            "d_g * silu",
            "d_g * s",
            "another-tensor slope-miswritten slope-of-another-function term-missing",
        ),
        wrong("linear half not in u", "d, silu * b)", "d, silu)", "another-tensor term-missing input-missing"),
        wrong("first sequence for w", "d_a, x)", "d_a[:1], x[:1])", "one-sample"),
        wrong(
            "linear half not in the gate",
            "d_g * b * s",
            "d_g * s",
            "weights-missing term-missing slope-missing input-missing",
        ),
    )


class ResetCell:
    """One step of a GRU: n = tanh(x A + r ⊙ h B), out (1 − z) n + z h; the gates r and z see x and h."""

    def forward(self, x: Tensor, h: Tensor, wr: Tensor, wz: Tensor, a: Tensor, b: Tensor) -> Tensor:
        both = torch.cat([x, h], 1)
        r, z = torch.sigmoid(both @ wr), torch.sigmoid(both @ wz)
        return (1 - z) * torch.tanh(x @ a + r * (h @ b)) + z * h

    def backward(self, d: Tensor, x: Tensor, h: Tensor, wr: Tensor, wz: Tensor, a: Tensor, b: Tensor) -> Any:
        width, both = x.shape[1], torch.cat([x, h], 1)
        r, z = torch.sigmoid(both @ wr), torch.sigmoid(both @ wz)
        m = h @ b
        n = torch.tanh(x @ a + r * m)
        d_n = d * (1 - z) * (1 - n * n)
        d_z = d * (h - n) * z * (1 - z)
        d_r = d_n * m * r * (1 - r)
        d_m = d_n * r
        d_both = d_r @ wr.T + d_z @ wz.T
        d_x = d_n @ a.T + d_both[:, :width]
        d_h = d * z + d_m @ b.T + d_both[:, width:]
        return d_x, d_h, both.T @ d_r, both.T @ d_z, x.T @ d_n, h.T @ d_m

    def draw(self, g: Numbers) -> Inputs:
        gates = g.normal(7, 4, scale=0.6), g.normal(7, 4, scale=0.6)
        return g.normal(8, 3), g.normal(8, 4), *gates, g.normal(3, 4), g.normal(4, 4)

    mistakes = (
        wrong("reset gate forgotten", "d_m = d_n * r", "d_m = d_n", "slope-missing weights-missing term-missing"),
        wrong("kept state forgotten", "d * z + ", "", PART),
        wrong("state and candidate exchanged", "(h - n)", "(n - h)", "wrong-sign swapped plus-for-minus"),
        wrong("state without its weights", "d_n * m * r", "d_n * h * r", "another-tensor weights-missing"),
        wrong(
            "gates exchanged", "both.T @ d_r, both.T @ d_z", "both.T @ d_z, both.T @ d_r", "another-gradient swapped"
        ),
        wrong("gates' way to the state forgotten", " + d_both[:, width:]", "", PART),
    )


PROGRAMS = programs("cells with gates", Highway, GatedFeedForward, ResetCell)
