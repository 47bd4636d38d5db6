"""The parts of a pass and an update, in the order in which they are computed. Needs no torch."""

from __future__ import annotations

from typing import Literal, get_args

Phase = Literal["forward", "loss", "backward", "gradients", "update"]
PHASES: tuple[Phase, ...] = get_args(Phase)

_BY_LETTER: dict[str, Phase] = {
    "n": "forward", "x": "forward", "y": "forward", "e": "backward", "δ": "backward", "∂": "gradients",
}  # fmt: skip
"""By the first letter of a quantity: net, x, y, e, δ, ∂L/∂W, error of ReLU 1. Layers begin with capitals: ReLU 1."""


def phase_of(name: str) -> Phase:
    """Return the part of a pass in which a quantity is computed, from its name: 'backward' of δ^2_1, or of δ^2."""
    if name.endswith(" after"):
        return "update"
    return "loss" if name == "L" else _BY_LETTER.get(name[0], "forward")
