"""Mistakes in an activation: its output (E2) and δ = σ′(net) e (E15, E16); and in anybody's own function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from manual_bp import ReLU, Sigmoid, Tanh
from torch_ref.known.causes import linear
from torch_ref.known.causes.general import other_samples
from torch_ref.known.causes.scene import Candidate, Scene

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


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield what another function, or another argument, would give."""
    own = _own_name(s)
    yield f"it is {own} as it should be: the reference is another function", FUNCTIONS[own](s.x)
    for name, function in FUNCTIONS.items():
        yield f"another activation: {name}", function(s.x)
    yield "applied twice", _own(s)(s.y)
    yield "the argument has the wrong sign", _own(s)(-s.x)
    for factor in (2.0, 0.5):
        yield f"the argument has a factor of {factor:g}", _own(s)(factor * s.x)


def _own(s: Scene) -> Callable[[Tensor], Tensor]:
    return FUNCTIONS[_own_name(s)]


def _own_name(s: Scene) -> str:
    kinds = {Sigmoid: "sigmoid", Tanh: "tanh", ReLU: "ReLU"}
    return next(name for kind, name in kinds.items() if isinstance(s.owner, kind))


SLOPES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sigmoid": lambda net, x: x * (1 - x),
    "tanh": lambda net, x: 1 - x * x,
    "ReLU": lambda net, x: (x > 0).to(x.dtype),
}
"""σ′ as the lecture computes it, from net and x."""


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in δ = σ′(net) e, for σ′ from the stored x."""
    e, net, x = s.error, s.x, s.y
    own = _own_name(s)
    function, of = FUNCTIONS[own], SLOPES[own]
    right = of(net, x)
    yield "it is the lecture's: the reference has another derivative (at a kink, another subgradient)", e * right
    yield "σ′ is missing", e
    yield "the error is missing (σ′ alone)", right
    yield "σ′ is applied twice", e * right * right
    yield "σ′ of the wrong quantity: σ′(x) for σ′(net)", e * of(x, function(x))
    yield "σ′ of the wrong quantity: its formula in x takes net", e * of(net, net)
    yield "σ′ of the wrong quantity: its formula in x takes e", e * of(e, e)
    yield "x in place of σ′", e * x
    yield "1 − x in place of σ′", e * (1 - x)
    yield "x² in place of σ′", e * x * x
    yield "1 + x² in place of 1 − x²", e * (1 + x * x)
    yield "1 − x² in place of σ′", e * (1 - x * x)
    yield "x (1 + x) in place of x (1 − x)", e * x * (1 + x)
    yield "net in place of σ′", e * net
    yield "σ′ is added, not multiplied", e + right
    yield "divides by σ′", e / torch.where(right == 0, 1.0, right)
    for name, slope in SLOPES.items():
        yield f"σ′ of another activation: {name}", e * slope(net, x)
    if own == "ReLU":
        yield "the mask is reversed", e * (x <= 0)
        yield "the mask is that of the error", e.clamp_min(0)
        yield "the mask is that of the error, and of net", e.clamp_min(0) * (x > 0)
        yield "the sign of net in place of a mask", e * torch.sign(net)
        yield "σ′ of another activation: leaky ReLU", e * torch.where(net > 0, 1.0, 0.01)
        yield "σ′ of another activation: leaky ReLU", e * torch.where(net > 0, 1.0, 0.1)
        yield "the mask is too high: x > 1", e * (x > 1)
        yield "1 at the kink net = 0, where the subgradient is 0", e * (net >= 0)
    for name, rows in other_samples(x):
        yield f"pairs the wrong sample ({name})", e * of(net, rows)
    for name, rows in other_samples(e):
        yield f"pairs the wrong sample ({name})", rows * right
    if s.n > 1:
        yield "broadcasts over the batch: σ′ of the first row", e * right[0]
        yield "broadcasts over the batch: σ′ of the mean", e * right.mean(0)
        yield "broadcasts over the batch: the mean of the error", e.mean(0) * right
        yield "broadcasts over the batch: the sum of the error", e.sum(0) * right
        yield "broadcasts over the batch: the first row of the error", e[0] * right


def of_unknown_error(s: Scene) -> Iterator[Candidate]:
    """Yield what may go wrong in the gradient of anybody's function of one input like its output."""
    yield from _like_linear(s)
    if s.error.shape == s.right.shape == s.x.shape:
        ratio = s.right / torch.where(s.error == 0, 1.0, s.error)
        yield "the derivative is missing: the error came through unchanged", s.error
        yield "the derivative is missing: the error came through unchanged", -s.error
        yield "the error is missing (the derivative alone)", ratio
        yield "the error is missing (the derivative alone)", -ratio
        yield "the derivative is applied twice", s.right * ratio
        yield "the derivative is applied twice", -s.right * ratio


def _like_linear(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes of a linear layer where the shapes are those of one: x (N, n_in), w (n_out, n_in)."""
    if s.x.ndim != 2 or s.error.ndim != 2 or len(s.x) != len(s.error):
        return
    shape = (s.error.shape[1], s.x.shape[1])
    weights = [p for p in s.others.values() if p.shape == shape]
    if not weights:
        return
    scene = replace(s, others={"weight": weights[0]})
    if s.makes == "error":
        candidates = linear.of_error(scene)
    else:
        candidates = linear.of_weight(scene) if s.right.shape == shape else linear.of_bias(scene)
    for name, candidate in candidates:
        yield name, candidate
        yield name, -candidate
