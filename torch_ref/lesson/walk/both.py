"""One example by both engines: every tensor, every single number, how far they are apart, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import torch
from torch import Tensor

from manual_bp import Network
from manual_bp.lecture import entries
from torch_ref.check.network import crosscheck
from torch_ref.lesson.walk.examples import Example
from torch_ref.lesson.walk.quantities import pass_by_autograd, pass_by_hand, scalars
from torch_ref.lesson.walk.steps import WalkStep, walk
from torch_ref.numbers.agreement import compare, ulp_distance
from torch_ref.numbers.witness import Tensors, Witness
from torch_ref.verdict.report import Report

WRONG = {torch.float64: 1e-9, torch.float32: 1e-4}
"""Numbers that are further apart than this share of their tensor's norm are marked. Rounding stays far below it; a
fault of 0.05 % is above."""


@dataclass(frozen=True)
class Both:
    """An example by hand, with ``planted`` in place of its network where a fault is shown, and by autograd."""

    example: Example
    hand: Tensors
    autograd: Tensors
    planted: Network

    @classmethod
    def of(cls, example: Example, planted: Network | None = None) -> Both:
        """Run both engines; ``planted`` is the network with a fault in it.

        Raises ValueError where the fault makes tensors of other shapes.
        """
        planted = planted or example.network
        t = target_of(example)
        hand = pass_by_hand(planted, example.x, t, example.lr)
        auto = pass_by_autograd(example.network, example.x, t, example.lr)
        if {name: value.shape for name, value in hand.items()} != {name: value.shape for name, value in auto.items()}:
            raise ValueError("a walk expects a fault that keeps the shapes of all tensors, got one that changes them")
        if example.t is None:
            hand, auto = ({n: v for n, v in tensors.items() if n[0] in "nxy"} for tensors in (hand, auto))
        return cls(example, hand, auto, planted)

    @cached_property
    def ulp(self) -> Tensors:
        """Return how many floating-point numbers lie between the two, entry by entry."""
        return {name: ulp_distance(value, self.autograd[name]) for name, value in self.hand.items()}

    @cached_property
    def wrong(self) -> Tensors:
        """Return which entries are further apart than rounding can be, as zeros and ones."""
        return {name: self._wrong(name).double() for name in self.hand}

    @property
    def identical(self) -> bool:
        """Tell whether both engines agree to the last bit."""
        return all(torch.equal(value, self.autograd[name]) for name, value in self.hand.items())

    @property
    def agrees(self) -> bool:
        """Tell whether nothing is wrong: what differs, differs by rounding."""
        return not any(wrong.any() for wrong in self.wrong.values()) and (self.report is None or self.report.ok)

    @cached_property
    def report(self) -> Report | None:
        """Return what ``crosscheck`` finds; None where there is only a forward pass."""
        x, t = self.example.x, self.example.t
        return None if t is None else crosscheck(self.planted, x, t, power=False)

    @cached_property
    def numbers(self) -> dict[str, Pair]:
        """Return every single number by name, of a network that is small enough for that."""
        each = (scalars(tensors) for tensors in (self.hand, self.autograd, self.ulp, self.wrong))
        hand, auto, ulp, wrong = each
        return {name: Pair(hand[name], auto[name], ulp[name], bool(wrong[name])) for name in hand}

    @cached_property
    def written(self) -> dict[str, Decimal]:
        """Return what a walk puts into its formulas: the given numbers, and those by hand."""
        return given(self.example) | {name: Decimal(number.by_hand) for name, number in self.numbers.items()}

    @cached_property
    def exact(self) -> dict[str, Decimal]:
        """Return the given numbers and autograd's."""
        return given(self.example) | {name: Decimal(number.autograd) for name, number in self.numbers.items()}

    def steps(self) -> list[WalkStep]:
        """Return the steps of the walk whose numbers there are: all of them, or those of a forward pass."""
        return [step for step in walk(self.example.network) if step.name in self.numbers]

    @property
    def verdict(self) -> str:
        """Say in one sentence how far the numbers by hand are from autograd's."""
        tensors = self.hand.values()
        many, apart = sum(v.numel() for v in tensors), sum(int((u > 0).sum()) for u in self.ulp.values())
        wrong = sum(int(w.sum()) for w in self.wrong.values())
        if wrong:
            return f"{wrong:,} of {many:,} numbers by hand are wrong."
        if apart:
            most = max(u.max().item() for u in self.ulp.values())
            return f"{many - apart:,} of {many:,} numbers are identical; the others differ by at most {most:.0f} ulp."
        return f"All {many:,} numbers by hand are autograd's, identical to the last bit."

    def _wrong(self, name: str) -> Tensor:
        hand, auto = self.hand[name], self.autograd[name]
        compared = compare(hand, Witness.exactly(auto), WRONG[hand.dtype])
        differs = ~torch.isclose(hand, auto, rtol=WRONG[hand.dtype], atol=0)
        return differs if compared.status == "wrong" else torch.zeros_like(differs)


@dataclass(frozen=True)
class Pair:
    """One number by hand and by autograd, how many ulp they are apart, and whether that is more than rounding."""

    by_hand: float
    autograd: float
    ulp: float
    wrong: bool


def given(example: Example) -> dict[str, Decimal]:
    """Return what the walk starts from, by name: x^0, t, η and the parameters, as the decimals that were written."""
    numbers = entries("x^0", example.x[0]) | entries("t", target_of(example)[0]) | {"η": example.lr}
    names = example.network.names.parameters
    for name, parameter in example.network.parameters().items():
        numbers |= entries(names[name], parameter)
    return {name: Decimal(repr(value)) for name, value in numbers.items()}


def target_of(example: Example) -> Tensor:
    """Return t; zeros where there is none, which a forward pass does not read."""
    if example.t is not None:
        return example.t
    return torch.zeros(1, example.network.forward(example.x).y.shape[1], dtype=example.x.dtype)
