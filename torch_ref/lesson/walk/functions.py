"""The functions in a formula: σ, tanh, max(0, net), e^net, ln y, and the slope of ReLU, which is 1 or 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from torch_ref.lesson.walk.expression import GLUE, Expression, Values, Writing


@dataclass(frozen=True)
class Function:
    """A function of one number, and how it is written: 'σ({})'."""

    written: str
    of: Callable[[Decimal], Decimal]


def _sigmoid(z: Decimal) -> Decimal:
    return 1 / (1 + (-z).exp())


SIGMOID = Function("σ({})", _sigmoid)
TANH = Function("tanh({})", lambda z: 2 * _sigmoid(2 * z) - 1)
RELU = Function("max(0, {})".replace(" ", GLUE), lambda z: max(Decimal(0), z))
EXP = Function("e^({})", lambda z: z.exp())
LN = Function("ln({})", lambda z: z.ln())


@dataclass(frozen=True)
class Apply:
    """A function of a: σ(a)."""

    function: Function
    a: Expression

    def text(self, writing: Writing) -> str:
        """Write σ(a)."""
        return self.function.written.format(self.a.text(writing))

    def value(self, values: Values) -> Decimal:
        """Apply the function."""
        return self.function.of(self.a.value(values))


@dataclass(frozen=True)
class StepSlope:
    """σ′(a) of ReLU: 1 where a > 0, else 0; with numbers put in, the 1 or 0 itself is written."""

    a: Expression

    def text(self, writing: Writing) -> str:
        """Write σ′(a), or 1 or 0."""
        return f"σ′({self.a.text(writing)})" if writing.values is None else str(self.value(writing.values))

    def value(self, values: Values) -> Decimal:
        """Return 1 or 0."""
        return Decimal(self.a.value(values) > 0)
