"""Mistakes that any activation can have: in its output (E2), and in δ = σ′(net) e (E15, E16)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from torch_ref.known.general import other_samples
from torch_ref.known.scene import Candidate, Scene

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "ReLU": lambda z: z.clamp_min(0),
    "the identity (no activation)": lambda z: z,
    "leaky ReLU": lambda z: torch.where(z > 0, z, 0.01 * z),
    "softplus": lambda z: z.clamp_min(0) + torch.log1p(torch.exp(-z.abs())),
    "|z|": torch.abs,
    "min(0, z)": lambda z: z.clamp_max(0),
}

SLOPES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sigmoid": lambda net, x: x * (1 - x),
    "tanh": lambda net, x: 1 - x * x,
    "ReLU": lambda net, x: (x > 0).to(x.dtype),
}
"""σ′ as the lecture computes it, from net and x."""


def of_output(own: str, s: Scene) -> Iterator[Candidate]:
    """Yield what another function, or another argument, would give in the place of the function ``own``."""
    function = FUNCTIONS[own]
    right = f"it is {own} as it should be: the reference is another function"
    yield Candidate("reference-differs", right, function(s.x))
    for name, other in FUNCTIONS.items():
        yield Candidate("another-function", f"another activation: {name}", other(s.x))
    yield Candidate("applied-twice", "applied twice", function(s.y))
    yield Candidate("wrong-argument", "the argument has the wrong sign", function(-s.x))
    for factor in (2.0, 0.5):
        text = f"the argument has a factor of {factor:g}"
        yield Candidate("wrong-argument", text, function(factor * s.x), {"factor": factor})


def of_slope(own: str, s: Scene, of_this: Iterable[Candidate] = ()) -> Iterator[Candidate]:
    """Yield the mistakes in δ = σ′(net) e, for σ′ from the stored x, with those of one activation in between."""
    e, net, x = s.error, s.x, s.y
    function, of = FUNCTIONS[own], SLOPES[own]
    right = of(net, x)
    lectures = "it is the lecture's: the reference has another derivative (at a kink, another subgradient)"
    yield Candidate("reference-differs", lectures, e * right)
    yield Candidate("slope-missing", "σ′ is missing", e)
    yield Candidate("upstream-missing", "the error is missing (σ′ alone)", right)
    yield Candidate("slope-twice", "σ′ is applied twice", e * right * right)
    wrong = "σ′ of the wrong quantity:"
    yield Candidate("slope-at-output", f"{wrong} σ′(x) for σ′(net)", e * of(x, function(x)))
    yield Candidate("slope-at-input", f"{wrong} its formula in x takes net", e * of(net, net))
    yield Candidate("slope-at-upstream", f"{wrong} its formula in x takes e", e * of(e, e))
    yield Candidate("slope-miswritten", "x in place of σ′", e * x)
    yield Candidate("slope-miswritten", "1 − x in place of σ′", e * (1 - x))
    yield Candidate("slope-miswritten", "x² in place of σ′", e * x * x)
    yield Candidate("slope-miswritten", "net in place of σ′", e * net)
    yield Candidate("slope-added", "σ′ is added, not multiplied", e + right)
    yield Candidate("slope-divided", "divides by σ′", e / torch.where(right == 0, 1.0, right))
    yield from of_this
    for name, slope in SLOPES.items():
        yield Candidate("slope-of-another-function", f"σ′ of another activation: {name}", e * slope(net, x))
    yield from _of_the_batch(s, right, lambda rows: of(net, rows))


def _of_the_batch(s: Scene, right: Tensor, slope: Callable[[Tensor], Tensor]) -> Iterator[Candidate]:
    e, x = s.error, s.y
    for name, rows in other_samples(x):
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", e * slope(rows))
    for name, rows in other_samples(e):
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", rows * right)
    if s.n == 1:
        return
    for name, candidate in (
        ("σ′ of the first row", e * right[0]),
        ("σ′ of the mean", e * right.mean(0)),
        ("the mean of the error", e.mean(0) * right),
        ("the sum of the error", e.sum(0) * right),
        ("the first row of the error", e[0] * right),
    ):
        yield Candidate("broadcast-over-batch", f"broadcasts over the batch: {name}", candidate)
