"""Mistakes that any formula can have: zeros, a sign, a factor, the right numbers in the wrong places."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from torch_ref.known.scene import Addition, Candidate, Scene


def plain(s: Scene) -> Iterator[Candidate]:
    """Yield what needs no knowledge of the formula: zeros, a sign, a factor."""
    r = s.right
    yield Candidate("zeros", "zeros", torch.zeros_like(r))
    yield Candidate("wrong-sign", "the sign is wrong", -r)
    for name, factor in _named_factors(s):
        yield Candidate("factor", f"a factor of {name}", factor * r, {"factor": factor})
        text = f"a factor of {name}, and the sign is wrong"
        yield Candidate("factor", text, -factor * r, {"factor": -factor})


def _named_factors(s: Scene) -> Iterator[tuple[str, float]]:
    n, units = s.n, s.x.shape[1] if s.x.ndim > 1 else 1
    known = {2.0: "2", 0.5: "1/2"}
    for value, name in known.items():
        same = [symbol for symbol, number in {"N": n, "1/N": 1 / n}.items() if number == value]
        yield (f"{name}, which is {same[0]} here" if same else name), value
    if n > 2:
        yield f"N (N = {n}?)", float(n)
        yield f"1/N (N = {n}?)", 1 / n
        yield f"{n - 1}/{n} ((N − 1)/N with N = {n}?)", (n - 1) / n
        yield f"{n}/{n - 1} (N/(N − 1) with N = {n}?)", n / (n - 1)
    for symbol, count in (("n, units", units), ("N n, entries", n * units), ("N²", n * n)):
        if count > 2:
            yield f"{count} ({symbol}?)", float(count)
            yield f"1/{count} (one over {symbol}?)", 1 / count


def misplaced(s: Scene) -> Iterator[Candidate]:
    """Yield the right numbers in the wrong places: transposed, of another sample, the same for all samples."""
    r, n = s.right, s.n
    if r.ndim == 2:
        yield Candidate("transposed", "transposed", r.t())
    if r.ndim and r.shape[0] == n and n > 1 and s.makes in ("forward", "error", "output") and s.may_be_batch:
        for name, rows in other_samples(r):
            yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", rows)
        for name, row in (("sum", r.sum(0)), ("mean", r.mean(0)), ("first row", r[0]), ("last row", r[-1])):
            text = f"broadcasts over the batch: every row is the {name}"
            yield Candidate("broadcast-over-batch", text, row.expand_as(r))
    if r.ndim and r.shape[-1] > 1:
        for shift in (1, -1):
            yield Candidate("shifted", "the units are shifted by one", r.roll(shift, -1), {"shift": shift})
    if r.ndim == 2 and r.shape[0] > 1:
        for shift in (1, -1):
            yield Candidate("shifted", "the rows are shifted by one", r.roll(shift, 0), {"shift": shift})


def other_samples(rows: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield rows paired with other samples, each with what is wrong about it."""
    yield "the one before", rows.roll(1, 0)
    yield "the one after", rows.roll(-1, 0)
    yield "in reverse order", rows.flip(0)


def added(s: Scene) -> Iterator[Addition]:
    """Yield what may have been added to any gradient: some share of the parameter itself."""
    for name, p in s.others.items():
        if p.shape == s.right.shape and s.makes == name:
            text = f"{{share:.3g}} times the {name} itself is added (weight decay belongs to the update)"
            yield Addition("weight-decay", text, p)


def constant(s: Scene) -> Iterator[Addition]:
    """Yield the last thing to think of: one and the same number is added everywhere."""
    yield Addition("constant-added", "a constant of {share:.3g} is added", torch.ones_like(s.right))
