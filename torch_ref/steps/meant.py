"""What is meant otherwise: a gradient that is not the derivative, on purpose.

A straight-through estimator rounds and passes the gradient on, a detached tensor counts as a constant, the padding row
of an embedding is not trained. Finite differences know nothing of that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.step import Step

TRIANGLE = ("cholesky", "eigh", "eigvalsh")
"""Of a symmetric matrix they read one half, and autograd gives the gradient to both."""

DETACHED, PADDING = "it detaches a tensor", "its padding row gets no gradient"

CONSTANT = frozenset({DETACHED, PADDING})
"""Of these finite differences see the derivative all the same."""

ROUND = ("round", "floor", "ceil", "trunc", "sign", "bernoulli", "heaviside", "fake_quantize")


class Watching(TorchFunctionMode):
    """While it is entered, ``found`` tells what a function does that finite differences cannot know."""

    found = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, and look at its name."""
        name = (resolve_name(func) or getattr(func, "__name__", "")).split(".")[-1]
        if name in ("detach", "detach_"):
            self.found = self.found or DETACHED
        elif name.rstrip("_").startswith(ROUND):
            self.found = self.found or f"it calls {name}"
        elif name.removeprefix("linalg_").startswith(TRIANGLE):
            self.found = self.found or f"it calls {name}, which reads one triangle of its matrix"
        elif name == "embedding" and _padding(args, kwargs or {}) not in (None, -1):
            self.found = self.found or PADDING
        return func(*args, **(kwargs or {}))


class StraightThrough(TorchFunctionMode):
    """While it is entered, what rounds passes the gradient on, as a straight-through estimator does."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, and give what it rounds the history of what it was given."""
        y, name = func(*args, **(kwargs or {})), (resolve_name(func) or "").split(".")[-1]
        x = args[0] if args else None
        if not name.startswith(ROUND) or name.endswith("_") or not isinstance(y, Tensor) or not isinstance(x, Tensor):
            return y
        return y.detach() + (x - x.detach()) if x.requires_grad and x.shape == y.shape else y


def straight_through(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function in which what rounds passes the gradient on."""

    @wraps(function)
    def through(*inputs: Any, **named: Any) -> Any:
        with StraightThrough():
            return function(*inputs, **named)

    return through


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
