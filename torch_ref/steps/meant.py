"""What is meant otherwise: a gradient that is not the derivative, on purpose.

A straight-through estimator rounds and passes the gradient on, a detached tensor counts as a constant, the padding row
of an embedding is not trained. Finite differences know nothing of that.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import Step

ROUND = ("round", "floor", "ceil", "trunc", "sign", "bernoulli", "heaviside", "fake_quantize")


class Watching(TorchFunctionMode):
    """While it is entered, ``found`` tells what a function does that finite differences cannot know."""

    found = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, and look at its name."""
        name = getattr(func, "__name__", "")
        if name in ("detach", "detach_"):
            self.found = self.found or "it detaches a tensor"
        elif name.rstrip("_").startswith(ROUND):
            self.found = self.found or f"it calls {name}"
        elif name == "embedding" and _padding(args, kwargs or {}) not in (None, -1):
            self.found = self.found or "its padding row gets no gradient"
        return func(*args, **(kwargs or {}))


def _padding(args: Any, kwargs: Any) -> Any:
    """Return the index of an embedding's padding row; None or −1 where there is none."""
    return kwargs.get("padding_idx", args[2] if len(args) > 2 else None)


def meant_otherwise(step: Step) -> str:
    """Return what forward or the reference does that makes the gradient another than the derivative; else ''."""
    watching = Watching()
    for formula in (step.forward, step.reference):
        inputs = {name: t.clone() for name, t in step.inputs.items()}
        try:
            with as_it_was(), torch.no_grad(), watching:
                formula(inputs, {name: t.clone() for name, t in step.fixed.items()})
        except Exception:  # of somebody's forward, whose failure is a row of the report already
            return watching.found
    return watching.found
