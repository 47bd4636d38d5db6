"""The reference of a step in float64 with its history: what went in, what came out, what was computed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor
from torch.overrides import TorchFunctionMode

from torch_ref.numbers.witness import Tensors
from torch_ref.steps.step import Outputs, Step

MOST_VALUES = 120

LARGEST = 2**21
"""Entries of the largest tensor with which it is computed."""


class History(NamedTuple):
    """What a reference did."""

    outputs: Outputs
    upstream: Outputs
    leaves: Tensors
    values: list[Tensor]
    """What came out of its operations."""


def history_of(step: Step) -> History | None:
    """Return the history of a reference; None where it is too large, or for one dtype only."""
    if any(t.numel() > LARGEST for t in (*step.given.values(), *(w.value for w in step.witnesses.values()))):
        return None
    values = Values()
    try:
        with values:
            return History(*step.in_float64.with_history(), values.found)
    except Exception:  # of somebody's code, which may be for one dtype only
        return None


class Values(TorchFunctionMode):
    """While it is entered, every tensor that comes out of an operation is kept, up to so many."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        super().__init__()
        self.found: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the operation, and keep what comes out."""
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.is_floating_point() and len(self.found) < MOST_VALUES:
            self.found.append(made.detach())
        return made
