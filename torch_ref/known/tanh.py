"""The hyperbolic tangent: x = tanh(net) (E2), δ = (1 − x²) e (E15)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from manual_bp import Tanh
from torch_ref.known.activation import of_output, of_slope
from torch_ref.known.faults import planted
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Candidate, Scene

FORMULAS = {
    "forward": Formula("E2", "x^{l} = tanh(net^{l})", "x"),
    "error": Formula("E15", "δ^{l} = σ′(net^{l}) e^{l}, σ′ = 1 − (x^{l})²", "δ"),
}


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in x = tanh(net)."""
    return of_output("tanh", s)


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in δ = (1 − x²) e."""
    e, x = s.error, s.y
    plus = Candidate("slope-miswritten", "1 + x² in place of 1 − x²", e * (1 + x * x))
    return of_slope("tanh", s, (plus,))


def _s(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


FAULTS = (
    *planted(
        Tanh,
        "forward",
        "tanh-forward",
        ("sigmoid", "another-function", "another activation: sigmoid", lambda _, net: _s(net)),
        ("half", "wrong-argument", "the argument has a factor of 0.5", lambda _, net: 2 * _s(net) - 1),
    ),
    *planted(
        Tanh,
        "error",
        "tanh-error",
        ("no-slope", "slope-missing", "σ′ is missing", lambda _, e, net, x: e.clone()),
        (
            "slope-of-x",
            "slope-at-output",
            "σ′ of the wrong quantity: σ′(x)",
            lambda _, e, net, x: e * (1 - torch.tanh(x) ** 2),
        ),
        ("slope-from-net", "slope-at-input", "σ′ of the wrong quantity: its", lambda _, e, net, x: e * (1 - net * net)),
        ("no-square", "slope-miswritten", "1 − x in place of σ′", lambda _, e, net, x: e * (1 - x)),
        ("plus", "slope-miswritten", "1 + x² in place of 1 − x²", lambda _, e, net, x: e * (1 + x * x)),
        ("square-alone", "slope-miswritten", "x² in place of σ′", lambda _, e, net, x: e * x * x),
        (
            "slope-of-sigmoid",
            "slope-of-another-function",
            "σ′ of another activation: sigmoid",
            lambda _, e, net, x: e * x * (1 - x),
        ),
        (
            "mean-error",
            "broadcast-over-batch",
            "broadcasts over the batch: the mean",
            lambda _, e, net, x: e.mean(0) * (1 - x * x),
        ),
    ),
)

TANH = Known(Tanh, FORMULAS, {"forward": of_forward, "error": of_error}, FAULTS, chapter="lecture")
