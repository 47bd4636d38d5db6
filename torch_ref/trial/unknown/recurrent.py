"""Recurrent cells over several steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class ElmanNet:
    """h = tanh(x U + h W + b) over the steps of (T, N, D); all h are returned."""

    def forward(self, x: Tensor, u: Tensor, w: Tensor, b: Tensor) -> Tensor:
        h, all_of_them = torch.zeros(x.shape[1], len(w)).to(x), []
        for step in x:
            h = torch.tanh(step @ u + h @ w + b)
            all_of_them.append(h)
        return torch.stack(all_of_them)

    def backward(self, d: Tensor, x: Tensor, u: Tensor, w: Tensor, b: Tensor) -> Any:
        h = self.forward(x, u, w, b)
        before = torch.cat([torch.zeros_like(h[:1]), h[:-1]])
        d_x, d_u, d_w, d_b = (torch.zeros_like(p) for p in (x, u, w, b))
        d_next = torch.zeros_like(h[0])
        for t in reversed(range(len(x))):
            d_h = d[t] + d_next
            d_a = d_h * (1 - h[t] ** 2)
            d_u += x[t].T @ d_a
            d_w += before[t].T @ d_a
            d_b += d_a.sum(0)
            d_x[t] = d_a @ u.T
            d_next = d_a @ w.T
        return d_x, d_u, d_w, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 4, 3), g.normal(3, 6, scale=0.6), g.normal(6, 6, scale=0.4), g.normal(6)

    mistakes = (
        wrong("nothing through time", "d[t] + d_next", "d[t]", PART, places=((0, 1, 2, 3),)),
        wrong(
            "only the last step from above",
            "d[t] + d_next",
            "(d[t] if t == len(x) - 1 else 0) + d_next",
            "step-missing part-missing path-detached",
            places=((0, 1, 2, 3),),
        ),
        wrong("written over for u", "d_u += x", "d_u = x", "step-missing one-sample"),
        wrong("state after for w", "before[t].T", "h[t].T", "another-tensor shifted"),
        wrong("slope forgotten", "d_h * (1 - h[t] ** 2)", "d_h", "slope-missing"),
        wrong("weights not transposed", "d_a @ w.T", "d_a @ w", "transposed-weights", places=((0, 1, 2, 3),)),
        wrong(
            "slope at the state before",
            "1 - h[t] ** 2",
            "1 - before[t] ** 2",
            "another-tensor shifted slope-miswritten",
        ),
        wrong(
            "without the slope through time",
            "d_next = d_a @ w.T",
            "d_next = d_h @ w.T",
            "slope-missing",
            places=((0, 1, 2, 3),),
        ),
        wrong("first step left out", "range(len(x))", "range(1, len(x))", "step-missing zero-rows", places=((0,),)),
        wrong("mean for the bias", "d_a.sum(0)", "d_a.mean(0)", MEAN),
        wrong("mean over the steps for w", "return d_x, d_u, d_w,", "return d_x, d_u, d_w / len(x),", MEAN),
        wrong("w transposed", "before[t].T @ d_a", "d_a.T @ before[t]", "transposed swapped"),
    )


class GatedCell:
    """A GRU without reset gate, over four steps; the last state is returned."""

    def forward(self, x: Tensor, h: Tensor, wz: Tensor, wc: Tensor) -> Tensor:
        for step in x:
            both = torch.cat([step, h], 1)
            z, c = torch.sigmoid(both @ wz), torch.tanh(both @ wc)
            h = (1 - z) * h + z * c
        return h

    def backward(self, d: Tensor, x: Tensor, h: Tensor, wz: Tensor, wc: Tensor) -> Any:
        kept = []
        for step in x:
            both = torch.cat([step, h], 1)
            z, c = torch.sigmoid(both @ wz), torch.tanh(both @ wc)
            kept.append((both, z, c, h))
            h = (1 - z) * h + z * c
        d_h, d_wz, d_wc, d_x = d, torch.zeros_like(wz), torch.zeros_like(wc), []
        for both, z, c, before in reversed(kept):
            d_z = d_h * (c - before) * z * (1 - z)
            d_c = d_h * z * (1 - c * c)
            d_wz = d_wz + both.T @ d_z
            d_wc = d_wc + both.T @ d_c
            d_both = d_z @ wz.T + d_c @ wc.T
            d_x.append(d_both[:, :3])
            d_h = d_h * (1 - z) + d_both[:, 3:]
        return torch.stack(d_x[::-1]), d_h, d_wz, d_wc

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 7, 3), g.normal(7, 5), g.normal(8, 5, scale=0.5), g.normal(8, 5, scale=0.5)

    mistakes = (
        wrong("carried state forgotten", "d_h * (1 - z) + d_both[:, 3:]", "d_both[:, 3:]", PART, places=((0, 1, 2),)),
        wrong("way through the gates forgotten", " + d_both[:, 3:]", "", PART, places=((0, 1, 2),)),
        wrong("steps not turned back", "d_x[::-1]", "d_x", "shifted swapped wrong-sample another-axis"),
        wrong("old state forgotten in the gate", "(c - before)", "c", f"{PART} term-missing"),
        wrong("gate for its complement", "d_h * (1 - z) +", "d_h * z +", "another-tensor swapped", places=((0, 1, 2),)),
        wrong("slope of tanh forgotten", "d_h * z * (1 - c * c)", "d_h * z", "slope-missing"),
        wrong("slope of the gate forgotten", "(c - before) * z * (1 - z)", "(c - before)", "slope-missing"),
        wrong("weights' gradients exchanged", "d_h, d_wz, d_wc\n", "d_h, d_wc, d_wz\n", "another-gradient swapped"),
        wrong(
            "last step of wc alone",
            "d_wc = d_wc + both.T @ d_c",
            "d_wc = both.T @ d_c",
            "step-missing one-sample duplicates-overwritten part-missing path-detached",
        ),
        wrong("candidate forgotten", "d_z @ wz.T + d_c @ wc.T", "d_z @ wz.T", PART),
        wrong("mean over the steps", "d_h, d_wz, d_wc\n", "d_h, d_wz, d_wc / len(x)\n", MEAN),
    )


class LongShortTerm:
    """An LSTM over three steps, its gates in one product; state and cell begin at 0."""

    def forward(self, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        n = len(b) // 4
        h = c = torch.zeros(x.shape[1], n).to(x)
        for step in x:
            i, f, o, g = (torch.cat([step, h], 1) @ w + b).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return h

    def backward(self, d: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
        n, width, kept = len(b) // 4, x.shape[2], []
        h = c = torch.zeros(x.shape[1], n).to(x)
        for step in x:
            both = torch.cat([step, h], 1)
            i, f, o, g = (both @ w + b).chunk(4, 1)
            i, f, o, g = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g)
            old, c = c, f * c + i * g
            h = o * torch.tanh(c)
            kept.append((both, i, f, o, g, old, c))
        d_h, d_c, d_x = d, torch.zeros_like(c), torch.zeros_like(x)
        d_w, d_b = torch.zeros_like(w), torch.zeros_like(b)
        for t in reversed(range(len(x))):
            both, i, f, o, g, old, c = kept[t]
            d_o = d_h * torch.tanh(c) * o * (1 - o)
            d_c = d_c + d_h * o * (1 - torch.tanh(c) ** 2)
            d_i, d_f, d_g = d_c * g * i * (1 - i), d_c * old * f * (1 - f), d_c * i * (1 - g * g)
            d_a = torch.cat([d_i, d_f, d_o, d_g], 1)
            d_w, d_b = d_w + both.T @ d_a, d_b + d_a.sum(0)
            d_x[t] = d_a @ w[:width].T
            d_h = d_a @ w[width:].T
            d_c = d_c * f
        return d_x, d_w, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 6, 2), g.normal(6, 16, scale=0.7), g.normal(16)

    mistakes = (
        wrong("cell's own way forgotten", "d_c = d_c + d_h * o", "d_c = d_h * o", PART, places=((0, 1),)),
        wrong(
            "forget gate forgotten",
            "d_c = d_c * f\n",
            "d_c = d_c * 1\n",
            "slope-missing weights-missing term-missing",
            places=((0, 1),),
        ),
        wrong(
            "gates in another order",
            "[d_i, d_f, d_o, d_g]",
            "[d_f, d_i, d_o, d_g]",
            "swapped another-gradient unit-beside another-tensor",
        ),
        wrong("slope of the cell forgotten", " * (1 - torch.tanh(c) ** 2)", "", "slope-missing"),
        wrong("new cell for the old", "d_c * old * f", "d_c * c * f", "another-tensor shifted"),
        wrong("candidate as a sigmoid", "(1 - g * g)", "g * (1 - g)", "slope-of-another-function slope-miswritten"),
        wrong("nothing through the state", "d_h = d_a @ w[width:].T", "d_h = 0 * d_h", PART, places=((0, 1),)),
        wrong("last step of the bias alone", "d_b + d_a.sum(0)", "d_a.sum(0)", "step-missing one-sample part-missing"),
        wrong("mean for the bias", "d_b + d_a.sum(0)", "d_b + d_a.mean(0)", MEAN),
        wrong("output gate's slope forgotten", "torch.tanh(c) * o * (1 - o)", "torch.tanh(c)", "slope-missing"),
        wrong("cell without its tanh", "d_h * torch.tanh(c) * o *", "d_h * c * o *", "another-tensor slope-at-input"),
        wrong(
            "first step left out",
            "for t in reversed(range(len(x)))",
            "for t in reversed(range(1, len(x)))",
            "step-missing zero-rows",
            places=((0,), (0, 1)),
        ),
    )


PROGRAMS = programs("recurrent", ElmanNet, GatedCell, LongShortTerm)
