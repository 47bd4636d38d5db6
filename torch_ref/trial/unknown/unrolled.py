"""Loops over the steps of a sequence, unrolled by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import PART, Inputs, Numbers, programs, wrong


class CharacterModel:
    """One text: h = tanh(column of U + W h + b), a softmax over V h + c at each step, the sum of the losses."""

    def forward(self, ids: Tensor, following: Tensor, u: Tensor, w: Tensor, v: Tensor, b: Tensor, c: Tensor) -> Tensor:
        h, loss = torch.zeros_like(b), torch.zeros_like(b[0])
        for now, then in zip(ids, following, strict=True):
            h = torch.tanh(u[:, now] + w @ h + b)
            loss = loss - torch.log_softmax(v @ h + c, 0)[then]
        return loss

    def backward(
        self, d: Tensor, ids: Tensor, following: Tensor, u: Tensor, w: Tensor, v: Tensor, b: Tensor, c: Tensor
    ) -> Any:
        hs, ps = {-1: torch.zeros_like(b)}, {}
        for t in range(len(ids)):
            hs[t] = torch.tanh(u[:, ids[t]] + w @ hs[t - 1] + b)
            ps[t] = torch.softmax(v @ hs[t] + c, 0)
        du, dw, dv, db, dc = (torch.zeros_like(p) for p in (u, w, v, b, c))
        dh_next = torch.zeros_like(b)
        for t in reversed(range(len(ids))):
            dy = ps[t].clone()
            dy[following[t]] -= 1
            dy = d * dy
            dv += torch.outer(dy, hs[t])
            dc += dy
            dh = v.T @ dy + dh_next
            draw = (1 - hs[t] ** 2) * dh
            db += draw
            du[:, ids[t]] += draw
            dw += torch.outer(draw, hs[t - 1])
            dh_next = w.T @ draw
        return None, None, du, dw, dv, db, dc

    def draw(self, g: Numbers) -> Inputs:
        weights = (g.normal(5, 6), g.normal(5, 5, scale=0.6), g.normal(6, 5))
        return (
            torch.tensor([3, 1, 4, 1, 5, 0, 2]),
            torch.tensor([1, 4, 1, 5, 0, 2, 5]),
            *weights,
            g.normal(5),
            g.normal(6),
        )

    mistakes = (
        wrong("nothing through time", "v.T @ dy + dh_next", "v.T @ dy", PART, places=((0, 1, 3, 4, 5),)),
        wrong(
            "character itself for the next",
            "dy[following[t]]",
            "dy[ids[t]]",
            "another-tensor wrong-sample shifted",
            places=((3, 5),),
        ),
        wrong(
            "repeated character overwritten",
            "du[:, ids[t]] +=",
            "du[:, ids[t]] =",
            "duplicates-overwritten",
            places=((1,),),
        ),
        wrong("state after for w", "outer(draw, hs[t - 1])", "outer(draw, hs[t])", "another-tensor shifted"),
        wrong(
            "without the slope through time",
            "w.T @ draw",
            "w.T @ dh",
            "slope-missing another-tensor",
            places=((0, 1, 3, 4, 5),),
        ),
        wrong(
            "first step's bias alone", "dc += dy", "dc = dy", f"{PART} step-missing one-sample duplicates-overwritten"
        ),
        wrong(
            "step by step from the start",
            "in reversed(range(len(ids)))",
            "in range(len(ids))",
            f"{PART} swapped shifted another-tensor wrong-sample",
        ),
    )


class ResetInside:
    """A GRU over (T, N, D), the reset gate on what the state sends: n = tanh(x A + r (h B + b)); all h are returned."""

    def forward(self, x: Tensor, h: Tensor, wx: Tensor, wh: Tensor, b: Tensor) -> Tensor:
        seen = []
        for step in x:
            r, z, n = (step @ wx).chunk(3, 1)
            to_r, to_z, to_n = (h @ wh + b).chunk(3, 1)
            z = torch.sigmoid(z + to_z)
            h = (1 - z) * torch.tanh(n + torch.sigmoid(r + to_r) * to_n) + z * h
            seen.append(h)
        return torch.stack(seen)

    def backward(self, d: Tensor, x: Tensor, h: Tensor, wx: Tensor, wh: Tensor, b: Tensor) -> Any:
        cache = []
        for step in x:
            r, z, n = (step @ wx).chunk(3, 1)
            to_r, to_z, to_n = (h @ wh + b).chunk(3, 1)
            r, z = torch.sigmoid(r + to_r), torch.sigmoid(z + to_z)
            n = torch.tanh(n + r * to_n)
            cache.append((h, r, z, n, to_n))
            h = (1 - z) * n + z * h
        d_x, d_wx, d_wh, d_b, d_h = (torch.zeros_like(p) for p in (x, wx, wh, b, h))
        for t in range(len(x) - 1, -1, -1):
            h, r, z, n, to_n = cache[t]
            d_h = d_h + d[t]
            d_n = d_h * (1 - z) * (1 - n * n)
            d_z = d_h * (h - n) * z * (1 - z)
            d_r = d_n * to_n * r * (1 - r)
            d_gx = torch.cat([d_r, d_z, d_n], 1)
            d_gh = torch.cat([d_r, d_z, d_n * r], 1)
            d_wx += x[t].T @ d_gx
            d_wh += h.T @ d_gh
            d_b += d_gh.sum(0)
            d_x[t] = d_gx @ wx.T
            d_h = d_h * z + d_gh @ wh.T
        return d_x, d_h, d_wx, d_wh, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 5, 3), g.normal(5, 4), g.normal(3, 12), g.normal(4, 12, scale=0.6), g.normal(12)

    mistakes = (
        wrong(
            "reset gate forgotten",
            "d_z, d_n * r]",
            "d_z, d_n]",
            "weights-missing slope-missing term-missing another-tensor",
            places=((0, 1, 2),),
        ),
        wrong("sign of the update gate", "(h - n)", "(n - h)", "wrong-sign swapped"),
        wrong("state for what it sends", "d_n * to_n", "d_n * h", "another-tensor weights-missing"),
        wrong(
            "gates exchanged",
            "[d_r, d_z, d_n], 1)",
            "[d_z, d_r, d_n], 1)",
            "swapped another-tensor unit-beside another-gradient",
            places=((0, 1, 2, 3, 4, 5, 6, 7),),
        ),
        wrong("nothing through time", "d_h = d_h + d[t]", "d_h = d[t]", PART, places=((0, 1, 2),)),
        wrong("slope of a sigmoid", "(1 - n * n)", "n * (1 - n)", "slope-of-another-function slope-miswritten"),
        wrong("last step left out", "range(len(x) - 1, ", "range(len(x) - 2, ", "step-missing zero-rows"),
    )


class PeepholeMemory:
    """An LSTM whose gates see the cell, over (T, N, D); where a step is padding, both stay. Its last state."""

    def forward(self, x: Tensor, there: Tensor, w: Tensor, p: Tensor) -> Tensor:
        c = h = torch.zeros(x.shape[1], p.shape[1]).to(x)
        for step, k in zip(x, there[..., None], strict=True):
            i, f, g, o = (torch.cat([step, h], 1) @ w).chunk(4, 1)
            new = torch.sigmoid(f + p[1] * c) * c + torch.sigmoid(i + p[0] * c) * torch.tanh(g)
            h = torch.where(k, torch.sigmoid(o + p[2] * new) * torch.tanh(new), h)
            c = torch.where(k, new, c)
        return h

    def backward(self, d: Tensor, x: Tensor, there: Tensor, w: Tensor, p: Tensor) -> Any:
        size, kept = p.shape[1], []
        c = h = torch.zeros(x.shape[1], size).to(x)
        for step, k in zip(x, there[..., None], strict=True):
            i, f, g, o = (torch.cat([step, h], 1) @ w).chunk(4, 1)
            i, f, g = torch.sigmoid(i + p[0] * c), torch.sigmoid(f + p[1] * c), torch.tanh(g)
            new = f * c + i * g
            o = torch.sigmoid(o + p[2] * new)
            kept.append((step, k, h, c, i, f, g, o, new))
            h, c = torch.where(k, o * torch.tanh(new), h), torch.where(k, new, c)
        d_x = torch.zeros_like(x)
        d_w, d_p = torch.zeros_like(w), torch.zeros_like(p)
        d_h, d_c = d, torch.zeros_like(d)
        for t in reversed(range(len(x))):
            step, k, h, c, i, f, g, o, new = kept[t]
            squashed = torch.tanh(new)
            d_new_h = d_h * k
            d_o = d_new_h * squashed * o * (1 - o)
            d_new = d_c * k + d_new_h * o * (1 - squashed**2) + d_o * p[2]
            d_i, d_f = d_new * g * i * (1 - i), d_new * c * f * (1 - f)
            d_a = torch.cat([d_i, d_f, d_new * i * (1 - g * g), d_o], 1)
            d_w += torch.cat([step, h], 1).T @ d_a
            d_p += torch.stack([(d_i * c).sum(0), (d_f * c).sum(0), (d_o * new).sum(0)])
            d_both = d_a @ w.T
            d_x[t] = d_both[:, :-size]
            d_h = d_h * ~k + d_both[:, -size:]
            d_c = d_c * ~k + d_new * f + d_i * p[0] + d_f * p[1]
        return d_x, None, d_w, d_p

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 6, 4), g.mask(5, 6), g.normal(8, 16, scale=0.6), g.normal(3, 4)

    mistakes = (
        wrong("output gate's look forgotten", " + d_o * p[2]", "", PART),
        wrong("old cell for the output gate", "(d_o * new)", "(d_o * c)", "another-tensor shifted", places=((2,),)),
        wrong(
            "padding learns", "d_new_h = d_h * k", "d_new_h = d_h", "wrong-mask", places=((0, 1, 2, 3), (0, 1, 4, 5))
        ),
        wrong("cell for its tanh", "(1 - squashed**2)", "(1 - new**2)", "slope-at-input another-tensor"),
        wrong(
            "forget gate forgotten",
            "d_new * f + d_i",
            "d_new + d_i",
            "weights-missing slope-missing term-missing",
            places=((0, 1, 2, 3),),
        ),
        wrong(
            "halves exchanged",
            "d_both[:, :-size]",
            "d_both[:, -size:]",
            "swapped another-tensor another-gradient",
            ("~k + d_both[:, -size:]", "~k + d_both[:, :-size]"),
        ),
        wrong(
            "first step of w alone",
            "d_w += torch",
            "d_w = torch",
            f"{PART} step-missing one-sample duplicates-overwritten",
        ),
    )


PROGRAMS = programs("unrolled", CharacterModel, ResetInside, PeepholeMemory)
