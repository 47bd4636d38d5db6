"""The rectifier: x = max(0, net) (E2), δ = e where x > 0, else 0 (E15)."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from manual_bp import ReLU
from torch_ref.known.activation import of_output, of_slope
from torch_ref.known.faults import planted
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Candidate, Scene

FORMULAS = {
    "forward": Formula("E2", "x^{l} = max(0, net^{l})", "x"),
    "error": Formula("E15", "δ^{l} = σ′(net^{l}) e^{l}, σ′ = 1 if x^{l} > 0 else 0", "δ"),
}


def of_forward(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in x = max(0, net)."""
    return of_output("ReLU", s)


def of_error(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in δ = e where x > 0, else 0."""
    e, net, x = s.error, s.x, s.y
    leaky = "σ′ of another activation: leaky ReLU"
    masks = (
        Candidate("wrong-mask", "the mask is reversed", e * (x <= 0)),
        Candidate("wrong-mask", "the mask is that of the error", e.clamp_min(0)),
        Candidate("wrong-mask", "the mask is that of the error, and of net", e.clamp_min(0) * (x > 0)),
        Candidate("slope-miswritten", "the sign of net in place of a mask", e * torch.sign(net)),
        Candidate("slope-of-another-function", leaky, e * torch.where(net > 0, 1.0, 0.01)),
        Candidate("slope-of-another-function", leaky, e * torch.where(net > 0, 1.0, 0.1)),
        Candidate("wrong-mask", "the mask is too high: x > 1", e * (x > 1)),
        Candidate("at-kink", "1 at the kink net = 0, where the subgradient is 0", e * (net >= 0)),
    )
    return of_slope("ReLU", s, masks)


FAULTS = (
    *planted(
        ReLU,
        "forward",
        "relu-forward",
        (
            "leaky",
            "another-function",
            "another activation: leaky",
            lambda _, net: torch.where(net > 0, net, 0.01 * net),
        ),
        ("absolute", "another-function", "another activation: |z|", lambda _, net: torch.abs(net)),
        ("min", "another-function", "another activation: min", lambda _, net: net.clamp_max(0)),
        ("identity", "another-function", "another activation: the identity", lambda _, net: net.clone()),
    ),
    *planted(
        ReLU,
        "error",
        "relu-error",
        ("no-mask", "slope-missing", "σ′ is missing", lambda _, e, net, x: e.clone()),
        ("reversed", "wrong-mask", "the mask is reversed", lambda _, e, net, x: torch.where(x > 0, 0, e)),
        ("guided", "wrong-mask", "the mask is that of the error", lambda _, e, net, x: e.clamp_min(0) * (x > 0)),
        ("x", "slope-miswritten", "x in place of σ′", lambda _, e, net, x: e * x),
        (
            "leaky",
            "slope-of-another-function",
            "σ′ of another activation: leaky",
            lambda _, e, net, x: e * torch.where(x > 0, 1, 0.01),
        ),
        ("sign-of-net", "slope-miswritten", "the sign of net in place", lambda _, e, net, x: e * torch.sign(net)),
        ("wrong-sample", "wrong-sample", "pairs the wrong sample", lambda _, e, net, x: e * (x.roll(1, 0) > 0)),
    ),
)

RELU = Known(ReLU, FORMULAS, {"forward": of_forward, "error": of_error}, FAULTS, chapter="lecture")
