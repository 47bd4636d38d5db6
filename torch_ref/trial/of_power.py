"""What a verdict says of its power, on trial: changes of twice and of half that size are planted into the result.

    python -m torch_ref.trial.of_power 1000

A statement is right where the change of twice the size is rejected in every gradient, and that of half of it is not.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from torch_ref.check.function import check_function
from torch_ref.trial.command import positive
from torch_ref.trial.functions import Kind
from torch_ref.trial.functions.kind import Inputs
from torch_ref.trial.functions.wrong import changed
from torch_ref.trial.of_functions import random_function
from torch_ref.verdict.power import middle

SMALL = 24
"""The largest dimension of a function here: every statement takes several checks."""

FIGURES = ("factor", "row", "entry")


class Stated(NamedTuple):
    """One statement of a report's power."""

    what: str
    dtype: str
    figure: str
    share: float
    right: bool
    low: bool
    """Whether half of the change is rejected too: less was promised than is kept."""


def statements(count: int) -> list[Stated]:
    """Return so many statements, of random right functions in all dtypes."""
    found: list[Stated] = []
    seed = 0
    while len(found) < count:
        found += _of(seed)
        seed += 1
    return found[:count]


def _of(seed: int) -> Iterator[Stated]:
    kind, draw, what = random_function(seed)
    if kind.as_function:
        return
    draw = replace(draw, rows=min(draw.rows, SMALL), columns=min(draw.columns, SMALL))
    inputs = kind.draw(draw)
    if not all(isinstance(value, Tensor | int | float | None) for value in inputs):
        return  # a container: what is planted there has no one place
    report = check_function(kind.forward, kind.backward, inputs, reference=kind.reference, differences=kind.differences)
    compared = {row.quantity for row in report.rows if row.isolated.reason not in ("zero", "not-finite")}
    places = [i for i, name in enumerate(kind.arguments) if f"gradient of {name}" in compared]
    wide = [i for i in places if inputs[i].ndim > 1]
    for figure in FIGURES:
        share = getattr(report.power, figure) if report.power else None
        if share is None or share > 0.25:
            continue
        twice, half = (
            _is_rejected(kind, inputs, (wide or places) if figure == "row" else places, figure, by * share)
            for by in (2.0, 0.5)
        )
        yield Stated(
            what, str(draw.dtype).removeprefix("torch."), figure, share, all(twice) and not all(half), all(half)
        )


def _is_rejected(kind: Kind, inputs: Inputs, places: list[int], figure: str, share: float) -> list[bool]:
    """Return for each gradient whether a change of it is rejected; those that are 0 have nothing to change."""
    found = []
    for place in places:
        change = Planted(figure, share)
        options: dict[str, Any] = {"reference": kind.reference, "differences": False, "power": False}
        report = check_function(kind.forward, changed(kind.backward, place, change), inputs, **options)
        found += [not report.ok] if change.has_changed else []
    return found


class Planted:
    """Changes everything, the middle row or the middle entry by a share, the same one at every call."""

    def __init__(self, figure: str, share: float) -> None:
        """Take what is changed, and by how much."""
        self.figure, self.share = figure, share
        self.has_changed = False
        self._at: int | None = None

    def __call__(self, g: Tensor) -> Tensor:
        """Return the changed gradient."""
        if not bool(g.any()):
            return g
        self.has_changed = True
        if self.figure == "factor":
            return g * (1 + self.share)
        parts = g.clone().reshape(len(g), -1) if self.figure == "row" and g.ndim > 1 else g.clone().reshape(-1, 1)
        if self._at is None:
            self._at = middle(parts.abs().double().norm(dim=1))
        parts[self._at] *= 1 + self.share
        return parts.reshape(g.shape)


def main(words: list[str]) -> int:
    """Print how many of so many statements are right within a factor of 2; return 0 where 95 % are."""
    parser = argparse.ArgumentParser(
        prog="python -m torch_ref.trial.of_power", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("count", nargs="?", type=positive, default=1000, help="how many statements (default: 1000)")
    torch.set_num_threads(1)
    found = statements(parser.parse_args(words).count)
    for key in ("dtype", "figure"):
        counts = Counter(getattr(s, key) for s in found)
        right = Counter(getattr(s, key) for s in found if s.right)
        print("\n".join(f"{name:12} {right[name]:5} of {count:5}" for name, count in sorted(counts.items())))
    for s in found:
        if not s.right:
            print(f"{s.figure} of {s.share:.1e}, {'more' if s.low else 'less'} is seen: {s.what}")
    share = sum(s.right for s in found) / len(found)
    print(f"{share:.1%} of {len(found)} statements are right within a factor of 2 (needed: 95%)")
    return 0 if share >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
