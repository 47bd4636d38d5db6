"""Arithmetic on paper, as on the slides: every number is rounded at once, and the rounded one is calculated on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from torch_ref.lesson.walk.examples import Example, Slide
from torch_ref.lesson.walk.expression import GLUE, Values, references
from torch_ref.lesson.walk.shown import MINUS
from torch_ref.lesson.walk.steps import WalkStep

IN_TWO_DECIMALS = (
    "On paper: every number is rounded to two decimals, below 0.1 to two significant digits, and the rounded number "
    "goes into the next formula."
)
AS_PRINTED = (
    "On paper, as on the slides: each number that they print is rounded to the digits that they print, and the rounded "
    "number goes into the next formula."
)


@dataclass(frozen=True)
class Rounding:
    """How numbers are rounded on paper: as a function of a number's name and value, and in words."""

    of: Callable[[str, Decimal], Decimal]
    description: str


def two_decimals(value: Decimal) -> Decimal:
    """Round to two decimals, or to two significant digits below 0.1; half a unit away from zero."""
    return _rounded(value, max(2, 1 - value.adjusted()) if value else 2)


def rounding_of(example: Example) -> Rounding:
    """Return the slides' own rounding where they show their calculations, else two decimals."""
    slides = example.slides
    if not any(slide.calculation for slide in slides.values()):
        return Rounding(lambda _, value: two_decimals(value), IN_TWO_DECIMALS)
    return Rounding(
        lambda name, value: _rounded(value, places(slides[name].printed)) if name in slides else value, AS_PRINTED
    )


def on_paper(steps: Sequence[WalkStep], given: Values, rounding: Rounding) -> dict[str, Decimal]:
    """Calculate every step from the rounded numbers before it; return the given numbers and the outcomes by name."""
    values = dict(given)
    for step in steps:
        values[step.name] = rounding.of(step.name, step.formula.value(values))
    return values


def places(printed: str) -> int:
    """Return how many decimals a printed number has."""
    return len(printed.partition(".")[2])


def explanation(step: WalkStep, steps: Mapping[str, WalkStep], slides: Mapping[str, Slide], exact: Values) -> str:
    """Say why the printed number of a step is not the exact one: only rounded itself, or made of rounded ones."""
    printed = slides[step.name].printed
    if _rounded(exact[step.name], places(printed)) == Decimal(printed):
        return "exact" if exact[step.name] == Decimal(printed) else _to_places(printed)
    sources = {name: slides[name].printed for name in _sources(step, steps, slides) if name in slides}
    rounded = {name: text for name, text in sources.items() if Decimal(text) != exact[name]}
    named = [f"{name} is {text}".replace(" ", GLUE) for name, text in rounded.items()]
    if _calculated(step, steps, slides, exact) != Decimal(printed):
        named.append(_to_places(printed))
    return f"where{GLUE}{', '.join(named)}".replace("-", MINUS)


def _calculated(step: WalkStep, steps: Mapping[str, WalkStep], slides: Mapping[str, Slide], exact: Values) -> Decimal:
    """Return what the step's formula gives of the printed numbers, before it is rounded."""

    def value(name: str) -> Decimal:
        if name in slides:
            return Decimal(slides[name].printed)
        return _calculated(steps[name], steps, slides, exact) if name in steps else exact[name]

    return step.formula.value({name: value(name) for name in references(step.formula)})


def _to_places(printed: str) -> str:
    decimals = places(printed)
    return f"to {decimals} decimal{'s' * (decimals != 1)}".replace(" ", GLUE)


def _sources(step: WalkStep, steps: Mapping[str, WalkStep], slides: Mapping[str, Slide]) -> Iterator[str]:
    """Yield what a step is made of, going through the numbers that the slides do not print."""
    for name in references(step.formula):
        if name in slides or name not in steps:
            yield name
        else:
            yield from _sources(steps[name], steps, slides)


def _rounded(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
