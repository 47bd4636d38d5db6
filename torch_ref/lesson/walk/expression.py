"""A formula as a small tree that writes itself in symbols, writes itself with the numbers put in, and has a value.

    product = Product((Ref("W^1_11"), Ref("x^0_1")))
    product.text(SYMBOLS)                 W^1_11 x^0_1
    product.text(with_numbers(values))    0.1·0.35
    product.value(values)                 Decimal("0.035")

The three come from one description, so what is displayed is what is calculated. A no-break space stands wherever a
line is best not broken: lines break before + and / where that is enough.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from torch_ref.lesson.walk.shown import MINUS, short

GLUE = "\u00a0"
"""A space at which no line is broken."""

Values = Mapping[str, Decimal]


@dataclass(frozen=True)
class Writing:
    """How a formula is written: what stands for a quantity, and for 'times'."""

    of: Callable[[str], str]
    times: str
    values: Values | None = None
    """What the quantities are, where numbers are put in."""


SYMBOLS = Writing(lambda name: name, GLUE)


def with_numbers(values: Values) -> Writing:
    """Write each quantity as its value."""
    return Writing(lambda name: short(values[name]), "·", values)


@runtime_checkable
class Expression(Protocol):
    """A formula, or a part of one."""

    @abstractmethod
    def text(self, writing: Writing) -> str:
        """Write it."""

    @abstractmethod
    def value(self, values: Values) -> Decimal:
        """Calculate it in decimal arithmetic, with the precision of the decimal context."""


@dataclass(frozen=True)
class Ref:
    """A quantity by its name in the lecture."""

    name: str

    def text(self, writing: Writing) -> str:
        """Write W^1_11, or its value."""
        return writing.of(self.name)

    def value(self, values: Values) -> Decimal:
        """Look it up."""
        return values[self.name]


@dataclass(frozen=True)
class Constant:
    """A number of the formula itself: 1, ½."""

    symbol: str
    number: Decimal

    def text(self, writing: Writing) -> str:
        """Write it."""
        return self.symbol

    def value(self, values: Values) -> Decimal:
        """Return it."""
        return self.number


ONE, HALF = Constant("1", Decimal(1)), Constant("½", Decimal("0.5"))


@dataclass(frozen=True)
class Sum:
    """Terms: a + b + c."""

    terms: tuple[Expression, ...]

    def text(self, writing: Writing) -> str:
        """Write the terms; a line may break before each +."""
        first, *others = self.terms
        return first.text(writing) + "".join(f" +{GLUE}{_bracketed(term, writing, (Sum,))}" for term in others)

    def value(self, values: Values) -> Decimal:
        """Add the terms."""
        return sum((term.value(values) for term in self.terms), Decimal(0))


@dataclass(frozen=True)
class Product:
    """Factors: a b c in symbols, a·b·c in numbers."""

    factors: tuple[Expression, ...]

    def text(self, writing: Writing) -> str:
        """Write the factors, sums and negative numbers in brackets."""
        return writing.times.join(_bracketed(factor, writing, (Sum, Difference)) for factor in self.factors)

    def value(self, values: Values) -> Decimal:
        """Multiply the factors."""
        product = Decimal(1)
        for factor in self.factors:
            product *= factor.value(values)
        return product


@dataclass(frozen=True)
class Difference:
    """A difference a − b, never broken over two lines."""

    a: Expression
    b: Expression

    def text(self, writing: Writing) -> str:
        """Write a − b."""
        return f"{self.a.text(writing)}{GLUE}{MINUS}{GLUE}{_bracketed(self.b, writing, (Sum, Difference))}"

    def value(self, values: Values) -> Decimal:
        """Subtract."""
        return self.a.value(values) - self.b.value(values)


@dataclass(frozen=True)
class Negative:
    """The opposite, −a."""

    a: Expression

    def text(self, writing: Writing) -> str:
        """Write −a."""
        return MINUS + _bracketed(self.a, writing, (Sum, Difference))

    def value(self, values: Values) -> Decimal:
        """Change the sign."""
        return -self.a.value(values)


@dataclass(frozen=True)
class Square:
    """The square, (a)²."""

    a: Expression

    def text(self, writing: Writing) -> str:
        """Write (a)², the brackets of x^1_1 too; only a positive number needs none."""
        text = self.a.text(writing)
        bare = isinstance(self.a, Ref) and writing.values is not None and not text.startswith(MINUS)
        return f"{text}²" if bare else f"({text})²"

    def value(self, values: Values) -> Decimal:
        """Square it."""
        return self.a.value(values) ** 2


@dataclass(frozen=True)
class Quotient:
    """A fraction a / (b)."""

    a: Expression
    b: Expression

    def text(self, writing: Writing) -> str:
        """Write a / (b)."""
        return f"{_bracketed(self.a, writing, (Sum, Difference))} /{GLUE}({self.b.text(writing)})"

    def value(self, values: Values) -> Decimal:
        """Divide."""
        return self.a.value(values) / self.b.value(values)


def references(formula: Expression) -> Iterator[str]:
    """Yield the name of every quantity in a formula, each once, from left to right."""
    yield from dict.fromkeys(_references(formula))


def _references(formula: Expression) -> Iterator[str]:
    if isinstance(formula, Ref):
        yield formula.name
    for part in _parts(formula):
        yield from _references(part)


def _parts(formula: Any) -> Iterator[Expression]:
    """Yield the formulas that a formula consists of: those of its fields, one or several in each."""
    for field in fields(formula):
        value = getattr(formula, field.name)
        yield from (part for part in (value if isinstance(value, tuple) else [value]) if isinstance(part, Expression))


def _bracketed(part: Expression, writing: Writing, kinds: tuple[type, ...]) -> str:
    """Write a part, in brackets where it is one of the kinds or begins with a minus sign."""
    text = part.text(writing)
    return f"({text})" if isinstance(part, kinds) or text.startswith(MINUS) else text
