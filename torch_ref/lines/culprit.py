"""Which statement spoiled a gradient that was made in several: d = ...; d += ...; d /= n."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from torch_ref.lines.flow import Flow
from torch_ref.lines.names import path_of
from torch_ref.lines.record import Version
from torch_ref.lines.trace import Run
from torch_ref.numbers.given import as_gradient
from torch_ref.steps.chain import Chain, Claim

MOST_PARTS = 6
"""How many parts of a gradient are tried together."""

ROUNDINGS = 30
"""By how many roundings of the whole a part may be off."""


class Culprit(NamedTuple):
    """Where a gradient went wrong."""

    version: Version
    """The last value with whose statement it may have."""
    right: tuple[Version, ...] = ()
    """What went before and was right."""


def culprit(chain: Chain, claim: Claim, i: int, run: Run, version: Version, factor: Fraction) -> Culprit:
    """Return the value with whose statement a gradient went wrong: what was added afterwards is a part of it.

    What is divided in the end by the factor that all gradients inside are too large went wrong before.
    """
    value = claim.places[i].value
    history, fitting = _series(run, version, value)
    if len(fitting) < 2 or len(fitting) < len(history):
        return Culprit(version)
    right = chain.alone[claim.name][i].witness.value
    if (lost := _bound_over(run, history[0], value)) is not None and _is_near(fitting[-1] + lost, right):
        return Culprit(history[0])  # = where += is meant
    over = [k for k in range(1, len(fitting)) if factor != 1 and _is_over(fitting[k], fitting[k - 1], factor)]
    if over:
        before, earlier = _series(run, run.origin(history[over[-1] - 1]), value)
        history = [*before, *history[over[-1] + 1 :]]
        fitting = [*(t / float(factor) for t in earlier), *fitting[over[-1] + 1 :]]
        if len(fitting) < len(history):
            return Culprit(version)
    last = len(fitting) - 1
    if (kept := _kept_since(fitting, right)) < last:
        return Culprit(history[kept])
    parts = [part.gradient for part in chain.parts(claim, i)]
    first = last
    scale = float(fitting[last].norm())
    while first and _is_sum(fitting[first] - fitting[first - 1], parts, scale):
        first -= 1
    if first and _is_sum(fitting[first - 1], parts, scale):
        return Culprit(history[first], tuple(history[:first]))
    return Culprit(history[last if not first and _is_sum(fitting[0], parts, scale) else first])


def _bound_over(run: Run, first: Version, like: Tensor) -> Tensor | None:
    """Return what a variable was before it was bound anew, if that is of the same shape."""
    before = [one for one in run.places[first.place] if one.order < first.order]
    t = as_gradient(before[-1].value, like) if before else None
    return t.reshape(like.shape) if t is not None and t.numel() == like.numel() and bool(t.any()) else None


def _is_near(t: Tensor, right: Tensor) -> bool:
    return float((t - right).norm()) <= ROUNDINGS * torch.finfo(t.dtype).eps * float(t.norm() + right.norm())


def wrong_summand(chain: Chain, claim: Claim, i: int, flow: Flow, version: Version) -> Version:
    """Return what a gradient is the sum of that alone is wrong, as dh_next of dh = dy @ W.T + dh_next; else itself."""
    like = claim.places[i].value
    whole = as_gradient(version.value, like)
    parts = [part.gradient for part in chain.parts(claim, i)]
    if whole is None or whole.shape != like.shape or len(parts) < 2:
        return version
    scale, lost = float(whole.norm()), None
    for one in flow.read(flow.run.origin(version)):
        t = None if one.given or one.where == version.where else as_gradient(one.value, like)
        if t is None or t.shape != like.shape:
            continue
        if not bool(t.any()):  # zeros are there to begin with; what is made of itself has lost a part
            lost = one if one.place in one.where.reads else lost
            continue
        if _is_sum(t, parts, scale):
            continue
        rest = whole - t
        if float(rest.norm()) > torch.finfo(t.dtype).eps ** 0.5 * scale and _is_sum(rest, parts, scale):
            return one
    return lost if lost is not None and _is_sum(whole, parts, scale) else version


def _series(run: Run, version: Version, value: Tensor) -> tuple[list[Version], list[Tensor]]:
    """Return the values of a variable up to one of them, and those as tensors that are of the shape."""
    history = [*_history(run, version)]
    tensors = [as_gradient(one.value, value) for one in history]
    return history, [t.reshape(value.shape) for t in tensors if t is not None and t.numel() == value.numel()]


def _is_over(t: Tensor, before: Tensor, factor: Fraction) -> bool:
    """Tell whether a tensor is another, divided by a factor."""
    return float((t * float(factor) - before).norm()) <= ROUNDINGS * torch.finfo(t.dtype).eps * float(before.norm())


def _kept_since(tensors: Sequence[Tensor], right: Tensor) -> int:
    """Return from which of several on the numbers that are wrong stayed, while others were written."""
    off = (tensors[-1] - right).abs() > torch.finfo(right.dtype).eps ** 0.5 * right.abs().max()
    for k, t in enumerate(tensors[:-1]):
        if torch.equal(t[off], tensors[-1][off]) and not torch.equal(t, tensors[-1]):
            return k
    return len(tensors) - 1


def _history(run: Run, version: Version) -> Iterator[Version]:
    """Yield the values of a variable from where it was bound anew, up to one of them."""
    versions = [one for one in run.places[version.place] if one.order <= version.order]
    name = path_of(version.place).before or version.place
    begin = len(versions) - 1
    while begin and name in versions[begin].where.reads:
        begin -= 1
    yield from versions[begin:]


def _is_sum(t: Tensor, parts: Sequence[Tensor], scale: float) -> bool:
    """Tell whether a tensor is one of the parts of a gradient of that size, or several together."""
    size = range(1, len(parts) + 1) if len(parts) <= MOST_PARTS else (1, len(parts))
    eps = torch.finfo(t.dtype).eps
    near = max(eps**0.5 * float(t.norm()), ROUNDINGS * eps * scale)
    sums = (torch.stack(some).sum(0) for count in size for some in combinations(parts, count))
    return any(s.shape == t.shape and float((t - s).norm()) <= near for s in sums)
