"""A walk tensor by tensor, through a network that is too large for single numbers; the digit is drawn above it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

import torch
from rich.text import Text
from torch import Tensor

from torch_ref.lesson.terminal.sheet import COLUMNS, Entry, Look, Note, Sheet
from torch_ref.lesson.walk.both import Both
from torch_ref.lesson.walk.examples import Example
from torch_ref.lesson.walk.phases import phase_of
from torch_ref.lesson.walk.shown import count, short, shown
from torch_ref.verdict.row import Row

INK = 96
"""From this brightness on, of 255, a pixel is drawn."""

GUESSED = 0.2
"""A network that gets fewer of ten digits right has hardly learned anything."""

TENSORS = (
    "For each tensor: its norm by either engine, the largest difference between two entries, and the entry where "
    "that is."
)


@dataclass(frozen=True)
class Summary:
    """One tensor by both engines in a few numbers."""

    name: str
    equation: str
    formula: str
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
    yield from sheet.part(phases)
    if example.pixels is not None and example.label is not None and "forward" in phases:
        yield from picture_lines(sheet, example.pixels, both.hand["y"][0], example.label)
    yield from sheet.phases((phase_of(summary.name), tensor_entry(summary)) for summary in shown_tensors)


def origin_of_weights(example: Example) -> str:
    """Say where the weights come from and, of a network that reads digits, what it reads right."""
    training = example.training
    if training is None:
        return "Weights as nn.Linear draws them, before any training."
    epochs = f"{training.epochs} epoch{'s' * (training.epochs > 1)}"
    said = f"Trained on {training.digits:,} other digits, {epochs}: it gets {training.right:,} of the {training.of:,}"
    if training.right < GUESSED * training.of:
        return f"{said} test digits right, hardly more than by guessing."
    answer = int(example.network.forward(example.x).y.argmax())
    here = "this one too" if answer == example.label else f"but takes this one for a {answer}"
    return f"{said} test digits right, {here}."


def summaries(both: Both, phases: Collection[str]) -> list[Summary]:
    """Return a summary of each tensor of some phases of a pass and an update, in their order."""
    rows = {row.quantity: row for row in both.report.rows} if both.report else {}
    return [_summary(name, both, rows) for name in both.hand if phase_of(name) in phases]


def tensor_entry(summary: Summary) -> Entry:
    """Return the lines of one tensor: its norms, and its worst entry."""
    shape = " x ".join(map(str, summary.shape)) or "a number"
    place = f"[{', '.join(map(str, summary.at))}]"
    cells = shown(summary.norm_by_hand, 10), shown(summary.norm_by_autograd, 10), count(summary.ulp)
    notes = [Note(shape)]
    if summary.ulp:
        notes = [Note(f"{shape}; furthest apart at {place}: {short(summary.by_hand)} and {short(summary.autograd)}")]
    elif summary.shape:
        notes = [Note(f"{shape}; the largest in size, {short(summary.by_hand)}, at {place}")]
    return Entry(summary.equation, summary.name, [summary.formula], cells, notes, wrong=summary.wrong)


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


def _summary(name: str, both: Both, rows: Mapping[str, Row]) -> Summary:
    hand, auto, ulp, wrong = (_one_sample(name, of[name]) for of in (both.hand, both.autograd, both.ulp, both.wrong))
    equation, formula = _formula(name, both, rows)
    where = (ulp if ulp.any() else hand.abs()).argmax()
    at = torch.unravel_index(where, hand.shape) if hand.ndim else ()
    return Summary(
        name, equation, formula, tuple(hand.shape), _norm(hand), _norm(auto), ulp.max().item(),
        tuple(int(i) + 1 for i in at), hand.flatten()[where].item(), auto.flatten()[where].item(), bool(wrong.any()),
    )  # fmt: skip


def _formula(name: str, both: Both, rows: Mapping[str, Row]) -> tuple[str, str]:
    """Return number and text of the formula that makes a tensor."""
    if name.endswith(" after"):
        parameter = name.removesuffix(" after")
        return "E9", f"{parameter} − η ∂L/∂{parameter}"
    last = f"x^{both.example.network.depth}"
    row = rows[last if name == "y" and last in rows else name]  # y is x^L, or the softmax of net^L
    _, _, text = row.of.text.partition(" = ")
    return row.formula, text if both.example.has_biases else text.partition(" + b^")[0]


def _one_sample(name: str, tensor: Tensor) -> Tensor:
    """Return the only row of a batch of one; parameters and the loss have no rows of samples."""
    return tensor if name == "L" or name.startswith("∂") or name.endswith(" after") else tensor[0]


def _norm(tensor: Tensor) -> float:
    return float(tensor.double().norm())
