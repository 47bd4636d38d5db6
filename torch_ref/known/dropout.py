"""Dropout: y = m x (D2) and the error of x, m e (D3), for a random mask m (D1)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from manual_bp import Dropout
from torch_ref.known.faults import planted
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Candidate, Scene

FORMULAS = {
    "forward": Formula("D2", "y_j = m_j x_j, m_j = 1 / (1 − p) or 0", "y"),
    "error": Formula("D3", "e_j = m_j (error of y_j), the mask of the forward pass", "e"),
}

# -------------------------------------------------------------------------------------------------------- the causes


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in y = m x (D2)."""
    yield from _of_mask(s, s.x)
    yield Candidate("applied-twice", "the mask is applied twice", s.right * _right_mask(s, s.x))


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in the error of x, m e (D3)."""
    mask = _right_mask(s, s.error)
    yield Candidate("slope-missing", "the mask is missing: the error came through unchanged", s.error)
    yield from _of_mask(s, s.error)
    yield Candidate("slope-twice", "the mask is applied twice", s.right * mask)
    yield Candidate("upstream-missing", "the error is missing: the mask alone", mask)
    yield Candidate("input-too-often", "x is multiplied in (the slope is the mask)", s.right * s.x)
    yield Candidate("wrong-mask", "the mask is that of positive numbers, as in ReLU", s.error * (s.y > 0))


def _of_mask(s: Scene, given: Tensor) -> Iterator[Candidate]:
    """Yield the wrong scales and masks of what is given, x or the error of y."""
    p = float(s.owner.p)  # type: ignore[attr-defined]  # of Dropout
    kept = _right_mask(s, given) != 0
    for text, factor in (
        ("the scale 1 / (1 − p) is missing", 1 - p),
        ("scaled by 1 − p, where 1 / (1 − p) is meant", (1 - p) ** 2),
        ("scaled by 1 / p, where 1 / (1 − p) is meant", (1 - p) / p if p else 1.0),
    ):
        yield Candidate("factor", text, factor * s.right, {"factor": factor})
    if s.makes == "forward":
        yield Candidate("wrong-mask", "the mask is missing: nothing is left out", given)
    yield Candidate("wrong-mask", "the mask is missing, only its scale is there", given / (1 - p))
    yield Candidate("wrong-mask", "the mask is reversed", given * ~kept / (1 - p))
    yield Candidate("wrong-mask", "the mask is reversed, and not scaled", given * ~kept)
    yield Candidate("wrong-mask", "one mask for all samples (that of the first)", given * kept[:1] / (1 - p))
    seen = s.by_hand != 0
    if p and seen.shape == given.shape:
        yield Candidate("wrong-mask", "p and 1 − p are exchanged: kept with probability p", given * seen / p)
    if seen.shape == kept.shape and (seen & ~kept).any():
        yield Candidate("wrong-mask", "the mask is that of another draw", given * seen / (1 - p))
        yield Candidate("wrong-mask", "the mask is that of another draw, and not scaled", given * seen)


def _right_mask(s: Scene, given: Tensor) -> Tensor:
    return s.right / torch.where(given == 0, 1.0, given)


# -------------------------------------------------------------------------------------------------------- the faults


def _drawn(l: Dropout, x: Tensor, beside: int = 0, kept: float | None = None) -> Tensor:
    """Return 1 where a number is kept, else 0: the mask of the layer's seed, or of one beside it."""
    generator = torch.Generator().manual_seed(int(l.seed) + beside)
    return torch.empty_like(x).bernoulli_(1 - l.p if kept is None else kept, generator=generator)


FAULTS = (
    *planted(
        Dropout,
        "forward",
        "dropout-forward",
        ("off", "wrong-mask", "the mask is missing", lambda l, x: x.clone()),
        ("unscaled", "factor", "the scale 1 / (1 − p) is missing", lambda l, x: x * _drawn(l, x)),
        ("shrunk", "factor", "scaled by 1 − p", lambda l, x: x * _drawn(l, x) * (1 - l.p)),
        ("over-p", "factor", "scaled by 1 / p", lambda l, x: x * _drawn(l, x) / l.p),
        ("reversed", "wrong-mask", "the mask is reversed", lambda l, x: x * (1 - _drawn(l, x)) / (1 - l.p)),
        (
            "another-draw",
            "wrong-mask",
            "the mask is that of another draw",
            lambda l, x: x * _drawn(l, x, 1) / (1 - l.p),
        ),
        ("one-mask", "wrong-mask", "one mask for all samples", lambda l, x: x * _drawn(l, x)[:1] / (1 - l.p)),
        ("p-kept", "wrong-mask", "p and 1 − p are exchanged", lambda l, x: x * _drawn(l, x, kept=l.p) / l.p),
        ("twice", "applied-twice", "the mask is applied twice", lambda l, x: x * _drawn(l, x) / (1 - l.p) ** 2),
    ),
    *planted(
        Dropout,
        "error",
        "dropout-error",
        ("no-mask", "slope-missing", "the mask is missing", lambda l, e, x, y: e.clone()),
        ("scale-alone", "wrong-mask", "the mask is missing, only its scale", lambda l, e, x, y: e / (1 - l.p)),
        ("unscaled", "factor", "the scale 1 / (1 − p) is missing", lambda l, e, x, y: e * (y != 0)),
        ("reversed", "wrong-mask", "the mask is reversed", lambda l, e, x, y: e * (y == 0) / (1 - l.p)),
        (
            "another-draw",
            "wrong-mask",
            "the mask is that of another draw",
            lambda l, e, x, y: e * _drawn(l, x, 1) / (1 - l.p),
        ),
        ("one-mask", "wrong-mask", "one mask for all samples", lambda l, e, x, y: e * _drawn(l, x)[:1] / (1 - l.p)),
        ("twice", "slope-twice", "the mask is applied twice", lambda l, e, x, y: e * _drawn(l, x) / (1 - l.p) ** 2),
        ("times-x", "input-too-often", "x is multiplied in", lambda l, e, x, y: e * x * _drawn(l, x) / (1 - l.p)),
        ("as-relu", "wrong-mask", "the mask is that of positive numbers", lambda l, e, x, y: e * (y > 0)),
        ("sign", "wrong-sign", "the sign is wrong", lambda l, e, x, y: -e * _drawn(l, x) / (1 - l.p)),
    ),
)


def _make(n: int, dtype: torch.dtype, generator: torch.Generator) -> Dropout:
    """Return a dropout with a random seed; p is not ½, so that p and 1 − p are two numbers."""
    return Dropout(0.3, int(torch.randint(1 << 40, (), generator=generator)))


CAUSES = {"forward": of_forward, "error": of_error}
DROPOUT = Known(Dropout, FORMULAS, CAUSES, FAULTS, _make)
