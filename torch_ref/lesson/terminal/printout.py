"""What the command prints of an example: lines for a reader, or a document for a program; and whether all agree."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.text import Text

from torch_ref.known.faults import FAULTS
from torch_ref.lesson.terminal import document
from torch_ref.lesson.terminal.numbers import paper_lines, walk_lines
from torch_ref.lesson.terminal.sheet import Look
from torch_ref.lesson.terminal.tensors import tensor_lines
from torch_ref.lesson.terminal.updates import repeat_lines, unseen, verdict_of
from torch_ref.lesson.walk import paper, repeat
from torch_ref.lesson.walk.both import Both, given
from torch_ref.lesson.walk.examples import Example
from torch_ref.lesson.walk.phases import PHASES
from torch_ref.lesson.walk.planting import Planted, showing
from torch_ref.lesson.walk.shown import percent_off


@dataclass(frozen=True)
class Printout:
    """The same in two forms, for a reader and for a program, and whether hand and autograd agree."""

    lines: Sequence[Text]
    document: document.Document
    agrees: bool = True


def walked(example: Example, planted: Planted | None, look: Look, phases: Collection[str] = PHASES) -> Printout:
    """Walk through an example, number by number or, where it is large, tensor by tensor; show some phases of it."""
    both = planted.both if planted else Both.of(example)
    if example.is_walkable:
        lines, found = walk_lines(both, look, phases), document.steps(both, phases)
    else:
        lines, found = tensor_lines(both, look, phases), document.tensors(both, phases)
    whole = document.head(example) | document.fault(planted) | found | document.verdict(both)
    return Printout([*lines, *_verdict(both, planted, look)], whole, both.agrees)


def on_paper(example: Example, look: Look, phases: Collection[str] = PHASES) -> Printout:
    """Walk through an example in arithmetic on paper; show some phases of it."""
    both, rounding = Both.of(example), paper.rounding_of(example)
    steps = both.steps()
    values = paper.on_paper(steps, given(example), rounding)
    exact = {step.name: both.numbers[step.name].by_hand for step in steps}
    verdict = _furthest_off(values, exact) + _as_printed(example, values)
    lines = [*paper_lines(both, look, phases), Text(), *look.sheet().paragraph(verdict, "bold")]
    found = document.paper_steps([step for step in steps if step.phase in phases], values, exact) | {
        "rounding": rounding.description,
        "verdict": verdict,
    }
    return Printout(lines, document.head(example) | found)


def repeated(example: Example, planted: Planted | None, updates: int, look: Look) -> Printout:
    """Repeat the update, by hand and by autograd."""
    states = list(repeat.repeated(example, planted.both.planted if planted else example.network, updates))
    shown = [state for state in states if state.updates in repeat.thinned_out(updates) | {states[-1].updates}]
    agrees, finished = not any(state.wrong for state in states), states[-1].updates == updates
    verdict = unseen(states) if planted and agrees and finished else verdict_of(states, updates)
    lines = [*repeat_lines(example, shown, look), Text()]
    lines += look.sheet().paragraph(verdict, "bold green" if agrees else "bold red")
    lines += [Text(), *look.sheet().paragraph(planted.answer)] if planted else []
    found = document.updates(states, example) | {"agrees": agrees, "verdict": verdict}
    return Printout(lines, document.head(example) | document.fault(planted) | found, agrees)


def listed(example: Example, look: Look) -> Printout:
    """List the faults that a walk through this example shows, with the layers where it does."""
    found = showing(example)
    title = f"{len(found)} of {len(FAULTS)} faults show with one sample in {example.description}:"
    lines, width = look.sheet().paragraph(title, "bold"), max(map(len, found)) + 2
    for name, layers in found.items():
        where = f"layer{'s' * (len(layers) > 1)} {', '.join(map(str, layers))}"
        lines.append(look.sheet().row(f"{name:<{width}}{'loss' if FAULTS[name].is_of_loss else where}"))
    return Printout(lines, document.head(example) | {"faults": found})


def _verdict(both: Both, planted: Planted | None, look: Look) -> list[Text]:
    """Return what comes last: how many numbers agree, which fault was planted, and what crosscheck says of it."""
    sheet, style = look.sheet(), "bold green" if both.agrees else "bold red"
    lines = [Text(), *sheet.paragraph(both.verdict, style)]
    if planted:
        lines += [Text(), *sheet.paragraph(planted.answer, "bold")]
    if both.report:
        verdict = counted_from_one(both.report.verdict, single=both.example.is_walkable)
        lines += [Text(), *sheet.paragraph(f"torch_ref.crosscheck says: {verdict}")]
    return lines


def counted_from_one(verdict: str, *, single: bool) -> str:
    """Write the places in a verdict as the walk does, from 1 and without the sample: δ^1_2 for 'δ^1 at [0, 1]'.

    Of large tensors, which are not walked through number by number: 'δ^1 at [2]'.
    """

    def place(match: re.Match[str]) -> str:
        indices = [str(int(i) + 1) for i in match["at"].split(", ")]
        own = indices if match["name"].startswith("∂") else indices[1:]
        return f"{match['name']}_{''.join(own)}" if single else f"{match['name']} at [{', '.join(own)}]"

    return re.sub(r"(?P<name>\S+) at \[(?P<at>\d+(?:, \d+)*)\]", place, verdict)


def _furthest_off(values: dict[str, Decimal], exact: dict[str, float]) -> str:
    def share(name: str) -> float:
        return abs(float(values[name]) - exact[name]) / abs(exact[name] or 1.0)

    name = max(exact, key=share)
    return f"Furthest off is {name}, by {percent_off(values[name], exact[name])}."


def _as_printed(example: Example, values: dict[str, Decimal]) -> str:
    if not example.slides:
        return ""
    same = sum(values[name] == Decimal(slide.printed) for name, slide in example.slides.items())
    return f" {same} of the slides' {len(example.slides)} numbers come out as they print them."
