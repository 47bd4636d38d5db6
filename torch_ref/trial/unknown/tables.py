"""Users and things, features that meet, bags with weights, a graph with degrees, and a curve through a table."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class Recommender:
    """Squared errors of μ + a_u + b_i + p_u · q_i, and 0.1 (‖p_u‖² + ‖q_i‖²), summed over the ratings."""

    lam = 0.1

    def forward(
        self, users: Tensor, items: Tensor, r: Tensor, p: Tensor, q: Tensor, a: Tensor, b: Tensor, mu: Tensor
    ) -> Tensor:
        e = mu + a[users] + b[items] + (p[users] * q[items]).sum(1) - r
        return (e**2).sum() + self.lam * ((p[users] ** 2).sum() + (q[items] ** 2).sum())

    def backward(
        self,
        d: Tensor,
        users: Tensor,
        items: Tensor,
        r: Tensor,
        p: Tensor,
        q: Tensor,
        a: Tensor,
        b: Tensor,
        mu: Tensor,
    ) -> Any:
        e = mu + a[users] + b[items] + (p[users] * q[items]).sum(1) - r
        d_e = 2 * d * e
        d_p = torch.zeros_like(p)
        d_p.index_add_(0, users, d_e[:, None] * q[items] + 2 * d * self.lam * p[users])
        d_q = torch.zeros_like(q)
        d_q.index_add_(0, items, d_e[:, None] * p[users] + 2 * d * self.lam * q[items])
        d_a = torch.zeros_like(a).index_add(0, users, d_e)
        d_b = torch.zeros_like(b).index_add(0, items, d_e)
        return None, None, -d_e, d_p, d_q, d_a, d_b, d_e.sum()

    def draw(self, g: Numbers) -> Inputs:
        tables = (g.normal(8, 3), g.normal(8, 3), g.normal(8), g.normal(8))
        return g.below(8, 24), g.below(8, 24), g.normal(24, around=3), *tables, torch.tensor(2.7)

    mistakes = (
        wrong(
            "users updated before the things",
            "d_e[:, None] * p[users] +",
            "d_e[:, None] * (p - 0.1 * d_p)[users] +",
            "stale-weights another-tensor",
        ),
        wrong("penalty forgotten", " + 2 * d * self.lam * p[users]", "", f"{PART} term-missing"),
        wrong(
            "users for the things' biases",
            "(b).index_add(0, items, d_e)",
            "(b).index_add(0, users, d_e)",
            "another-tensor wrong-sample swapped another-gradient",
        ),
        wrong("mean over the ratings", "d_e.sum()", "d_e.mean()", MEAN),
        wrong("sign of the rating", "None, -d_e", "None, d_e", "wrong-sign"),
        wrong(
            "last rating alone",
            "(a).index_add(",
            "(a).index_copy(",
            "duplicates-overwritten",
            places=((1, 2, 4, 5, 6, 7),),
        ),
        wrong("two of the square", "2 * d * e", "d * e", "factor"),
    )


class MeetingFeatures:
    """b + x w + Σ_{i<j} x_i x_j v_i · v_j by way of the square of the sum (a factorisation machine)."""

    def forward(self, x: Tensor, w: Tensor, v: Tensor, b: Tensor) -> Tensor:
        return b + x @ w + 0.5 * ((x @ v) ** 2 - x**2 @ v**2).sum(1)

    def backward(self, d: Tensor, x: Tensor, w: Tensor, v: Tensor, b: Tensor) -> Any:
        s = x @ v
        d_v = x.T @ (d[:, None] * s) - v * (d @ x**2)[:, None]
        d_x = d[:, None] * (w + s @ v.T - x * (v**2).sum(1))
        return d_x, x.T @ d, d_v, d.sum()

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(9, 5), g.normal(5), g.normal(5, 5), torch.tensor(0.2)

    mistakes = (
        wrong("feature with itself forgotten", " - x * (v**2).sum(1)", "", f"{PART} term-missing"),
        wrong("input not squared", "d @ x**2", "d @ x", "wrong-power input-missing"),
        wrong("sum over the features", "(v**2).sum(1)", "(v**2).sum(0)", "another-axis"),
        wrong("factors not transposed", "s @ v.T", "s @ v", "transposed-weights"),
        wrong("upstream forgotten in the sums", "(d[:, None] * s)", "s", "upstream-missing upstream-ignored"),
        wrong("half kept", "x.T @ (d", "0.5 * x.T @ (d", "factor"),
        wrong("first bias alone", "d.sum()", "d[0]", "one-sample broadcast-not-summed"),
    )


class WeightedBags:
    """Σ s_i table[id_i] of each bag over the root of how many it has; bag k begins at offsets[k]."""

    def forward(self, ids: Tensor, offsets: Tensor, s: Tensor, table: Tensor) -> Tensor:
        ends = [*offsets.tolist()[1:], len(ids)]
        rows = s[:, None] * table[ids]
        return torch.stack([rows[o:e].sum(0) / (e - o) ** 0.5 for o, e in zip(offsets.tolist(), ends, strict=True)])

    def backward(self, d: Tensor, ids: Tensor, offsets: Tensor, s: Tensor, table: Tensor) -> Any:
        begins = offsets.tolist()
        ends = [*begins[1:], len(ids)]
        d_s, d_table = torch.zeros_like(s), torch.zeros_like(table)
        for k, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            each = d[k] / (end - begin) ** 0.5
            for i in range(begin, end):
                d_s[i] = each @ table[ids[i]]
                d_table[ids[i]] += s[i] * each
        return None, None, d_s, d_table

    def draw(self, g: Numbers) -> Inputs:
        return g.below(15, 14), torch.tensor([0, 3, 4, 9]), g.normal(14), g.normal(15, 3)

    mistakes = (
        wrong(
            "root forgotten",
            "(end - begin) ** 0.5",
            "(end - begin)",
            "wrong-power wrong-divisor mean-for-sum factor",
            places=((0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13), (1, 2, 3, 4, 5, 7, 8, 9, 12, 14)),
        ),
        wrong(
            "word overwritten",
            "d_table[ids[i]] +=",
            "d_table[ids[i]] =",
            "duplicates-overwritten",
            places=((1, 2, 8, 9),),
        ),
        wrong(
            "last word of a bag left out",
            "range(begin, end)",
            "range(begin, end - 1)",
            "step-missing sample-missing zero-rows dead-unit",
            places=((2, 3, 8, 13), (2, 5, 7, 8)),
        ),
        wrong("place for the word", "table[ids[i]]\n", "table[i]\n", "another-tensor wrong-sample"),
        wrong("bag before", "d[k] /", "d[k - 1] /", "shifted wrong-sample"),
        wrong("weight forgotten", "s[i] * each", "each", "weights-missing term-missing input-missing slope-missing"),
    )


class DegreeNormed:
    """relu(S (A + 1) S X W + b), S the roots of one over the degrees; the weights of the edges are learned too."""

    def forward(self, x: Tensor, edges: Tensor, w: Tensor, b: Tensor) -> Tensor:
        a = edges + torch.eye(len(x)).to(x)
        s = a.sum(1) ** -0.5
        return torch.relu(s[:, None] * a * s @ (x @ w) + b)

    def backward(self, d: Tensor, x: Tensor, edges: Tensor, w: Tensor, b: Tensor) -> Any:
        a = edges + torch.eye(len(x)).to(x)
        s = a.sum(1) ** -0.5
        norm = s[:, None] * a * s
        xw = x @ w
        d_z = d * (norm @ xw + b > 0)
        d_norm = d_z @ xw.T
        d_xw = norm.T @ d_z
        d_s = torch.einsum("ij,ij,j->i", d_norm, a, s) + torch.einsum("ij,ij,i->j", d_norm, a, s)
        d_edges = torch.einsum("ij,i,j->ij", d_norm, s, s) + (-0.5 * s**3 * d_s)[:, None]
        return d_xw @ w.T, d_edges, x.T @ d_xw, d_z.sum(0)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(7, 4), g.between(0, 2, 7, 7) * g.mask(7, 7), g.normal(4, 5), g.normal(5, scale=0.3)

    mistakes = (
        wrong(
            "edges not turned round", "norm.T @ d_z", "norm @ d_z", "transposed-weights swapped", places=((0, 2, 3),)
        ),
        wrong("degrees taken as constant", " + (-0.5 * s**3 * d_s)[:, None]", "", PART),
        wrong("power of the degree", "-0.5 * s**3", "-0.5 * s", "wrong-power slope-miswritten"),
        wrong("mask before the edges", "(norm @ xw + b > 0)", "(xw > 0)", "wrong-mask another-tensor"),
        wrong(
            "node itself forgotten",
            "edges + torch.eye(len(x)).to(x)",
            "edges",
            f"{PART} term-missing",
            places=((0, 2, 3, 4), (4,)),
        ),
        wrong(
            "degree along the columns",
            "(-0.5 * s**3 * d_s)[:, None]",
            "(-0.5 * s**3 * d_s)",
            "another-axis transposed",
        ),
        wrong(
            "rows' degrees twice",
            '"ij,i,j->ij", d_norm',
            '"ij,i,i->ij", d_norm',
            "another-tensor swapped another-axis wrong-power",
        ),
    )


class SmoothCurve:
    """A cubic curve through the values of a table (G), read at places between them; slopes from both neighbours."""

    def forward(self, table: Tensor, at: Tensor) -> Tensor:
        low = at.floor().long()
        u = at - low
        w = torch.stack([2 * u**2 - u**3 - u, 3 * u**3 - 5 * u**2 + 2, 4 * u**2 - 3 * u**3 + u, u**3 - u**2], 1) / 2
        return (w * table[low[:, None] + torch.arange(-1, 3)]).sum(1)

    def backward(self, d: Tensor, table: Tensor, at: Tensor) -> Any:
        low = at.floor().long()
        u = at - low
        w = torch.stack([2 * u**2 - u**3 - u, 3 * u**3 - 5 * u**2 + 2, 4 * u**2 - 3 * u**3 + u, u**3 - u**2], 1) / 2
        slope = torch.stack([4 * u - 3 * u**2 - 1, 9 * u**2 - 10 * u, 8 * u - 9 * u**2 + 1, 3 * u**2 - 2 * u], 1) / 2
        near = low[:, None] + torch.arange(-1, 3)
        d_table = torch.zeros_like(table)
        d_table.index_add_(0, near.flatten(), (d[:, None] * w).flatten())
        return d_table, d * (slope * table[near]).sum(1)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(12, scale=2), g.between(1, 8.9, 15)

    mistakes = (
        wrong("neighbours one too far", "arange(-1, 3)", "arange(0, 4)", "shifted window-beside unit-beside"),
        wrong(
            "places overwritten",
            "index_add_(",
            "index_copy_(",
            "duplicates-overwritten windows-overwritten",
            places=(tuple(range(10)),),
        ),
        wrong("slope of one weight", "9 * u**2 - 10 * u,", "9 * u**2 - 5 * u,", "slope-miswritten factor"),
        wrong(
            "weights for their slopes", "(slope * table", "(w * table", "slope-missing another-tensor slope-miswritten"
        ),
        wrong("rest to the next place", "u = at - low", "u = low + 1 - at", "wrong-argument swapped"),
        wrong("upstream forgotten", "d * (slope", "(slope", "upstream-missing upstream-ignored"),
    )


PROGRAMS = programs("tables", Recommender, MeetingFeatures, WeightedBags, DegreeNormed, SmoothCurve)
