"""The sigmoid: x = σ(net) = 1 / (1 + e^−net) (E2, E3), δ = x (1 − x) e (E15, with E16)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from manual_bp import Sigmoid
from torch_ref.known.activation import of_output, of_slope
from torch_ref.known.faults import planted
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Candidate, Scene

FORMULAS = {
    "forward": Formula("E2", "x^{l} = σ(net^{l}), σ(z) = 1 / (1 + e^−z)", "x"),
    "error": Formula("E15", "δ^{l} = σ′(net^{l}) e^{l}, σ′ = x^{l} (1 − x^{l})", "δ", "with E16"),
}


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in x = σ(net)."""
    return of_output("sigmoid", s)


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in δ = x (1 − x) e."""
    e, x = s.error, s.y
    miswritten = (
        Candidate("slope-miswritten", "1 − x² in place of σ′", e * (1 - x * x)),
        Candidate("slope-miswritten", "x (1 + x) in place of x (1 − x)", e * x * (1 + x)),
    )
    return of_slope("sigmoid", s, miswritten)


def _s(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


def _slope(x: Tensor) -> Tensor:
    return x * (1 - x)


def _in_place(_: Sigmoid, error: Tensor, net: Tensor, x: Tensor) -> Tensor:
    return error.mul_(1 - x).mul_(x)


FAULTS = (
    *planted(
        Sigmoid,
        "forward",
        "sigmoid-forward",
        ("tanh", "another-function", "another activation: tanh", lambda _, net: torch.tanh(net)),
        ("sign", "wrong-argument", "the argument has the wrong sign", lambda _, net: 1 / (1 + torch.exp(net))),
        ("twice", "applied-twice", "applied twice", lambda _, net: _s(_s(net))),
    ),
    *planted(
        Sigmoid,
        "error",
        "sigmoid-error",
        ("no-slope", "slope-missing", "σ′ is missing", lambda _, e, net, x: e.clone()),
        ("slope-of-x", "slope-at-output", "σ′ of the wrong quantity: σ′(x)", lambda _, e, net, x: e * _slope(_s(x))),
        ("slope-from-net", "slope-at-input", "σ′ of the wrong quantity: its", lambda _, e, net, x: e * _slope(net)),
        ("x-alone", "slope-miswritten", "x in place of σ′", lambda _, e, net, x: e * x),
        ("one-minus-x", "slope-miswritten", "1 − x in place of σ′", lambda _, e, net, x: e * (1 - x)),
        ("slope-of-tanh", "slope-miswritten", "1 − x² in place of σ′", lambda _, e, net, x: e * (1 - x * x)),
        ("plus", "slope-miswritten", "x (1 + x) in place", lambda _, e, net, x: e * x * (1 + x)),
        ("slope-twice", "slope-twice", "σ′ is applied twice", lambda _, e, net, x: e * _slope(x) ** 2),
        ("missing", "upstream-missing", "the error is missing", lambda _, e, net, x: _slope(x)),
        ("wrong-sample", "wrong-sample", "pairs the wrong sample", lambda _, e, net, x: e * _slope(x.roll(1, 0))),
        (
            "mean-slope",
            "broadcast-over-batch",
            "broadcasts over the batch: σ′ of the",
            lambda _, e, net, x: e * _slope(x).mean(0),
        ),
        ("sign", "wrong-sign", "the sign is wrong", lambda _, e, net, x: -e * _slope(x)),
        ("in-place", "changes-input", "changes error in place", _in_place),
    ),
)

SIGMOID = Known(Sigmoid, FORMULAS, {"forward": of_forward, "error": of_error}, FAULTS, chapter="lecture")
