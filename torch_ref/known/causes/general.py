"""Mistakes that any formula can have: zeros, a sign, a factor, the right numbers in the wrong places."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from manual_bp import Linear
from torch_ref.known.causes.scene import Candidate, Scene


def plain(s: Scene) -> Iterator[Candidate]:
    """Yield what needs no knowledge of the formula: zeros, a sign, a factor."""
    r = s.right
    yield "zeros", torch.zeros_like(r)
    yield "the sign is wrong", -r
    for name, factor in _named_factors(s):
        yield f"a factor of {name}", factor * r
        yield f"a factor of {name}, and the sign is wrong", -factor * r


def _named_factors(s: Scene) -> Iterator[tuple[str, float]]:
    n, units = s.n, s.x.shape[1] if s.x.ndim > 1 else 1
    known = {2.0: "2", 0.5: "1/2"}
    for value, name in known.items():
        same = [symbol for symbol, number in {"N": n, "1/N": 1 / n}.items() if number == value]
        yield (f"{name}, which is {same[0]} here" if same else name), value
    for symbol, count in (("N", n), ("n (the number of units)", units), ("N n (the number of entries)", n * units)):
        if count > 2:
            yield symbol, float(count)
            yield f"1/{symbol}" if " " not in symbol else f"1 / {symbol}", 1 / count
    yield "N²", float(n * n)
    yield "1/N²", 1 / (n * n)


def misplaced(s: Scene) -> Iterator[Candidate]:
    """Yield the right numbers in the wrong places: transposed, of another sample, the same for all samples."""
    r, n = s.right, s.n
    if r.ndim == 2:
        yield "transposed", r.t()
    if r.ndim and r.shape[0] == n and n > 1 and s.makes in ("forward", "error", "output"):
        for name, rows in other_samples(r):
            yield f"pairs the wrong sample ({name})", rows
        for name, row in (("sum", r.sum(0)), ("mean", r.mean(0)), ("first row", r[0]), ("last row", r[-1])):
            yield f"broadcasts over the batch: every row is the {name}", row.expand_as(r)
    if r.ndim and r.shape[-1] > 1:
        for shift in (1, -1):
            yield "the units are shifted by one", r.roll(shift, -1)
    if r.ndim == 2 and r.shape[0] > 1:
        for shift in (1, -1):
            yield "the rows are shifted by one", r.roll(shift, 0)


def other_samples(rows: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield rows paired with other samples, each with what is wrong about it."""
    yield "the one before", rows.roll(1, 0)
    yield "the one after", rows.roll(-1, 0)
    yield "in reverse order", rows.flip(0)


def additions(s: Scene) -> Iterator[tuple[str, Tensor]]:
    """Yield what may have been added to the right numbers, by any share."""
    for name, p in s.others.items():
        if p.shape == s.right.shape and s.makes == name:
            yield f"{{share:.3g}} times the {name} itself is added (weight decay belongs to the update)", p
    if isinstance(s.owner, Linear) and s.makes in ("error", "forward") and "weight" in s.others:
        d_weight = -s.error.t() @ s.x
        moved = s.error @ d_weight if s.makes == "error" else s.x @ d_weight.t()
        yield "stale weights: they were updated (by {share:.3g} times the gradient) before they were used", moved
    yield "a constant of {share:.3g} is added", torch.ones_like(s.right)


def share_of(s: Scene, direction: Tensor) -> float | None:
    """Return c where the numbers seen are the right ones and c times ``direction``."""
    difference = s.by_hand - s.right
    square = float((direction * direction).sum())
    if s.right.numel() < 2 or not square:
        return None
    share = float((difference * direction).sum()) / square
    return share if s.fits(s.right + share * direction) else None


def factor_of(s: Scene, candidate: Tensor) -> float | None:
    """Return c where the numbers seen are c times the candidate."""
    if candidate.shape != s.by_hand.shape or candidate.numel() < 2:
        return None
    square = float((candidate * candidate).sum())
    factor = float((s.by_hand * candidate).sum()) / square if square else 0.0
    if not factor or not math.isfinite(factor) or not s.fits(factor * candidate):
        return None
    return round(factor) if abs(factor - round(factor)) < 1e-6 * abs(factor) else factor
