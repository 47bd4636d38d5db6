"""A walk tensor by tensor, through a network that is too large for single numbers; the digit is drawn above it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import zip_longest

import torch
from rich.text import Text
from torch import Tensor

from torch_ref.lesson.terminal.sheet import COLUMNS, Entry, Look, Note, Sheet
from torch_ref.lesson.terminal.vectors import formulas
from torch_ref.lesson.walk.both import Both
from torch_ref.lesson.walk.examples import Example
from torch_ref.lesson.walk.expression import GLUE
from torch_ref.lesson.walk.phases import phase_of
from torch_ref.lesson.walk.shown import count, short, shown

INK = 96
"""From this brightness on, of 255, a pixel is drawn."""

GUESSED = 0.2
"""A network that gets fewer of ten digits right has hardly learned anything."""

TENSORS = (
    "Of each tensor you see the norm and one entry: where hand and autograd are furthest apart (in ulp) or, where all "
    "entries are equal, the largest in size. ⊙ multiplies entry by entry."
)


WINDOWS = (
    "Of an image, c and d count channels, p and q windows, i and j the places of the kernel: there stands the pixel "
    "u = p stride + i − padding, v = q stride + j − padding."
)


@dataclass(frozen=True)
class Summary:
    """One tensor by both engines in a few numbers."""

    name: str
    equation: str
    formula: tuple[str, ...]
    """What it is equal to, written in one way or two."""
    shape: tuple[int, ...]
    norm_by_hand: float
    norm_by_autograd: float
    ulp: float
    at: tuple[int, ...]
    """Where they are furthest apart or, if identical, where the entry of the largest size is; counted from 1."""
    by_hand: float
    autograd: float
    """The two entries there."""
    wrong: bool


def tensor_lines(both: Both, look: Look, phases: Collection[str]) -> Iterator[Text]:
    """Yield the lines of some phases of a walk, tensor by tensor, without its verdict."""
    example = both.example
    shown_tensors = summaries(both, phases)
    sheet = look.sheet(COLUMNS, marks=any(summary.wrong for summary in shown_tensors))
    yield from sheet.paragraph(f"{example.title}: {example.description}", "bold")
    yield from sheet.paragraph(f"{origin_of_weights(example)} η = {short(example.lr)}. {TENSORS}")
    yield from sheet.paragraph(WINDOWS) if example.is_of_images else ()
    yield from sheet.part(phases)
    if example.pixels is not None and example.label is not None and "forward" in phases:
        yield from picture_lines(sheet, example.pixels, both.hand["y"][0], example.label)
    yield from sheet.phases((phase_of(summary.name), tensor_entry(summary)) for summary in shown_tensors)


def origin_of_weights(example: Example) -> str:
    """Say where the weights come from and, of a network that reads digits, what it reads right."""
    training = example.training
    if training is None:
        drawn = "nn.Conv2d and nn.Linear draw" if example.is_of_images else "nn.Linear draws"
        return f"Weights as {drawn} them, before any training."
    epochs = f"{training.epochs} epoch{'s' * (training.epochs > 1)}"
    said = f"Trained on {training.digits:,} other digits, {epochs}: it gets {training.right:,} of the {training.of:,}"
    if training.right < GUESSED * training.of:
        return f"{said} test digits right, hardly more than by guessing."
    answer = int(example.network.forward(example.x).y.argmax())
    here = "this one too" if answer == example.label else f"but takes this one for a {answer}"
    return f"{said} test digits right, {here}."


def summaries(both: Both, phases: Collection[str]) -> list[Summary]:
    """Return a summary of each tensor of some phases of a pass and an update, in their order."""
    return [_summary(name, both) for name in both.hand if phase_of(name) in phases]


def tensor_entry(summary: Summary) -> Entry:
    """Return the lines of one tensor: its norm and one entry; a single number stands beside its formula."""
    cells = shown(summary.by_hand, 10), shown(summary.autograd, 10), count(summary.ulp)
    if not summary.shape:
        return Entry(summary.equation, summary.name, summary.formula, cells, wrong=summary.wrong)
    style = "bold red" if summary.wrong else ""
    norms = shown(summary.norm_by_hand, 10), shown(summary.norm_by_autograd, 10)
    entry = f"entry {list(summary.at)}".replace(" ", GLUE)
    place = f"{'furthest apart' if summary.ulp else 'largest in size'}, {entry}"
    notes = [Note(f"norm of {' × '.join(map(str, summary.shape))} entries", norms, style), Note(place, cells, style)]
    return Entry(summary.equation, summary.name, summary.formula, [], notes, wrong=summary.wrong)


def picture_lines(sheet: Sheet, pixels: Tensor, y: Tensor, label: int) -> Iterator[Text]:
    """Yield a blank line and those of a picture, two rows of pixels a line, with the output for each class beside."""
    yield sheet.row("")
    bar = sheet.width - pixels.shape[1] - 26
    outputs = [f"{k}  {shown(value):>9}  {'█' * round(bar * max(0.0, value))}" for k, value in enumerate(y.tolist())]
    outputs[label] += " ← t"
    beside = ["   y, before the update", *outputs]
    for drawn, output in zip_longest(_drawn(pixels), beside, fillvalue=""):
        yield sheet.row(f"{drawn:<{pixels.shape[1]}}  {output}".rstrip())


def _drawn(pixels: Tensor) -> list[str]:
    """Draw a picture without its blank margins above and below."""
    ink = pixels >= INK
    rows = ink.any(1).nonzero().flatten().tolist() or [0]
    inked = ink[rows[0] : rows[-1] + 1].tolist()
    pairs = zip_longest(inked[::2], inked[1::2], fillvalue=[False] * pixels.shape[1])
    return ["".join(" ▀▄█"[up + 2 * low] for up, low in zip(*pair, strict=True)).rstrip() for pair in pairs]


def _summary(name: str, both: Both) -> Summary:
    hand, auto, ulp, wrong = (_one_sample(name, of[name]) for of in (both.hand, both.autograd, both.ulp, both.wrong))
    where = (ulp if ulp.any() else hand.abs()).argmax()
    at = torch.unravel_index(where, hand.shape) if hand.ndim else ()
    return Summary(
        name,
        _equation(name, both),
        _formula_of_image(name, both) if both.example.is_of_images else formulas(name, both.example),
        tuple(hand.shape),
        _norm(hand),
        _norm(auto),
        ulp.max().item(),
        tuple(int(i) + 1 for i in at),
        hand.flatten()[where].item(),
        auto.flatten()[where].item(),
        bool(wrong.any()),
    )


def _equation(name: str, both: Both) -> str:
    """Return the lecture's number of the formula that makes a tensor."""
    if name.endswith(" after"):
        return "E9"
    numbers = {row.quantity: row.formula for row in both.report.rows} if both.report else {}
    last = f"x^{both.example.network.depth}"
    return numbers[last if name == "y" and last in numbers else name]  # y is x^L, or the softmax of net^L


def _formula_of_image(name: str, both: Both) -> tuple[str, ...]:
    """Return what a tensor is equal to, from the table of all formulas."""
    if name.endswith(" after"):
        return formulas(name, both.example)
    texts = {row.quantity: row.of.text for row in both.report.rows} if both.report else {}
    last = f"x^{both.example.network.depth}"
    _, _, right = texts[last if name == "y" and last in texts else name].partition(" = ")
    return (right,)


def _one_sample(name: str, tensor: Tensor) -> Tensor:
    """Return the only row of a batch of one; parameters and the loss have no rows of samples."""
    return tensor if name == "L" or name.startswith("∂") or name.endswith(" after") else tensor[0]


def _norm(tensor: Tensor) -> float:
    return float(tensor.double().norm())
