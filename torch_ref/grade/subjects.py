"""What is graded: the formulas of the classes of each chapter, and the right answers at one set of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from manual_bp.layer import parameters
from torch_ref.autograd.mirrored import loss_of, module_of
from torch_ref.grade.whole_network import DEFAULT, NAME, Network, WholeNetwork
from torch_ref.known import KNOWN, Formula
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.passes import call
from torch_ref.steps.protocol import answer_step, layer_step, loss_step
from torch_ref.steps.step import Step


def formula_of(kind: type, makes: str) -> Formula:
    """Return the formula by which a class makes something."""
    return Network.formula(makes) if kind is Network else KNOWN[kind].formulas[makes]


@dataclass(frozen=True)
class Question:
    """One formula of a class: what earns one point."""

    kind: type
    makes: str
    """forward, error, output, or the name of a parameter for its gradient."""

    @property
    def symbol(self) -> str:
        """Return what the formula makes: net."""
        return formula_of(self.kind, self.makes).symbol

    @property
    def method(self) -> str:
        """Return the name of the method that has to give it."""
        return self.makes if self.makes in ("forward", "output") else "backward"

    @property
    def number(self) -> str:
        """Return the number of the equation."""
        return formula_of(self.kind, self.makes).number

    def __str__(self) -> str:
        """Return class and quantity: Linear net."""
        return f"{self.kind.__name__} {self.symbol}"


QUESTIONS_OF: dict[str, tuple[Question, ...]] = {
    kind.__name__: tuple(Question(kind, makes) for makes in known.formulas)
    for kind, known in KNOWN.items()
    if known.chapter
}
"""The questions about each class that is graded, in the order of the chapters."""


def ask_for(network: WholeNetwork) -> None:
    """Let this be the network that is asked for as a whole."""
    QUESTIONS_OF[NAME] = tuple(Question(Network, makes) for makes in network.makes)


CHAPTERS: dict[str, tuple[str, ...]] = {
    chapter: tuple(name for name, questions in QUESTIONS_OF.items() if KNOWN[questions[0].kind].chapter == chapter)
    for chapter in dict.fromkeys(known.chapter for known in KNOWN.values() if known.chapter)
}
"""The classes of each chapter; the lecture's own six come first."""

ask_for(DEFAULT)
CHAPTERS["network"] = (NAME,)

LECTURE = CHAPTERS["lecture"]


def chapters_of(classes: Iterable[str]) -> list[str]:
    """Return all classes of the chapters that some classes are of."""
    given = set(classes)
    return [name for names in CHAPTERS.values() if given & set(names) for name in names]


SETTINGS = ("reduction", "stride", "padding", "kernel", "epsilon")
"""What the constructors of the classes take beside parameters."""


SHOWN = ("stride", "padding", "kernel")
"""What of that is said where a point is described."""


@dataclass(frozen=True)
class NumberKind:
    """What kind of numbers a point has."""

    name: str
    dtype: torch.dtype = torch.float64
    largest: float = 1.0
    """How many times a normal number x may be; where that is not 1, activations and losses see saturating ones too."""
    one_row: bool = False
    square: bool = False
    """Whether as many numbers, units or channels go in as come out."""
    reduction: str = "mean"
    bias: bool = True
    zeros: bool = False
    """Whether a row of x, a row of the error and every other entry of x are 0."""


@dataclass(frozen=True)
class Point:
    """One set of numbers for the formulas of one class, and the right answers."""

    numbers: NumberKind
    owner: Any
    """The layer or loss of ``manual_bp``: it holds parameters and settings, none of its formulas is used."""
    x: Tensor
    other: Tensor
    """The error of y for a layer, the target t for a loss."""

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps whose references give the right answers."""
        of = {q.makes: q.symbol for q in QUESTIONS_OF[type(self.owner).__name__]}
        if "output" not in of:
            module = module_of(self.owner)
            names = {name: of[name] for name in self.parameters}
            reference = lambda x, **named: call(module, x, named)  # noqa: E731
            return (layer_step(self.owner, reference, self.x, self.other, of["forward"], of["error"], names),)
        loss = loss_of(self.owner)
        y = loss.output(self.x)
        answer = answer_step(self.owner, loss.output, self.x, of["output"])
        return answer, loss_step(self.owner, loss, self.x, self.other, of["forward"], of["error"], y=y)

    @property
    def parameters(self) -> Tensors:
        """Return the parameters by name."""
        return parameters(self.owner)

    @property
    def settings(self) -> dict[str, Any]:
        """Return what the constructor takes besides, by name."""
        found = {name: getattr(self.owner, name) for name in SETTINGS if hasattr(self.owner, name)}
        return {name: value[0] if isinstance(value, tuple) else value for name, value in found.items()}

    def right(self, of: Question) -> Tensor:
        """Return the right answer."""
        return next(s.witnesses[of.symbol].value for s in self.steps if of.symbol in s.witnesses)

    def has(self, of: Question) -> bool:
        """Tell whether the formula is asked for here: there is no gradient of a bias where there is no bias."""
        return of.makes in ("output", "forward", "error") or of.makes in self.parameters

    def given(self, asked: Sequence[Question]) -> dict[str, Any]:
        """Return what a process needs in order to run one method: never the right answer of what it gives."""
        is_loss = hasattr(self.owner, "reduction")
        passed = {"x": self.x, "t" if is_loss else "error": self.other}
        if asked[0].method == "backward":
            own = QUESTIONS_OF[type(self.owner).__name__][0]  # a loss's answer y, a layer's output: what forward saves
            passed["y"] = self.right(own)
        makes = [of.makes for of in asked if self.has(of)]
        arrays = {"parameters": _as_arrays(self.parameters), "passed": _as_arrays(passed)}
        return {"makes": makes, "settings": self.settings, **arrays}

    @property
    def in_float64(self) -> Point:
        """Return the same numbers in float64."""
        wide = {name: p.double() for name, p in self.parameters.items()}
        owner = replace(self.owner, **wide) if wide else self.owner
        return Point(replace(self.numbers, dtype=torch.float64), owner, self.x.double(), self.other.double())

    def __str__(self) -> str:
        """Return sizes, dtype and kind."""
        shape = tuple(self.x.shape)
        made = "".join(f", {name} {tuple(p.shape)}" for name, p in self.parameters.items())
        made += "".join(f", {name} {value}" for name, value in self.settings.items() if name in SHOWN)
        dtype = str(self.x.dtype).removeprefix("torch.")
        reduction = f", {self.owner.reduction}" if hasattr(self.owner, "reduction") else ""
        return f"x {shape}{made}{reduction}, {dtype}, {self.numbers.name}"


def _as_arrays(given: Tensors) -> dict[str, Any]:
    return {name: t.numpy() for name, t in given.items()}
