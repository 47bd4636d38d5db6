"""The squared error: L = ½ Σ (t − y)² (E6) and the error that it sends back, t − y (E13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from manual_bp import SquaredError
from torch_ref.known.faults import planted
from torch_ref.known.general import other_samples
from torch_ref.known.loss import of_difference
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Candidate, Scene

FORMULAS = {
    "output": Formula("E4", "y = x^L", "y"),
    "forward": Formula("E6", "L = ½ Σ (t − y)²{mean}", "L"),
    "error": Formula("E13", "{error} = t − y{mean}", "e", "its t − y"),
}


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in L = ½ Σ (t − y)² (E6)."""
    t, y = s.others["t"], s.x
    difference = t - y
    size, root = difference.abs().sum() / s.over, "the square root is taken (the norm)"
    yield Candidate("wrong-power", "the square is missing: |t − y|", size)
    yield Candidate("wrong-power", "the square is missing, and ½ is kept: ½ |t − y|", 0.5 * size)
    yield Candidate("wrong-power", "the square is missing: t − y itself", difference.sum() / s.over)
    yield Candidate("wrong-power", root, difference.norm())
    yield Candidate("wrong-power", root, (difference * difference).mean().sqrt())
    yield Candidate("plus-for-minus", "t + y in place of t − y", 0.5 * (t + y).square().sum() / s.over)
    yield Candidate("one-sample", "one sample only (the first)", 0.5 * difference[0].square().sum())
    last = 0.5 * difference[:-1].square().sum() / s.over
    yield Candidate("sample-missing", "the last sample is missing", last)
    for name, rows in other_samples(t):
        paired = 0.5 * (rows - y).square().sum() / s.over
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", paired)


def _n(loss: Any, x: Tensor) -> int:
    return len(x) if loss.reduction == "mean" else 1


FAULTS = (
    *planted(
        SquaredError,
        "forward",
        "squared-loss",
        ("no-half", "factor", "a factor of 2", lambda f, y, t: ((t - y) ** 2).sum() / _n(f, y)),
        ("not-averaged", "factor", "a factor of N", lambda f, y, t: 0.5 * ((t - y) ** 2).sum() / _n(f, y) * len(y)),
        ("over-entries", "factor", "a factor of 1/", lambda f, y, t: 0.5 * ((t - y) ** 2).mean(1).sum() / _n(f, y)),
        ("no-square", "wrong-power", "the square is missing: |", lambda f, y, t: (t - y).abs().sum() / _n(f, y)),
        ("norm", "wrong-power", "the square root is taken", lambda f, y, t: (t - y).norm()),
    ),
    *planted(
        SquaredError,
        "error",
        "squared-error",
        ("sign", "wrong-sign", "the sign is wrong", lambda f, y, t: (y - t) / _n(f, y)),
        ("not-averaged", "factor", "a factor of N", lambda f, y, t: (t - y) / _n(f, y) * len(y)),
        ("twice", "factor", "a factor of 2", lambda f, y, t: 2 * (t - y) / _n(f, y)),
        ("slope-too", "slope-not-here", "σ′ is applied here too", lambda f, y, t: (t - y) * y * (1 - y) / _n(f, y)),
        ("no-y", "term-missing", "y is missing", lambda f, y, t: t / _n(f, y)),
        ("sign-alone", "sign-alone", "the sign of t − y alone", lambda f, y, t: torch.sign(t - y) / _n(f, y)),
        ("wrong-sample", "wrong-sample", "pairs the wrong sample", lambda f, y, t: (t.roll(1, 0) - y) / _n(f, y)),
        (
            "mean-target",
            "broadcast-over-batch",
            "broadcasts over the batch: the mean of t",
            lambda f, y, t: (t.mean(0) - y) / _n(f, y),
        ),
    ),
)

SQUARED_ERROR = Known(
    SquaredError, FORMULAS, {"forward": of_forward, "error": of_difference}, FAULTS, chapter="lecture"
)
