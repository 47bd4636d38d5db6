"""What is graded: the formulas of the six classes of the lecture, and the numbers at which they are tried.

A point is one set of numbers. The first is public: the lecture's example X2, which the template shows too. The
others are hidden: drawn anew for every seed, sizes and all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from manual_bp import Linear, ReLU, SoftmaxCrossEntropy, SquaredError
from torch_ref.autograd.mirrored import loss_of, module_of
from torch_ref.known import KNOWN
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.passes import call
from torch_ref.steps.protocol import answer_step, layer_step, loss_step
from torch_ref.steps.step import Step


@dataclass(frozen=True)
class Question:
    """One formula of a class: what earns one point."""

    kind: type
    makes: str
    """forward, error, output, or the name of a parameter for its gradient."""

    @property
    def symbol(self) -> str:
        """Return what the formula makes: net."""
        return KNOWN[self.kind].formulas[self.makes].symbol

    @property
    def method(self) -> str:
        """Return the name of the method that has to give it."""
        return self.makes if self.makes in ("forward", "output") else "backward"

    @property
    def number(self) -> str:
        """Return the lecture's equation number."""
        return KNOWN[self.kind].formulas[self.makes].number

    def __str__(self) -> str:
        """Return class and quantity: Linear net."""
        return f"{self.kind.__name__} {self.symbol}"


QUESTIONS_OF: dict[str, tuple[Question, ...]] = {
    kind.__name__: tuple(Question(kind, makes) for makes in known.formulas)
    for kind, known in KNOWN.items()
    if known.graded
}
"""The questions about each class that is graded, in the lecture's order."""


@dataclass(frozen=True)
class NumberKind:
    """What kind of numbers a point has."""

    name: str
    dtype: torch.dtype = torch.float64
    largest: float = 1.0
    """How many times a normal number x may be; where that is not 1, activations and losses see saturating ones too."""
    one_row: bool = False
    square: bool = False
    reduction: str = "mean"
    bias: bool = True
    zeros: bool = False
    """Whether a row of x, a row of the error and every other entry of x are 0."""


SATURATING = {torch.float32: 100.0, torch.float64: 1000.0}
"""A number, of which e^x is too large for the dtype."""

PUBLIC = NumberKind("the public example X2", torch.float32)
TWINS = (1, 2)
"""Two points of the same sizes: a formula that gives the same at both does not read its inputs."""

KINDS = (
    NumberKind("ordinary numbers"),
    NumberKind("ordinary numbers"),
    NumberKind("ordinary numbers", one_row=True),
    NumberKind("ordinary numbers", square=True, reduction="sum", bias=False),
    NumberKind("ordinary numbers", torch.float32, reduction="sum"),
    NumberKind("large numbers", largest=30.0, reduction="sum", bias=False),
    NumberKind("large numbers", torch.float32, largest=30.0),
    NumberKind("many zeros", zeros=True),
)


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
        named = ((name, getattr(self.owner, name, None)) for name in ("weight", "bias"))
        return {name: value for name, value in named if value is not None}

    def right(self, of: Question) -> Tensor:
        """Return the right answer."""
        return next(s.witnesses[of.symbol].value for s in self.steps if of.symbol in s.witnesses)

    def has(self, of: Question) -> bool:
        """Tell whether the formula is asked for here: there is no gradient of a bias where there is no bias."""
        return of.makes != "bias" or "bias" in self.parameters

    def given(self, asked: Sequence[Question]) -> dict[str, Any]:
        """Return what a process needs in order to run one method: never the right answer of what it gives."""
        is_loss = hasattr(self.owner, "reduction")
        settings = {"reduction": self.owner.reduction} if is_loss else {}
        passed = {"x": self.x, "t" if is_loss else "error": self.other}
        if asked[0].method == "backward":
            own = QUESTIONS_OF[type(self.owner).__name__][0]  # a loss's answer y, a layer's output: what forward saves
            passed["y"] = self.right(own)
        makes = [of.makes for of in asked if self.has(of)]
        arrays = {"parameters": _as_arrays(self.parameters), "passed": _as_arrays(passed)}
        return {"makes": makes, "settings": settings, **arrays}

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
        dtype = str(self.x.dtype).removeprefix("torch.")
        reduction = f", {self.owner.reduction}" if hasattr(self.owner, "reduction") else ""
        return f"x {shape}{made}{reduction}, {dtype}, {self.numbers.name}"


def _as_arrays(given: Tensors) -> dict[str, Any]:
    return {name: t.numpy() for name, t in given.items()}


@lru_cache(maxsize=64)
def points(name: str, seed: int, arrays: bool = False) -> tuple[Point, ...]:
    """Return the public point of a class, then the hidden ones of a seed; for arrays of numpy all in float64."""
    kind = QUESTIONS_OF[name][0].kind
    generator = torch.Generator().manual_seed(seed)
    rows, n_in, n_out = (3 + torch.randperm(6, generator=generator)[:3]).tolist()
    sizes = {False: (rows, n_in, n_out), True: (rows, n_in, n_in)}
    kinds = [replace(k, dtype=torch.float64) if arrays else k for k in KINDS]
    hidden = [_hidden(kind, k, sizes[k.square], generator) for k in kinds]
    public = _public(kind)
    return (public.in_float64 if arrays else public, *hidden)


def _hidden(kind: type, of: NumberKind, sizes: tuple[int, int, int], generator: torch.Generator) -> Point:
    rows, n_in, n_out = 1 if of.one_row else sizes[0], *sizes[1:]

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=of.dtype, generator=generator)

    def error(*shape: int) -> Tensor:
        e = normal(*shape)
        return torch.cat([e[:-1], torch.zeros_like(e[-1:])]) if of.zeros else e

    x = normal(rows, n_in) * of.largest ** torch.rand(rows, n_in, dtype=of.dtype, generator=generator)
    if of.zeros:
        x.view(-1)[::2] = 0
        x[0] = 0
    if kind is Linear:
        owner = Linear(normal(n_out, n_in), normal(n_out) if of.bias else None)
        return Point(of, owner, x, error(rows, n_out))
    if of.largest > 1:
        x[-1, :2] = torch.tensor([1.0, -1.0]) * SATURATING[of.dtype]
    if "output" in KNOWN[kind].formulas:
        return Point(of, kind(of.reduction), x, torch.softmax(normal(rows, n_in), 1))
    if kind is ReLU:
        x[0, 0] = 0  # its kink
    return Point(of, kind(), x, error(rows, n_in))


def _public(kind: type) -> Point:
    """Return the numbers of X2: those of its first layer, or of its output; two units for the softmax."""
    rows = {name: torch.tensor([numbers]) for name, numbers in X2.items()}
    if kind is Linear:
        owner = Linear(torch.tensor([[0.1, 0.8], [0.4, 0.6]]), torch.zeros(2))
        return Point(PUBLIC, owner, rows["x^0"], rows["δ^1"])
    if kind is SquaredError:
        return Point(PUBLIC, kind(), rows["y"], rows["t"])
    if kind is SoftmaxCrossEntropy:
        return Point(PUBLIC, kind(), rows["net^1"], torch.tensor([[0.0, 1.0]]))
    return Point(PUBLIC, kind(), rows["net^1"], rows["e^1"])


X2 = {
    "x^0": [0.35, 0.9],
    "net^1": [0.755, 0.68],
    "y": [0.690283],
    "t": [0.5],
    "e^1": [-0.012204, -0.036613],  # W^2 δ^2
    "δ^1": [-0.002654, -0.008172],
}
