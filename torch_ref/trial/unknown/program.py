"""What a program of this corpus is: a pair forward and backward, and edits of backward as people make them."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from types import MethodType
from typing import Any

import torch
from torch import Tensor

Formula = Callable[..., Any]
Inputs = tuple[Any, ...]

MEAN = "mean-for-sum factor"
PART = "part-missing path-detached"
PROJECTION = "projection-missing part-missing path-detached"
"""Codes that are right together."""


@dataclass(frozen=True)
class Numbers:
    """Where inputs are drawn from, in float32."""

    generator: torch.Generator

    def normal(self, *shape: int, scale: float = 1.0, around: float = 0.0) -> Tensor:
        """Return normally distributed numbers."""
        return torch.randn(shape, generator=self.generator) * scale + around

    def between(self, low: float, high: float, *shape: int) -> Tensor:
        """Return evenly distributed numbers."""
        return torch.rand(shape, generator=self.generator) * (high - low) + low

    def below(self, limit: int, *shape: int) -> Tensor:
        """Return whole numbers from 0, less than ``limit``."""
        return torch.randint(limit, shape, generator=self.generator)

    def mask(self, *shape: int) -> Tensor:
        """Return booleans, two of three of them True."""
        return torch.rand(shape, generator=self.generator) > 1 / 3


@dataclass(frozen=True)
class Mistake:
    """An edit of a right backward, and which causes are right for it."""

    name: str
    edits: tuple[tuple[str, str], ...]
    """What stands once in the right backward, and what stands in its place."""
    accepts: frozenset[str]
    """The codes of all causes that a competent teacher would call right."""
    places: tuple[tuple[int, ...], ...] = ()
    """The rows that are wrong, or the columns, where the mistake is a matter of place; each is right."""


def wrong(
    name: str, old: str, new: str, accepts: str, *also: tuple[str, str], places: tuple[tuple[int, ...], ...] = ()
) -> Mistake:
    """Return a mistake; the codes that it accepts are separated by spaces."""
    return Mistake(name, ((old, new), *also), frozenset(accepts.split()), places)


@dataclass(frozen=True)
class Program:
    """One right pair, as somebody writes it in a class of their own, and the mistakes in it."""

    name: str
    kind: str
    written: Any
    """Has forward(*inputs), backward(d, *inputs), draw(numbers) -> inputs, and mistakes."""

    @property
    def forward(self) -> Formula:
        """Return the forward formula."""
        made: Formula = self.written.forward
        return made

    @property
    def backward(self) -> Formula:
        """Return the right backward."""
        made: Formula = self.written.backward
        return made

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Return what people get wrong in it."""
        found: tuple[Mistake, ...] = self.written.mistakes
        return found

    def inputs(self) -> Inputs:
        """Return the inputs; each program has numbers of its own."""
        seed = int(hashlib.sha256(self.name.encode()).hexdigest()[:8], 16)
        drawn: Inputs = self.written.draw(Numbers(torch.Generator().manual_seed(seed)))
        return drawn

    def called(self, mistake: Mistake) -> str:
        """Return the name of a mistake, which no other has."""
        return f"{self.name}: {mistake.name}"

    def mistaken(self, mistake: Mistake) -> Formula:
        """Return the backward with this mistake in it. Raises ValueError where an edit does not fit."""
        text = self._edited(mistake)
        file = f"<{self.called(mistake)}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        space: dict[str, Any] = dict(inspect.unwrap(self.written.backward.__func__).__globals__)
        exec(compile(text, file, "exec"), space)  # our own text
        return MethodType(space["backward"], self.written)

    def lines_of(self, mistake: Mistake) -> set[int]:
        """Return the lines in which a mistake stands; of one that leaves lines out the one that follows."""
        right, wrong = (text.splitlines() for text in (self._right, self._edited(mistake)))
        changes = SequenceMatcher(None, right, wrong, autojunk=False).get_opcodes()
        ranges = (range(begin, max(end, begin + 1)) for kind, _, _, begin, end in changes if kind != "equal")
        return {line + 1 for lines in ranges for line in lines}

    @property
    def _right(self) -> str:
        return textwrap.dedent(inspect.getsource(self.backward))

    def _edited(self, mistake: Mistake) -> str:
        text = self._right
        for old, new in mistake.edits:
            if text.count(old) != 1:
                raise ValueError(f"{self.called(mistake)}: {old!r} stands {text.count(old)} times in\n{text}")
            text = text.replace(old, new)
        return text


def programs(kind: str, *written: type[Any]) -> tuple[Program, ...]:
    """Return the programs of one kind, each named as its class."""
    return tuple(Program(one.__name__, kind, one()) for one in written)


def unseen(name: str) -> bool:
    """Tell whether a mistake is of the third that is not shown while causes are written."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 3 == 0
