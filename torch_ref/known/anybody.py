"""Mistakes in the gradient of anybody's function: of one that has a derivative entry by entry, and of a product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from torch_ref.known import linear
from torch_ref.known.scene import Addition, Candidate, Scene
from torch_ref.numbers.agreement import relative_difference

SAME = 1e-3
"""Of the norm: by how much another formula may be off that is the same but for rounding."""


def of_gradient(s: Scene) -> Iterator[Candidate | Addition]:
    """Yield what may go wrong in the gradient of a function that nothing is known of."""
    yield from _of_product(s)
    if s.error.shape == s.right.shape == s.x.shape and s.outputs == 1:
        came = s.upstream
        derivative = s.right / torch.where(came == 0, 1.0, came)
        text = "the derivative is missing: the error came through unchanged"
        yield Candidate("slope-missing", text, came)
        yield Candidate("upstream-missing", "the error is missing (the derivative alone)", derivative)
        yield Candidate("slope-twice", "the derivative is applied twice", s.right * derivative)


def _of_product(s: Scene) -> Iterator[Candidate | Addition]:
    """Yield the mistakes of a linear layer where the shapes are those of one: x (N, n_in), w (n_out, n_in)."""
    if s.x.ndim != 2 or s.error.ndim != 2 or len(s.x) != len(s.error):
        return
    shape = (s.error.shape[1], s.x.shape[1])
    weights = [p for p in s.others.values() if p.shape == shape and _is_of(s, p)]
    if not weights:
        return
    if s.makes == "error":
        yield from linear.of_error(replace(s, error=s.upstream, sign=-1, others={"weight": weights[0]}))
    elif s.right.shape == shape:
        yield from linear.of_weight(replace(s, others={"weight": weights[0]}))
    else:
        yield from linear.of_bias(replace(s, others={"weight": weights[0]}))


def _is_of(s: Scene, w: Tensor) -> bool:
    """Tell whether the right gradient is that of such a layer with these weights."""
    d = s.upstream if s.makes == "error" else -s.error
    right = d @ w if s.makes == "error" else d.t() @ s.x if s.right.shape == w.shape else d.sum(0)
    return right.shape == s.right.shape and relative_difference(right, s.right) < SAME
