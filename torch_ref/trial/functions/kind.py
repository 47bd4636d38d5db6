"""What a kind of function is: its formulas by hand, how its inputs are drawn, and the faults that are planted in it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.functions import wrong

Formula = Callable[..., Any]
Inputs = list[Any]

SINGLE = (torch.float64, torch.float32)
REAL = (*SINGLE, torch.bfloat16, torch.float16)
COMPLEX = (torch.complex128, torch.complex64)


@dataclass(frozen=True)
class Draw:
    """How one set of inputs is drawn: everything random comes from ``generator``."""

    generator: torch.Generator
    dtype: torch.dtype = torch.float64
    scale: float = 1.0
    rows: int = 6
    columns: int = 5
    zeros: bool = False
    """One entry in five is 0."""
    ties: bool = False
    """Entries are multiples of half the scale, so that many are equal."""

    def normal(self, *shape: int, scale: float | None = None) -> Tensor:
        """Return normal numbers times the scale; the same numbers, rounded, in every dtype."""
        wide = torch.complex128 if self.dtype.is_complex else torch.float64
        t = torch.randn(shape, dtype=wide, generator=self.generator)
        if self.ties and not self.dtype.is_complex:
            t = (2 * t).round() / 2
        if self.zeros:
            t = t * (torch.rand(shape, generator=self.generator) > 0.2)
        return (t * (self.scale if scale is None else scale)).to(self.dtype)

    def weight(self, *shape: int) -> Tensor:
        """Return numbers between 0.5 and 1.5, whatever the scale."""
        return (torch.rand(shape, dtype=torch.float64, generator=self.generator) + 0.5).to(self.dtype)

    def share(self, *shape: int) -> Tensor:
        """Return numbers between 0.05 and 0.95, such as probabilities."""
        return (0.9 * torch.rand(shape, dtype=torch.float64, generator=self.generator) + 0.05).to(self.dtype)

    def labels(self, count: int, classes: int) -> Tensor:
        """Return whole numbers below ``classes``; the last one is the largest."""
        t = torch.randint(classes, (count,), generator=self.generator)
        t[-1] = classes - 1
        return t

    def mask(self, *shape: int) -> Tensor:
        """Return booleans, two of three of them True."""
        return torch.rand(shape, generator=self.generator) > 1 / 3


@dataclass(frozen=True)
class Fault:
    """A wrong backward in place of the right one."""

    backward: Formula
    fresh: bool = False
    """``backward()`` makes the formula anew, since it keeps something from call to call."""

    def made(self) -> Formula:
        """Return the wrong formula, with nothing kept in it yet."""
        made: Formula = self.backward() if self.fresh else self.backward
        return made


@dataclass(frozen=True)
class Kind:
    """One right function with its handwritten backward, and the wrong ones that are put in its place."""

    name: str
    family: str
    forward: Formula
    """Of the inputs, in order."""
    backward: Formula
    """Of the gradients of the outputs, then the inputs."""
    draw: Callable[[Draw], Inputs]
    own: Mapping[str, Formula | Fault] = field(default_factory=dict)
    """The faults that only this kind can have, by name."""
    dtypes: tuple[torch.dtype, ...] = REAL
    reference: Formula | None = None
    as_function: bool = False
    """It is checked as an autograd Function, else as a pair of plain functions."""
    differences: bool = True
    exact: float = 1e-6
    """What float64 does not show above this share of a gradient's norm is no fault: more for float32 inside."""
    scales: tuple[float, float] = (1e-8, 1e6)
    smooth: bool = False
    """It has no derivative at some zeros and ties: none are drawn."""
    widest: int = 2000
    zero: tuple[str, ...] = ()
    """The arguments whose gradient is 0 in exact arithmetic."""
    general: bool = True
    """The faults that any function can have are planted too."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return the names of forward's arguments."""
        return tuple(inspect.signature(self.forward).parameters)

    @cached_property
    def faults(self) -> dict[str, Fault]:
        """Return all faults by name: those that any function can have, then its own."""
        found = {name: Fault(formula) for name, formula in self._general().items()} if self.general else {}
        return found | {name: f if isinstance(f, Fault) else Fault(f) for name, f in self.own.items()}

    def _general(self) -> dict[str, Formula]:
        """Return the general faults, planted at the first and at the last gradient that backward gives."""
        inputs = self.draw(Draw(torch.Generator().manual_seed(0), self.dtypes[0]))
        outputs = self.forward(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        d = self.backward(*map(torch.ones_like, outputs), *inputs)
        given = [i for i, g in enumerate(d if isinstance(d, tuple) else (d,)) if isinstance(g, Tensor)]
        first, last, b = given[0], given[-1], self.backward
        found = {
            f"{self.arguments[first]} times 1.02": wrong.scaled(b, first, 1.02),
            f"{self.arguments[last]} of the other sign": wrong.scaled(b, last, -1.0),
            f"one row of {self.arguments[last]} off by 10 %": wrong.row_scaled(b, last, 1.1),
            f"tail of {self.arguments[first]} not written": wrong.tail_zeroed(b, first),
        }
        if any(y.numel() > 1 for y in outputs):
            found["upstream gradient ignored"] = wrong.upstream_ignored(b, len(outputs))
            found["last sample dropped"] = wrong.sample_dropped(b, len(outputs))
        return found
