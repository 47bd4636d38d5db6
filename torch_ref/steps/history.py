"""The reference of a step in float64 with its history: what went in, what came out, what was computed on the way."""

from __future__ import annotations

from typing import NamedTuple

from torch_ref.numbers.witness import Tensors
from torch_ref.steps.program import Program
from torch_ref.steps.step import Outputs, Step

LARGEST = 2**21
"""Entries of the largest tensor with which it is computed."""


class History(NamedTuple):
    """What a reference did."""

    outputs: Outputs
    upstream: Outputs
    leaves: Tensors
    program: Program
    """Its operations, and what came out of them."""


def history_of(step: Step) -> History | None:
    """Return the history of a reference; None where it is too large, or for one dtype only."""
    if any(t.numel() > LARGEST for t in (*step.given.values(), *(w.value for w in step.witnesses.values()))):
        return None
    program = Program()
    try:
        with program:
            return History(*step.in_float64.with_history(), program)
    except Exception:  # of somebody's code, which may be for one dtype only
        return None
