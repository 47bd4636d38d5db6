"""The numbers at which a whole network is tried, and what its forward pass and autograd make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from torch_ref.grade.drawn import KINDS, SHOWN
from torch_ref.grade.subjects import NumberKind, Question
from torch_ref.grade.whole_network import Network, WholeNetwork
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.step import Made, Step

WATCHED = (1, 3)
"""The points at which it is looked at what a file computes on its way."""


@dataclass(frozen=True)
class WholePoint:
    """One set of numbers for a network, and the right answers."""

    numbers: NumberKind
    owner: WholeNetwork
    x: Tensor
    t: Tensor
    parameters: Tensors
    at: int = 0
    """Which of the points it is."""

    @property
    def given_to_it(self) -> Tensors:
        """Return everything that forward takes."""
        return {"x": self.x, "t": self.t, **self.parameters}

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Return the whole pass as one step."""

        def passed(inputs: Tensors, fixed: Tensors) -> tuple[Tensor, ...]:
            return (self.owner.forward(**inputs, **fixed),)

        return (
            Step(
                owner=Network(),
                kind="function",
                inputs=self.parameters,
                fixed={"x": self.x, "t": self.t},
                errors=(-torch.ones((), dtype=self.x.dtype),),
                outputs=(Made("L", "forward"),),
                gradients={name: Made(f"∂L/∂{name}", name) for name in self.parameters},
                forward=passed,
                reference=passed,
                compute=lambda step, isolated: {},
            ),
        )

    def right(self, of: Question) -> Tensor:
        """Return the right answer."""
        return self.steps[0].witnesses[of.symbol].value

    def has(self, of: Question) -> bool:
        """Tell whether the formula is asked for here, as all are."""
        return of.makes in self.owner.makes

    @property
    def is_watched(self) -> bool:
        """Tell whether it is looked at what a file computes here on its way."""
        return self.at in WATCHED

    def given(self, asked: Sequence[Question]) -> dict[str, Any]:
        """Return what a process needs in order to run one method: never the right answer of what it gives.

        Backward gets the right values of the forward pass, in the place of the file's own.
        """
        found: dict[str, Any] = {
            "makes": [of.makes for of in asked],
            "parameters": {name: p.numpy() for name, p in self.parameters.items()},
            "passed": {"x": self.x.numpy(), "t": self.t.numpy()},
            "watched": self.is_watched,
        }
        if asked[0].method == "backward":
            _, values = self.owner.values(self.given_to_it)
            found["right"] = {name: v.numpy() for name, v in values.items() if v.is_floating_point()}
        return found

    def __str__(self) -> str:
        """Return sizes, dtype and kind."""
        shapes = ", ".join(f"{name} {tuple(t.shape)}" for name, t in self.given_to_it.items())
        return f"{shapes}, {str(self.x.dtype).removeprefix('torch.')}, {self.numbers.name}"


@lru_cache(maxsize=64)
def points(network: WholeNetwork, seed: int, arrays: bool = False) -> tuple[WholePoint, ...]:
    """Return the public point of a network, then the hidden ones of a seed; for arrays of numpy all in float64."""
    generator = torch.Generator().manual_seed(seed)
    kinds = [replace(k, dtype=torch.float64) if arrays else k for k in (SHOWN, *KINDS)]
    letters = list(dict.fromkeys(n for shape in network.shapes.values() for n in shape if isinstance(n, str)))
    sizes = dict(zip(letters, (3 + torch.randperm(max(6, len(letters)), generator=generator)).tolist(), strict=False))
    shown = dict(zip(letters, range(2, 2 + len(letters)), strict=True))
    found = [
        _drawn(network, k, shown if i == 0 else sizes, i, torch.Generator().manual_seed(0) if i == 0 else generator)
        for i, k in enumerate(kinds)
    ]
    return tuple(found)


def _drawn(
    network: WholeNetwork, of: NumberKind, sizes: dict[str, int], at: int, generator: torch.Generator
) -> WholePoint:
    if of.square:
        inner = next((size for letter, size in sizes.items() if letter != "N"), 3)
        sizes = {letter: size if letter == "N" else inner for letter, size in sizes.items()}
    sizes = sizes | {"N": 1 if of.one_row else sizes.get("N", 3)}
    shapes = {name: [sizes[n] if isinstance(n, str) else n for n in shape] for name, shape in network.shapes.items()}
    given = {name: torch.randn(shape, dtype=of.dtype, generator=generator) for name, shape in shapes.items()}
    wide = torch.rand(shapes["x"], dtype=of.dtype, generator=generator)
    given["x"] = given["x"] * of.largest**wide
    if of.zeros:
        given["x"].view(-1)[::2] = 0
        given["x"][0] = 0
    if network.targets == "one-hot":
        chosen = given["t"].argmax(-1)
        given["t"] = torch.nn.functional.one_hot(chosen, shapes["t"][-1]).to(of.dtype)
    x, t = given.pop("x"), given.pop("t")
    return WholePoint(of, network, x, t, given, at)
