"""A walk number by number: each formula in symbols and with the numbers put in, its value by both engines."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from rich.text import Text

from torch_ref.lesson.terminal.sheet import COLUMNS, Column, Entry, Look, Note, Sheet, at_the_point
from torch_ref.lesson.walk.both import Both, given
from torch_ref.lesson.walk.examples import Example
from torch_ref.lesson.walk.expression import GLUE, SYMBOLS, Values, with_numbers
from torch_ref.lesson.walk.paper import explanation, on_paper, rounding_of
from torch_ref.lesson.walk.shown import MINUS, count, percent_off, short, shown
from torch_ref.lesson.walk.steps import WalkStep

PAPER_COLUMNS = (Column("on paper", 10), Column("exact", 10), Column("off", 9))
ROOM, PAPER_ROOM = COLUMNS[0].width - 1, PAPER_COLUMNS[0].width - 1
SLIDES = "Where the lecture's slides print a number, theirs stands below."
CALCULATIONS = (
    "Where the lecture's slides print a number, theirs stands below with their calculation. They round as they go, and "
    "calculate on with what they rounded."
)

SPOT_THE_BUG = (
    "✗ marks where hand and autograd differ. The bug is in the first marked number that its own formula does not give: "
    "calculate with the numbers put in, and something else comes out."
)
ELSEWHERE = " Where none is like that, the bug is in a part that is not shown."


def walk_lines(both: Both, look: Look, phases: Collection[str]) -> Iterator[Text]:
    """Yield the lines of some phases of a walk, number by number, without its verdict."""
    example, steps = both.example, {step.name: step for step in both.steps()}
    shown_steps = [step for step in steps.values() if step.phase in phases]
    sheet = look.sheet(COLUMNS, marks=any(both.numbers[step.name].wrong for step in shown_steps))
    part = sheet.part(phases)

    def entry(step: WalkStep) -> Entry:
        number = both.numbers[step.name]
        notes = _slide(step, steps, example, both.exact) if step.name in example.slides else ()
        cells = *(shown(value, ROOM) for value in (number.by_hand, number.autograd)), count(number.ulp)
        return Entry(step.equation, step.name, _written(step, both.written), cells, notes, "", number.wrong)

    calculated = any(slide.calculation for slide in example.slides.values())
    yield from _head(sheet, example, CALCULATIONS if calculated else SLIDES if example.slides else "")
    yield from part
    yield from sheet.paragraph(SPOT_THE_BUG + (ELSEWHERE if part else ""), "red") if sheet.marks else []
    yield from sheet.phases((step.phase, entry(step)) for step in shown_steps)


def paper_lines(both: Both, look: Look, phases: Collection[str]) -> Iterator[Text]:
    """Yield the lines of some phases of a walk in arithmetic on paper, each number beside the exact one."""
    sheet = look.sheet(PAPER_COLUMNS)
    example, steps = both.example, both.steps()
    values = on_paper(steps, given(example), rounding_of(example))

    def entry(step: WalkStep) -> Entry:
        exact, paper = both.numbers[step.name].by_hand, values[step.name]
        cells = at_the_point(short(paper, PAPER_ROOM), PAPER_ROOM), shown(exact, PAPER_ROOM), percent_off(paper, exact)
        return Entry(step.equation, step.name, _written(step, values), cells)

    yield from _head(sheet, example, rounding_of(example).description)
    yield from sheet.part(phases)
    yield from sheet.phases((step.phase, entry(step)) for step in steps if step.phase in phases)


def _written(step: WalkStep, values: Values) -> tuple[str, ...]:
    return step.formula.text(SYMBOLS), step.formula.text(with_numbers(values))


def _slide(step: WalkStep, steps: Mapping[str, WalkStep], example: Example, exact: Values) -> list[Note]:
    """Return what the slides print for a step, how they get it, and why it is not the exact number."""
    slide = example.slides[step.name]
    calculation = slide.calculation.replace(f" {MINUS} ", f"{GLUE}{MINUS}{GLUE}").replace(" + ", f" +{GLUE}")
    reason = explanation(step, steps, example.slides, exact)
    text = f"slide: {', '.join(filter(None, [calculation, reason]))}"
    return [Note(text, [at_the_point(slide.printed.replace("-", MINUS))], "yellow")]


def _head(sheet: Sheet, example: Example, remark: str) -> Iterator[Text]:
    yield from sheet.paragraph(f"{example.title}: {example.description}", "bold")
    sample = [_vector("x", example.x[0].tolist())]
    sample += [_vector("t", example.t[0].tolist()), f"η = {short(example.lr)}"] if example.t is not None else []
    yield from sheet.paragraph(", ".join(sample))
    yield from sheet.paragraph(", ".join(_parameters(example)))
    if remark:
        yield from sheet.paragraph(remark, "yellow")


def _parameters(example: Example) -> Iterator[str]:
    for l, position in enumerate(example.network.net_positions, start=1):
        named = example.network.parameters()
        rows = "; ".join(GLUE.join(map(short, row)) for row in named[f"{position}.weight"].tolist())
        yield f"W^{l}{GLUE}={GLUE}({rows})"
        if f"{position}.bias" in named:
            yield _vector(f"b^{l}", named[f"{position}.bias"].tolist())


def _vector(name: str, values: Sequence[float]) -> str:
    return f"{name} = ({', '.join(map(short, values))})".replace(" ", GLUE)
