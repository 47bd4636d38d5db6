"""Shapes that a forward takes, found by trying: so that the command that a message shows can be typed as it stands."""

from __future__ import annotations

import contextlib
import functools
import io
import shlex
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import Any

import torch

from torch_ref.files.found import Found
from torch_ref.files.inputs import MissingInputsError, NoInputsError, Offered, copied
from torch_ref.files.shapes import Shape
from torch_ref.steps.calling import attempt

X = Shape((4, 5))
"""Of a batch of 4 with 5 features."""

WEIGHTS = (Shape((3, 5)), Shape((5, 3)), Shape((3, 4)))
"""Of 3 units: beside samples in rows, in both layouts, and beside samples in columns."""

VECTORS = (Shape((3,)), Shape((3, 1)), Shape((5,)))
"""One number for each unit, or for each feature."""

OTHERS = (*WEIGHTS, X, *VECTORS, Shape((4, 3)), Shape((4,), 5), Shape(()))
"""What stands beside x: weights, targets of its shape, vectors, targets of another, labels, a number."""

CALLED_VECTORS = ("b", "bias", "beta", "gamma", "gain", "scale", "shift")
"""What is called so is a vector, as a rule."""

MOST = 600
"""Combinations that are tried."""


def guessed(one: Found, missing: MissingInputsError, offered: Offered) -> list[str]:
    """Return the options that give what is missing: of shapes that forward takes, where the first few tell."""
    if missing.takes_any:
        return ["--shapes 4,5 4,5"]
    names = missing.names
    shapes = next(_fitting(one, names, offered), [X] * len(names))
    lacking = [shape.option(name) for name, shape in zip(names, shapes, strict=True)]
    return [*_typed(one, offered), *lacking]


def _typed(one: Found, offered: Offered) -> Iterator[str]:
    """Yield the options for it that were typed already."""
    in_order = dict(zip(one.wanted.names, offered.in_order, strict=False))
    for name in one.wanted.names:
        if name in offered.values:
            yield f"--value {name}={shlex.quote(str(offered.values[name]))}"
        elif shape := offered.shape_of(one.name, name) or in_order.get(name):
            yield shape.option(name)


def _fitting(one: Found, names: Sequence[str], offered: Offered) -> Iterator[Sequence[Shape]]:
    choices = [_likely(name, is_first=i == 0) for i, name in enumerate(names)]
    for shapes in islice(product(*choices), MOST):
        with_these = replace(offered, shapes={**offered.shapes, **dict(zip(names, shapes, strict=True))})
        try:
            inputs = with_these.inputs(one.name, one.members, one.wanted)
        except NoInputsError:
            return
        if attempt(functools.partial(_runs, one, inputs)):
            yield shapes


def _likely(name: str, *, is_first: bool) -> list[Shape]:
    """Return the shapes that an input of this name may have, the likeliest first."""
    if name.lower() in CALLED_VECTORS:
        return sorted(OTHERS, key=lambda shape: shape not in VECTORS)
    return sorted(OTHERS, key=lambda shape: shape != X) if is_first or name.lower() == "x" else [*OTHERS]


def _runs(one: Found, inputs: Mapping[str, Any]) -> bool:
    """Tell whether forward takes these inputs: it raises where it does not."""
    with torch.no_grad(), warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
        one.run_forward(copied(inputs))
    return True
