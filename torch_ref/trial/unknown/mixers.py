"""More kinds of attention: learned relative places, a sliding window, cosines, a memory that fades."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class RelativeKeys:
    """softmax((q kᵀ + q · r[t − s]) / √D) v of (B, T, D); the table r has a row for each distance from −T + 1 on."""

    def places(self, q: Tensor) -> Tensor:
        steps = torch.arange(q.shape[1], device=q.device)
        return steps[:, None] - steps + q.shape[1] - 1

    def forward(self, q: Tensor, k: Tensor, v: Tensor, r: Tensor) -> Tensor:
        far = torch.einsum("btd,tsd->bts", q, r[self.places(q)])
        return torch.softmax((q @ k.mT + far) / q.shape[2] ** 0.5, 2) @ v

    def backward(self, d: Tensor, q: Tensor, k: Tensor, v: Tensor, r: Tensor) -> Any:
        at = self.places(q)
        rel = r[at]
        root = q.shape[2] ** 0.5
        a = torch.softmax((q @ k.mT + torch.einsum("btd,tsd->bts", q, rel)) / root, 2)
        d_v = a.mT @ d
        d_a = d @ v.mT
        d_s = a * (d_a - (a * d_a).sum(2, keepdim=True)) / root
        d_q = d_s @ k + torch.einsum("bts,tsd->btd", d_s, rel)
        d_k = d_s.mT @ q
        d_rel = torch.einsum("bts,btd->tsd", d_s, q)
        d_r = torch.zeros_like(r).index_add_(0, at.flatten(), d_rel.flatten(0, 1))
        return d_q, d_k, d_v, d_r

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 5, 4), g.normal(3, 5, 4), g.normal(3, 5, 4), g.normal(9, 4)

    mistakes = (
        wrong("places forgotten for the queries", ' + torch.einsum("bts,tsd->btd", d_s, rel)', "", PART),
        wrong(
            "one pair for each distance",
            "index_add_(0, at.flatten(), d_rel.flatten(0, 1))",
            "index_copy_(0, at.flatten(), d_rel.flatten(0, 1))",
            "duplicates-overwritten step-missing part-missing windows-overwritten",
            places=((1, 2, 3, 4, 5, 6, 7),),
        ),
        wrong(
            "distances the other way",
            "at.flatten()",
            "at.T.flatten()",
            "swapped transposed kernel-turned shifted another-tensor",
            places=((0, 1, 2, 3, 5, 6, 7, 8),),
        ),
        wrong(
            "softmax entry by entry",
            " - (a * d_a).sum(2, keepdim=True)",
            "",
            f"{PROJECTION} softmax-not-differentiated term-missing",
        ),
        wrong("root forgotten", ") / root\n    d_q", ")\n    d_q", "factor slope-missing term-missing"),
        wrong(
            "queries and keys not exchanged", "d_s.mT @ q", "d_s @ q", "transposed transposed-weights another-tensor"
        ),
    )


class SlidingWindow:
    """Each step of (T, D) sees itself and the three before; a learned number for each distance is added."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, b: Tensor) -> Tensor:
        step = torch.arange(len(q), device=q.device)
        gap = step[:, None] - step
        s = 0.5 * q @ k.T + b[gap.clamp(0, 3)]
        return torch.softmax(s.masked_fill((gap < 0) | (gap > 3), -torch.inf), 1) @ v

    def backward(self, d: Tensor, q: Tensor, k: Tensor, v: Tensor, b: Tensor) -> Any:
        d_q, d_k, d_v, d_b = (torch.zeros_like(one) for one in (q, k, v, b))
        for t in range(len(q)):
            lo, hi = max(0, t - 3), t + 1
            s = 0.5 * k[lo:hi] @ q[t] + b[: hi - lo].flip(0)
            a = torch.softmax(s, 0)
            d_v[lo:hi] += torch.outer(a, d[t])
            d_a = v[lo:hi] @ d[t]
            d_s = a * (d_a - a @ d_a)
            d_b[: hi - lo] += d_s.flip(0)
            d_q[t] = 0.5 * d_s @ k[lo:hi]
            d_k[lo:hi] += 0.5 * torch.outer(d_s, q[t])
        return d_q, d_k, d_v, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(9, 4), g.normal(9, 4), g.normal(9, 4), g.normal(4)

    mistakes = (
        wrong(
            "window shorter by one",
            "max(0, t - 3)",
            "max(0, t - 2)",
            "wrong-mask step-missing window-missing window-beside wrong-argument term-missing",
            places=((3, 4, 5, 6, 7, 8),),
        ),
        wrong(
            "values overwritten",
            "d_v[lo:hi] += ",
            "d_v[lo:hi] = ",
            f"{PART} windows-overwritten duplicates-overwritten step-missing",
            places=((0, 1, 2, 3, 4, 5, 6, 7),),
        ),
        wrong("distances not turned round", "+= d_s.flip(0)", "+= d_s", "swapped kernel-turned shifted another-tensor"),
        wrong("half forgotten for the keys", "0.5 * torch.outer(d_s, q[t])", "torch.outer(d_s, q[t])", "factor"),
        wrong(
            "distances not in the scores",
            " + b[: hi - lo].flip(0)",
            "",
            "bias-missing term-missing",
            places=((1, 2, 3, 4, 5, 6, 7, 8),),
        ),
        wrong(
            "query of the first in sight",
            "torch.outer(d_s, q[t])",
            "torch.outer(d_s, q[lo])",
            "another-tensor wrong-sample shifted",
        ),
        wrong(
            "first step left out",
            "in range(len(q))",
            "in range(1, len(q))",
            "zero-rows step-missing sample-missing only-some part-missing",
            places=((0,),),
        ),
    )


