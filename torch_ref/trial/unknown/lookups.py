"""Tables, indices, and sums over what comes before."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class WordVectors:
    """Rows of a table, some words several times; word 0 is padding and learns nothing."""

    def forward(self, ids: Tensor, table: Tensor) -> Tensor:
        return table[ids] * (ids > 0)[:, None]

    def backward(self, d: Tensor, ids: Tensor, table: Tensor) -> Any:
        d = d * (ids > 0)[:, None]
        d_table = torch.zeros_like(table)
        d_table.index_add_(0, ids, d)
        return None, d_table

    def draw(self, g: Numbers) -> Inputs:
        return torch.tensor([1, 3, 0, 2, 3, 3, 5, 0, 1, 4, 2, 1]), g.normal(7, 4)

    mistakes = (
        wrong(
            "duplicates overwritten",
            "d_table.index_add_(0, ids, d)",
            "d_table[ids] = d",
            "duplicates-overwritten",
            places=((1, 2, 3),),
        ),
        wrong(
            "added without duplicates",
            "d_table.index_add_(0, ids, d)",
            "d_table[ids] += d",
            "duplicates-overwritten",
            places=((1, 2, 3),),
        ),
        wrong("padding learns", "    d = d * (ids > 0)[:, None]\n", "", "wrong-mask only-some", places=((0,),)),
        wrong(
            "mean over the occurrences",
            "return None",
            "d_table /= ids.bincount(minlength=7).clamp(min=1)[:, None]\n    return None",
            "mean-for-sum",
            places=((1, 2, 3),),
        ),
        wrong(
            "last word left out",
            "(0, ids, d)",
            "(0, ids[:-1], d[:-1])",
            "step-missing sample-missing only-some",
            places=((1,),),
        ),
        wrong("words one too late", "(0, ids, d)", "(0, (ids + 1) % 7, d)", "shifted unit-beside wrong-sample"),
        wrong("mean over all words", "return None", "d_table /= len(ids)\n    return None", MEAN),
        wrong("sign", "return None, d", "return None, -d", "wrong-sign"),
        wrong("rows in reversed order", "(0, ids, d)", "(0, ids, d.flip(0))", "wrong-sample another-tensor swapped"),
    )


class MeanOfWords:
    """The mean of the rows of each sentence, times a matrix."""

    def forward(self, ids: Tensor, table: Tensor, w: Tensor) -> Tensor:
        return table[ids].mean(1) @ w

    def backward(self, d: Tensor, ids: Tensor, table: Tensor, w: Tensor) -> Any:
        m = table[ids].mean(1)
        d_m = d @ w.T
        each = (d_m / ids.shape[1])[:, None].expand(*ids.shape, -1)
        d_table = torch.zeros_like(table)
        d_table.index_put_((ids,), each, accumulate=True)
        return None, d_table, m.T @ d

    def draw(self, g: Numbers) -> Inputs:
        return g.below(8, 5, 6), g.normal(8, 3), g.normal(3, 4)

    mistakes = (
        wrong("length forgotten", "d_m / ids.shape[1]", "d_m", MEAN),
        wrong("number of sentences", "d_m / ids.shape[1]", "d_m / len(ids)", "factor another-axis"),
        wrong(
            "duplicates overwritten",
            "accumulate=True",
            "accumulate=False",
            "duplicates-overwritten",
            places=((0, 1, 2, 4, 5, 6, 7),),
        ),
        wrong(
            "first words left out",
            "(ids,), each",
            "(ids[:, 1:],), each[:, 1:]",
            "step-missing",
            places=((0, 1, 2, 5, 6),),
        ),
        wrong("mean over the sentences for w", "m.T @ d", "m.T @ d / len(d)", MEAN),
        wrong("sum of words for w", "m.T @ d", "(m * ids.shape[1]).T @ d", MEAN),
        wrong("first word for w", "m.T @ d", "table[ids[:, 0]].T @ d", "step-missing another-tensor one-sample"),
        wrong("updated w", "d @ w.T", "d @ (w - 0.1 * m.T @ d).T", "stale-weights"),
    )


class MessagesOfEdges:
    """Each node adds up w x of the nodes that point to it."""

    def forward(self, x: Tensor, w: Tensor, source: Tensor, target: Tensor) -> Tensor:
        return torch.zeros(len(x), w.shape[1]).to(x).index_add(0, target, x[source] @ w)

    def backward(self, d: Tensor, x: Tensor, w: Tensor, source: Tensor, target: Tensor) -> Any:
        d_m = d[target]
        d_w = x[source].T @ d_m
        d_x = torch.zeros_like(x).index_add(0, source, d_m @ w.T)
        return d_x, d_w, None, None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(9, 4), g.normal(4, 4), g.below(9, 22), g.below(9, 22)

    mistakes = (
        wrong("edges not turned round", "d[target]", "d[source]", "wrong-sample swapped another-tensor"),
        wrong("added at the targets", "(0, source, d_m", "(0, target, d_m", "wrong-sample swapped another-tensor"),
        wrong("targets for w", "x[source].T @", "x[target].T @", "wrong-sample swapped another-tensor"),
        wrong(
            "duplicates overwritten",
            "index_add(0, source, d_m @ w.T)",
            "index_copy(0, source, d_m @ w.T)",
            "duplicates-overwritten",
            places=((0, 1, 2, 3, 4, 5, 8),),
        ),
        wrong("weights not transposed", "d_m @ w.T", "d_m @ w", "transposed-weights"),
        wrong("edges ignored for w", "x[source].T @ d_m", "x.T @ d", "wrong-sample another-tensor"),
        wrong(
            "first edge left out",
            "(0, source, d_m @",
            "(0, source[1:], d_m[1:] @",
            "step-missing sample-missing one-sample only-some zero-rows",
            places=((0,),),
        ),
        wrong("mean over the edges", "x[source].T @ d_m", "x[source].T @ d_m / len(source)", MEAN),
        wrong("w transposed", "x[source].T @ d_m", "d_m.T @ x[source]", "transposed swapped"),
    )


class RunningTotal:
    """Cumulative sums along the steps, squared."""

    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(1) ** 2

    def backward(self, d: Tensor, x: Tensor) -> Any:
        d_c = d * 2 * x.cumsum(1)
        return d_c.flip(1).cumsum(1).flip(1)

    def draw(self, g: Numbers) -> Inputs:
        return (g.normal(3, 11, scale=0.3),)

    mistakes = (
        wrong(
            "forwards again",
            "d_c.flip(1).cumsum(1).flip(1)",
            "d_c.cumsum(1)",
            "swapped another-axis transposed shifted another-tensor wrong-argument",
        ),
        wrong("not summed", "d_c.flip(1).cumsum(1).flip(1)", "d_c", f"{PART} step-missing", places=(tuple(range(10)),)),
        wrong(
            "itself left out",
            "return d_c.flip(1).cumsum(1).flip(1)",
            "return d_c.flip(1).cumsum(1).flip(1) - d_c",
            f"shifted step-missing {PART}",
        ),
        wrong(
            "a step late",
            "return d_c.flip(1).cumsum(1).flip(1)",
            "return d_c.flip(1).cumsum(1).flip(1).roll(1, 1)",
            "shifted",
        ),
        wrong("along the samples", "d_c.flip(1).cumsum(1).flip(1)", "d_c.flip(0).cumsum(0).flip(0)", "another-axis"),
        wrong("two forgotten", "d * 2 *", "d *", "factor"),
        wrong("numbers for their sums", "2 * x.cumsum(1)", "2 * x", "another-tensor slope-at-input"),
        wrong(
            "everything summed",
            "d_c.flip(1).cumsum(1).flip(1)",
            "d_c.sum(1, keepdim=True).expand(x.shape).clone()",
            "broadcast-not-summed another-axis step-missing",
        ),
        wrong("upstream forgotten", "d * 2 *", "2 *", "upstream-missing upstream-ignored"),
    )


PROGRAMS = programs("lookups", WordVectors, MeanOfWords, MessagesOfEdges, RunningTotal)
