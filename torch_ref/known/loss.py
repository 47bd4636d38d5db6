"""Mistakes that any loss can have in the error that it sends back, t − y (E13, E17)."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from torch_ref.known.general import other_samples
from torch_ref.known.scene import Candidate, Scene


def of_difference(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in t − y, over N for the mean."""
    t, y, r = s.others["t"], s.others["y"], s.right
    yield Candidate("term-missing", "y is missing: t alone", t / s.over)
    yield Candidate("term-missing", "t is missing: −y alone", -y / s.over)
    yield Candidate("plus-for-minus", "t + y in place of t − y", (t + y) / s.over)
    yield Candidate("sign-alone", "the sign of t − y alone", torch.sign(t - y) / s.over)
    too = "σ′ is applied here too (it belongs to the activation)"
    yield Candidate("slope-not-here", too, r * y * (1 - y))
    yield Candidate("slope-not-here", too, r * (1 - y * y))
    yield Candidate("wrong-power", "the square is kept: ½ (t − y)²", 0.5 * (t - y) ** 2 / s.over)
    for name, rows in other_samples(t):
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", (rows - y) / s.over)
    for name, candidate in (("mean of t", t.mean(0) - y), ("mean of y", t - y.mean(0)), ("first row of t", t[0] - y)):
        yield Candidate("broadcast-over-batch", f"broadcasts over the batch: the {name}", candidate / s.over)
