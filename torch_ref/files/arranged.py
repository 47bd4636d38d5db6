"""A backward as somebody declares it, called as ``check_function`` calls one: gradients of the outputs, then inputs.

Which argument is which is read from the names: those of forward's arguments are its inputs, those that look like a
gradient (d_y, dout, grad_output, upstream) are the upstream gradients, and what is left are forward's outputs.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
from torch import Tensor

UPSTREAM = re.compile(
    r"^(d|g|d_.*|g_.*|d[A-Z].*|d(y|z|o|h|l|out|output|outputs|loss|scores|logits)\d*|.*grad.*|upstream.*|delta.*)$"
)
"""How people call the gradient of an output."""


@dataclass(frozen=True)
class Arranged:
    """A backward that takes the gradients of the outputs, then all inputs; or a slope, which takes no gradients."""

    backward: Callable[..., Any]
    is_slope: bool = False
    may_take_output: bool = False
    """Whether it has one argument that is not called as forward's: forward's input, or its output."""


def arguments_of(function: Callable[..., Any], names: Sequence[str] = ()) -> list[str] | None:
    """Return the names of what has to be given, and of these; None where a function does not say it."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.KEYWORD_ONLY) for p in parameters):
        return None
    return [p.name for p in parameters if p.default is p.empty or p.name in names]


def arranged(
    forward: Callable[..., Any], backward: Callable[..., Any], names: Sequence[str], outputs: int
) -> Arranged | None:
    """Return how a backward is called; None where its arguments do not say it.

    ``names`` are those of the inputs that are given, ``outputs`` is how many outputs forward has.
    """
    theirs = arguments_of(backward, names)
    if theirs is None or theirs[outputs:] == [*names]:
        return Arranged(_called(forward, backward, names, theirs))
    more = [name for name in theirs if name not in names]
    upstream = [name for name in more if UPSTREAM.match(name)]
    if not more:
        return Arranged(_called(forward, backward, names, theirs), is_slope=True)
    if len(upstream) == outputs and len(more) in (outputs, 2 * outputs):
        made = [name for name in more if name not in upstream]
        return Arranged(_called(forward, backward, names, theirs, upstream, made))
    if len(more) == outputs and len(theirs) > outputs:
        return Arranged(_called(forward, backward, names, theirs, more))
    if len(theirs) == len(names) == 1:
        return Arranged(backward, is_slope=True, may_take_output=True)
    return Arranged(_called(forward, backward, names, None)) if len(theirs) == outputs + len(names) else None


def of_output(forward: Callable[..., Any], slope: Callable[..., Any]) -> Callable[..., Any]:
    """Return a slope that takes the output of forward as one that takes the input."""

    @wraps(slope)
    def of_input(x: Any) -> Any:
        return slope(forward(x))

    return of_input


def _called(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    names: Sequence[str],
    theirs: Sequence[str] | None,
    upstream: Sequence[str] = (),
    made: Sequence[str] = (),
) -> Callable[..., Any]:
    """Return a backward of ``upstream``, then ``names``, that hands on what it takes in the order in which it does.

    ``made`` are forward's outputs, computed anew. One gradient for several inputs is that of the first: a loss's, whose
    target has none.
    """

    @wraps(backward)
    def called(*given: Any) -> Any:
        if theirs is None or not upstream:
            return _padded(backward(*given), len(names))
        known = dict(zip([*upstream, *names], given, strict=True))
        if made:
            outputs = forward(*given[len(upstream) :])
            known |= dict(zip(made, outputs if isinstance(outputs, tuple | list) else (outputs,), strict=True))
        return _padded(backward(*(known[name] for name in theirs)), len(names))

    if upstream:  # inspect.signature would give that of backward, and its order
        kinds = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in (*upstream, *names)]
        called.__signature__ = inspect.Signature(kinds)  # type: ignore[attr-defined]
    return called


def _padded(returned: Any, count: int) -> Any:
    """Return one gradient with None for each further input."""
    return (returned, *(None,) * (count - 1)) if isinstance(returned, Tensor | np.ndarray) and count > 1 else returned