class CosineHeads:
    """softmax(e^s q̂ k̂ᵀ) v of (B, H, T, D): rows of q and k brought to length 1, s of each head to be learned."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, s: Tensor) -> Tensor:
        cos = torch.nn.functional.normalize(q, dim=3) @ torch.nn.functional.normalize(k, dim=3).mT
        return torch.softmax(s.exp()[:, None, None] * cos, 3) @ v

    def unit_backward(self, d: Tensor, x: Tensor) -> Tensor:
        r: Tensor = x.norm(dim=3, keepdim=True)
        return (d - x * (d * x).sum(3, keepdim=True) / (r * r)) / r

    def backward(self, d: Tensor, q: Tensor, k: Tensor, v: Tensor, s: Tensor) -> Any:
        sharp = s.exp()[:, None, None]
        q1, k1 = q / q.norm(dim=3, keepdim=True), k / k.norm(dim=3, keepdim=True)
        cos = q1 @ k1.mT
        a = torch.softmax(sharp * cos, 3)
        d_v = a.mT @ d
        d_a = d @ v.mT
        d_score = a * (d_a - (a * d_a).sum(3, keepdim=True))
        d_s = (d_score * cos * sharp).sum((0, 2, 3))
        d_cos = d_score * sharp
        d_q = self.unit_backward(d_cos @ k1, q)
        d_k = self.unit_backward(d_cos.mT @ q1, k)
        return d_q, d_k, d_v, d_s

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 2, 5, 4), g.normal(3, 2, 5, 4), g.normal(3, 2, 5, 4), torch.tensor([0.9, 0.4])

    mistakes = (
        wrong(
            "keys without their norm",
            "self.unit_backward(d_cos.mT @ q1, k)",
            "d_cos.mT @ q1",
            f"{PROJECTION} slope-missing term-missing",
        ),
        wrong(
            "sharpness forgotten on the way",
            "d_cos = d_score * sharp",
            "d_cos = d_score",
            "weights-missing slope-missing factor term-missing",
        ),
        wrong("softmax summed down the queries", "(a * d_a).sum(3,", "(a * d_a).sum(2,", "another-axis"),
        wrong("keys of any length", "d_cos @ k1, q)", "d_cos @ k, q)", "another-tensor slope-at-input wrong-argument"),
        wrong("values weighed across", "d_v = a.mT @ d", "d_v = a @ d", "transposed transposed-weights swapped"),
        wrong("mean over the batch", "* sharp).sum((0, 2, 3))", "* sharp).mean(0).sum((1, 2))", MEAN),
    )


class FadingMemory:
    """S_t = γ S_(t−1) + k_t v_tᵀ and q_t S_t of (H, T, D), γ = σ(p) of each head: retention, step by step."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, p: Tensor) -> Tensor:
        keep = torch.sigmoid(p)[:, None, None]
        state, out = torch.zeros_like(k[:, 0, :, None] * v[:, 0, None]), []
        for t in range(q.shape[1]):
            state = keep * state + k[:, t, :, None] * v[:, t, None]
            out.append((q[:, t, None] @ state)[:, 0])
        return torch.stack(out, 1)

    def backward(self, d: Tensor, q: Tensor, k: Tensor, v: Tensor, p: Tensor) -> Any:
        keep = torch.sigmoid(p)[:, None, None]
        states = [torch.zeros_like(k[:, 0, :, None] * v[:, 0, None])]
        for t in range(q.shape[1]):
            states.append(keep * states[-1] + k[:, t, :, None] * v[:, t, None])
        d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        d_keep, d_state = torch.zeros_like(p), torch.zeros_like(states[0])
        for t in reversed(range(q.shape[1])):
            d_q[:, t] = torch.einsum("hij,hj->hi", states[t + 1], d[:, t])
            d_state = d_state + q[:, t, :, None] * d[:, t, None]
            d_k[:, t] = torch.einsum("hij,hj->hi", d_state, v[:, t])
            d_v[:, t] = torch.einsum("hij,hi->hj", d_state, k[:, t])
            d_keep += (d_state * states[t]).sum((1, 2))
            d_state = keep * d_state
        g = torch.sigmoid(p)
        return d_q, d_k, d_v, d_keep * g * (1 - g)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(3, 6, 4), g.normal(3, 6, 4), g.normal(3, 6, 4), g.normal(3, around=0.5)

    mistakes = (
        wrong("not faded", "        d_state = keep * d_state\n", "", "weights-missing slope-missing term-missing"),
        wrong(
            "later steps forgotten",
            "d_state = d_state + q[",
            "d_state = q[",
            f"{PART} step-missing duplicates-overwritten",
        ),
        wrong(
            "memory before the step",
            "states[t + 1], d[:, t]",
            "states[t], d[:, t]",
            "another-tensor shifted part-missing step-missing",
        ),
        wrong("slope of the sigmoid forgotten", "d_keep * g * (1 - g)", "d_keep", "slope-missing"),
        wrong("memory transposed", "hij,hi->hj", "hij,hj->hi", "transposed transposed-weights swapped"),
        wrong(
            "first step of the fading alone",
            "d_keep += ",
            "d_keep = ",
            f"{PART} step-missing one-sample duplicates-overwritten zeros",
        ),
        wrong(
            "forwards in time",
            "in reversed(range(q.shape[1]))",
            "in range(q.shape[1])",
            "swapped wrong-sample shifted another-tensor",
        ),
    )


PROGRAMS = programs("more attention", RelativeKeys, SlidingWindow, CosineHeads, FadingMemory)
