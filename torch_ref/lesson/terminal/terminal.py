"""A walk as text: every number with its formula in symbols, the formula with the numbers put in, and both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from rich.text import Text

from manual_bp import SoftmaxCrossEntropy
from torch_ref.lesson.terminal.sheet import Column, Entry, Note, Sheet, at_the_point
from torch_ref.lesson.terminal.tensors import picture_lines, summaries, tensor_entry
from torch_ref.lesson.walk.both import Both, given
from torch_ref.lesson.walk.examples import Example
from torch_ref.lesson.walk.expression import GLUE, SYMBOLS, Values, with_numbers
from torch_ref.lesson.walk.paper import explanation, on_paper, rounding_of
from torch_ref.lesson.walk.shown import MINUS, count, short, shown
from torch_ref.lesson.walk.walk import Step, phase_of, sizes_of

COLUMNS = (Column("by hand", 11), Column("autograd", 11), Column("ulp", 5))
PAPER_COLUMNS = (Column("on paper", 10), Column("exact", 10), Column("off", 9))
ROOM, PAPER_ROOM = COLUMNS[0].width - 1, PAPER_COLUMNS[0].width - 1
TITLES = {"forward": "forward pass", "loss": "loss", "backward": "backward pass"}
SLIDES = "Where the lecture's slides print a number, theirs stands below."
CALCULATIONS = (
    "Where the lecture's slides print a number, theirs stands below with their calculation. They round as they go, and "
    "calculate on with what they rounded."
)

SPOT_THE_BUG = (
    "✗ is where hand and autograd differ. The bug is at the first of these numbers by hand that its formula, with the "
    "numbers put in, does not give."
)
TENSORS = (
    "For each tensor: its norm by either engine, the largest difference between two entries, and the entry where "
    "that is."
)


@dataclass(frozen=True)
class Look:
    """How text is laid out: how wide, and whether in ASCII."""

    width: int
    plain: bool

    def sheet(self, columns: Sequence[Column] = (), *, marks: bool = False) -> Sheet:
        """Return a sheet with these columns."""
        return Sheet(self.width, columns, self.plain, marks)


def walk_lines(both: Both, look: Look) -> Iterator[Text]:
    """Yield the lines of a walk, number by number, without its verdict."""
    sheet = look.sheet(COLUMNS, marks=any(wrong.any() for wrong in both.wrong.values()))
    example, steps = both.example, {step.name: step for step in both.steps()}

    def entry(step: Step) -> Entry:
        number = both.numbers[step.name]
        notes = _slide(step, steps, example, both.exact) if step.name in example.slides else ()
        cells = *(shown(value, ROOM) for value in (number.by_hand, number.autograd)), count(number.ulp)
        return Entry(step.equation, step.name, _written(step, both.written), cells, notes, "", number.wrong)

    calculated = any(slide.calculation for slide in example.slides.values())
    yield from _head(sheet, example, CALCULATIONS if calculated else SLIDES if example.slides else "")
    yield from sheet.paragraph(SPOT_THE_BUG, "red") if sheet.marks else []
    yield from _phases(sheet, steps.values(), entry)


def paper_lines(both: Both, look: Look) -> Iterator[Text]:
    """Yield the lines of a walk in arithmetic on paper, each number beside the exact one."""
    sheet = look.sheet(PAPER_COLUMNS)
    example, steps = both.example, both.steps()
    values = on_paper(steps, given(example), rounding_of(example))

    def entry(step: Step) -> Entry:
        exact, paper = both.numbers[step.name].by_hand, values[step.name]
        cells = at_the_point(short(paper, PAPER_ROOM), PAPER_ROOM), shown(exact, PAPER_ROOM), off(paper, exact)
        return Entry(step.equation, step.name, _written(step, values), cells)

    yield from _head(sheet, example, rounding_of(example).description)
    yield from _phases(sheet, steps, entry)


def _phases(sheet: Sheet, steps: Iterable[Step], entry: Callable[[Step], Entry]) -> Iterator[Text]:
    for phase, of_phase in groupby(steps, lambda step: step.phase):
        yield from sheet.heading(TITLES.get(phase, phase))
        for step in of_phase:
            yield from sheet.entry(entry(step))


def _written(step: Step, values: Values) -> tuple[str, ...]:
    return step.formula.text(SYMBOLS), step.formula.text(with_numbers(values))


def _slide(step: Step, steps: Mapping[str, Step], example: Example, exact: Values) -> list[Note]:
    """Return what the slides print for a step, how they get it, and why it is not the exact number."""
    slide = example.slides[step.name]
    calculation = slide.calculation.replace(f" {MINUS} ", f"{GLUE}{MINUS}{GLUE}").replace(" + ", f" +{GLUE}")
    reason = explanation(step, steps, example.slides, exact)
    text = f"slide: {', '.join(filter(None, [calculation, reason]))}"
    return [Note(text, at_the_point(slide.printed.replace("-", MINUS)), "yellow")]


def tensor_lines(both: Both, look: Look) -> Iterator[Text]:
    """Yield the lines of a walk, tensor by tensor, without its verdict."""
    example = both.example
    sheet = look.sheet(COLUMNS, marks=any(wrong.any() for wrong in both.wrong.values()))
    yield from sheet.paragraph(f"{example.title}: {kind_of(example)}", "bold")
    untrained = f"Weights as nn.Linear draws them, before any training, η = {short(example.lr)}."
    yield from sheet.paragraph(f"{untrained} {TENSORS}")
    if example.pixels is not None and example.label is not None:
        yield from picture_lines(sheet, example.pixels, both.hand["y"][0], example.label)
    for phase, of_phase in groupby(summaries(both), lambda summary: phase_of(summary.name)):
        yield from sheet.heading(TITLES.get(phase, phase))
        for summary in of_phase:
            yield from sheet.entry(tensor_entry(summary))


def off(paper: Decimal, exact: float) -> str:
    """Say by how many percent a number on paper is off: + where it is too large in size, - where too small."""
    if not exact:
        return "0.00 %" if not paper else "-"
    share = (float(paper) - exact) / exact
    if abs(share) < 5e-5:
        return "0.00 %"
    return f"{share:+.{2 if abs(share) < 1 else 0}%}".replace("-", MINUS).replace("%", " %")


def kind_of(example: Example) -> str:
    """Describe the network in words: a 2-2-1 network, sigmoid, squared error, no biases, float64."""
    network = example.network
    softmax = isinstance(network.loss_function, SoftmaxCrossEntropy)
    activations = [type(layer).__name__ for layer in network.layers if type(layer).__name__ != "Linear"]
    parts = [f"a {'-'.join(map(str, sizes_of(network)))} network", *{name.lower(): 0 for name in activations}]
    parts += ["softmax and cross-entropy" if softmax else "squared error"] if example.t is not None else []
    parts += [] if example.has_biases else ["no biases"]
    return ", ".join([*parts, str(network.buffer.dtype).removeprefix("torch.")])


def _head(sheet: Sheet, example: Example, remark: str) -> Iterator[Text]:
    yield from sheet.paragraph(f"{example.title}: {kind_of(example)}", "bold")
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
