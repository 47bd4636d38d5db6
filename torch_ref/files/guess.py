"""Inputs that a forward takes, found by trying: so that the command that a message shows can be typed as it stands."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import shlex
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

import torch

from torch_ref.files.found import Found
from torch_ref.files.inputs import MissingInputsError, NoInputsError, Offered, copied
from torch_ref.files.shapes import Shape
from torch_ref.steps.calling import attempt


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    value: int

    def option(self, name: str) -> str:
        """Return what is typed for it."""
        return f"--value {name}={self.value}"


Choice = Shape | Whole

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

NUMBERS = (Whole(5), Whole(3))
"""What a class may be made from: features, then units."""

CALLED_NUMBERS = re.compile(r"size|dim|unit|feature|channel|hidden|width|^(n|d|m|k|num|in|out|input|output)(_|\d*$)")
"""What is called so is a whole number, as a rule."""

MOST, SECONDS = 600, 2.0
"""Combinations that are tried, and for how long."""


def guessed(one: Found, missing: MissingInputsError, offered: Offered) -> list[str]:
    """Return the options that give what is missing: of shapes that forward takes, where the first few tell."""
    if missing.takes_any:
        return ["--shapes 4,5 4,5"]
    names = missing.names
    found = next(_fitting(one, names, offered), [X] * len(names))
    return [*_typed(one, offered), *(choice.option(name) for name, choice in zip(names, found, strict=True))]


def _typed(one: Found, offered: Offered) -> Iterator[str]:
    """Yield the options for it that were typed already."""
    in_order = dict(zip(one.wanted.names, offered.in_order, strict=False))
    for name in one.wanted.names:
        if name in offered.values:
            yield f"--value {shlex.quote(f'{name}={offered.values[name]}')}"
        elif shape := offered.shape_of(one.name, name) or in_order.get(name):
            yield shape.option(name)


def _fitting(one: Found, names: Sequence[str], offered: Offered) -> Iterator[Sequence[Choice]]:
    passed = [name for name in names if name not in one.made_from]
    made = [name for name in names if name in one.made_from]
    numbers = [name for name in made if CALLED_NUMBERS.search(name.lower())]
    choices = [
        _numbers(numbers.index(name)) if name in numbers else _likely(name, is_first=name in passed[:1])
        for name in (*passed, *made)
    ]
    end = time.monotonic() + SECONDS
    for chosen in islice(product(*choices), MOST):
        by_name = dict(zip((*passed, *made), chosen, strict=True))
        shapes = {name: choice for name, choice in by_name.items() if isinstance(choice, Shape)}
        values = {name: choice.value for name, choice in by_name.items() if isinstance(choice, Whole)}
        these = replace(offered, shapes={**offered.shapes, **shapes}, values={**offered.values, **values})
        try:
            inputs = these.inputs(one.name, one.members, one.wanted)
        except NoInputsError:
            return
        if attempt(functools.partial(_runs, one, inputs)):
            yield [by_name[name] for name in names]
        if time.monotonic() > end:
            return


def _numbers(i: int) -> list[Choice]:
    """Return what the i-th of the numbers may be that a class is made from: features and units in turn."""
    return [NUMBERS[i % 2], NUMBERS[1 - i % 2], *OTHERS]


def _likely(name: str, *, is_first: bool) -> list[Choice]:
    """Return the shapes that an input of this name may have, the likeliest first."""
    if name.lower() in CALLED_VECTORS:
        return sorted(OTHERS, key=lambda shape: shape not in VECTORS)
    return sorted(OTHERS, key=lambda shape: shape != X) if is_first or name.lower() == "x" else [*OTHERS]


def _runs(one: Found, inputs: Mapping[str, Any]) -> bool:
    """Tell whether forward takes these inputs: it raises where it does not."""
    with torch.no_grad(), warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
        one.run_forward(copied(inputs))
    return True
