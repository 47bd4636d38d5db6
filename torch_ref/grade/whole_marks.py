"""The marks of a whole network: a point for L and for each gradient, and which line is wrong by itself.

The student's process sends the variables of its own backward pass, as numbers with their lines. Here, where no student's
code is, autograd goes backward through the lecturer's forward pass and is handed each of these gradients in turn
(``check_chain`` does the same): so the first wrong line is told from what only follows from it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from torch_ref.grade.grading import Mark
from torch_ref.grade.inside.watch import aligned
from torch_ref.grade.inside.wire import Message
from torch_ref.grade.marking import AnswerSheet, is_right, mark
from torch_ref.grade.subjects import Question
from torch_ref.grade.whole_points import WholePoint
from torch_ref.lines.names import values_of
from torch_ref.numbers.agreement import relative_difference
from torch_ref.steps.chain import Chain, Claim
from torch_ref.steps.graph import place_of
from torch_ref.verdict.chain import Written, report_of_chain
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

NEAR = 1e-6
"""Of the norm: how near two values are that are the same."""


@dataclass(frozen=True)
class Seen:
    """A variable of a student's function, as it was received."""

    function: str
    line: int
    name: str
    value: Tensor


def received(message: Message) -> list[Seen]:
    """Return what a process sent of its variables; nothing of what is something else."""
    found = message.get("seen")
    ok = [
        Seen(one[0], one[1], one[2], torch.from_numpy(one[3]))
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, list)
        and [type(part) for part in one] == [str, int, str, np.ndarray]
        and one[2].isprintable()
    ]
    return ok[:1000]


def marks_of(
    questions: Sequence[Question],
    sheet: AnswerSheet,
    seen: Mapping[int, list[Seen]],
    lines: Sequence[str],
    place: Callable[[Question], str],
) -> list[Mark]:
    """Return the marks of a network; ``seen`` by point, ``lines`` are those of the file."""
    wrong = {of: [i for i in sheet.asked(of.symbol) if not is_right(of, sheet, i)] for of in questions}
    loss, *gradients = questions
    marks = [_of_loss(loss, sheet, seen, lines, place) if wrong[loss] else Mark(loss, earned=True)]
    explained = _explained([of for of in gradients if wrong[of]], sheet, seen, lines, place)
    for of in gradients:
        if not wrong[of]:
            marks.append(Mark(of, earned=True))
        else:
            found = explained.get(of) or mark(of, sheet, place(of))
            marks.append(replace(found, opposite=False))  # a network's gradients have one sign: it goes down
    return marks


# --------------------------------------------------------------------------------------------------------- forward


def _of_loss(
    of: Question,
    sheet: AnswerSheet,
    seen: Mapping[int, list[Seen]],
    lines: Sequence[str],
    place: Callable[[Question], str],
) -> Mark:
    """Return the mark of a wrong L: the line of the first variable that is not the lecturer's of the same name."""
    found = mark(of, sheet, place(of))
    for i, variables in seen.items():
        point = sheet.points[i]
        _, right = point.owner.values(point.given_to_it)
        given = point.given_to_it
        own = {
            one.name.removeprefix("self."): one
            for one in variables
            if one.function == "forward" and one.value.ndim and not any(_near(one.value, v) for v in given.values())
        }
        asked = {name: tuple(v.shape) for name, v in right.items() if name not in given and v.ndim}
        names = aligned({name: tuple(one.value.shape) for name, one in own.items()}, asked)
        first = next(
            (own[name] for name in own if name in names and not _near(own[name].value, right[names[name]])), None
        )
        if first is None:
            first = next(
                (one for one in reversed(variables) if one.function == "forward" and one.value.numel() == 1), None
            )
        if first is not None:
            where = f"{place(of).partition(':')[0]}:{first.line}"
            hint = f"The first wrong value of forward is {first.name}, at {where}: {_statement(lines, first.line)}"
            return replace(found, remark=f"{first.name} is wrong first, at {where}", hint=f"{found.hint}\n{hint}")
    return found


# -------------------------------------------------------------------------------------------------------- backward


def _explained(
    wrong: Sequence[Question],
    sheet: AnswerSheet,
    seen: Mapping[int, list[Seen]],
    lines: Sequence[str],
    place: Callable[[Question], str],
) -> dict[Question, Mark]:
    """Return the marks of wrong gradients by the first watched point at which they are wrong."""
    marks: dict[Question, Mark] = {}
    for i, variables in seen.items():
        at_it = [of for of in wrong if of not in marks and not is_right(of, sheet, i) and _has_numbers(of, sheet, i)]
        if not at_it:
            continue
        file = place(wrong[0]).partition(":")[0]
        report = _report(sheet.points[i], variables, sheet, i, lines, file)
        guilty = report.guilty if report else []
        if not guilty:
            continue
        assert report is not None
        text = f"{report.verdict}\nThis is at {sheet.points[i]}."
        for of in at_it:
            row = next((r for r in guilty if r.quantity == f"gradient of {of.makes}"), None)
            marks[of] = _mark_of(of, row or guilty[0], text, follows=row is None)
    return marks


def _has_numbers(of: Question, sheet: AnswerSheet, i: int) -> bool:
    value = sheet.asked(of.symbol)[i].value
    return value.tensor is not None and not value.failure and value.tensor.shape == sheet.points[i].right(of).shape


def _mark_of(of: Question, row: Row, hint: str, *, follows: bool) -> Mark:
    name = row.quantity.removeprefix("gradient of ")
    remark = (
        f"follows from that of {name}, at {row.source}: {row.cause}" if follows else f"{row.cause}, at {row.source}"
    )
    return Mark(of, earned=False, code=row.code, remark=remark, hint=hint, row=row)


def _report(
    point: WholePoint, seen: Sequence[Seen], sheet: AnswerSheet, i: int, lines: Sequence[str], file: str
) -> Report | None:
    """Return the report on the gradients that were seen, with the sign that leaves least to explain."""
    values = {name: p.clone().requires_grad_() for name, p in point.parameters.items()}
    with torch.inference_mode(mode=False), torch.enable_grad():
        given = {"x": point.x.clone().requires_grad_(), "t": point.t.clone(), **values}
        loss, every = point.owner.values(given)
        every = {name: v for name, v in every.items() if v.requires_grad and v is not loss}
        every |= {"x": given["x"], **values}
        right = dict(zip(every, torch.autograd.grad(loss, [*every.values()], retain_graph=True, allow_unused=True)))
        right = {name: g for name, g in right.items() if g is not None}
        paired = _paired(seen, right, _own_names(seen, every))
        returned = _returned(sheet, i, point)
        tried: list[Report] = []
        for sign in _signs(paired, right):
            claims, written = [], {}
            for name in right:
                pairs = paired.get(name, [])
                of_parameter = name in point.parameters
                tensors = [returned[name]] if name in returned else [sign * one.value for one in pairs]
                if not tensors:
                    continue
                line = _line(name, tensors[-1] if of_parameter else None, pairs, seen)
                claims.append(Claim(name, (place_of(every[name]),), (tuple(_shaped(t, right[name]) for t in tensors),)))
                source = f"{file}:{line}" if line else file
                written[name] = (Written(_statement(lines, line) if line else "", source),)
            if not claims:
                continue
            chain = Chain([(loss, torch.ones_like(loss))], claims)
            tried.append(report_of_chain(chain, power=False, written=written))
            if not tried[-1].guilty:
                break
        return min(tried, key=lambda report: len(report.guilty)) if tried else None


def _signs(paired: Mapping[str, list[Seen]], right: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Return the signs that a file's own gradients may have: that of gradients where some are right, or both."""
    if any(_near(one.value, right[name]) for name, found in paired.items() for one in found):
        return (1,)
    return (1, -1)


def _returned(sheet: AnswerSheet, i: int, point: WholePoint) -> dict[str, Tensor]:
    """Return the gradients that backward gave, by parameter."""
    answers = {name: sheet.asked(f"∂L/∂{name}").get(i) for name in point.parameters}
    return {
        name: a.value.tensor
        for name, a in answers.items()
        if a and a.value.tensor is not None and a.value.tensor.shape == point.parameters[name].shape
    }


def _own_names(seen: Sequence[Seen], every: Mapping[str, Tensor]) -> dict[str, str]:
    """Return for each variable of forward the lecturer's name of the same value, or the same name."""
    found: dict[str, str] = {}
    for one in seen:
        if one.function != "forward":
            continue
        name = one.name.removeprefix("self.")
        same = [n for n, v in every.items() if v.shape == one.value.shape and _near(one.value, v.detach())]
        if name in every or same:
            found[name] = name if name in every else same[0]
    return found


def _paired(seen: Sequence[Seen], right: Mapping[str, Tensor], own: Mapping[str, str]) -> dict[str, list[Seen]]:
    """Return for each value the variables that hold its gradient: by their names, or since they are right."""
    found: defaultdict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        if one.function == "forward":
            continue
        name = next((n for n in _named(one.name, right, own) if right[n].numel() == one.value.numel()), None)
        if name is None:
            fits = (n for n, g in right.items() if g.shape == one.value.shape)
            name = next((n for n in fits if _near(one.value, right[n]) or _near(-one.value, right[n])), None)
        if name is not None:
            found[name].append(one)
    return found


def _named(place: str, right: Mapping[str, Tensor], own: Mapping[str, str]) -> Iterator[str]:
    """Yield the lecturer's names of the values that a variable may be the gradient of, by its own name."""
    for path in values_of(place):
        for name in (path.name, own.get(path.name, "")):
            if name in right:
                yield name
    short = re.fullmatch(r"(?:self\.)?(?:e|err|error|delta|d|δ)_?(?P<number>\d+)", place)
    if short:  # the lecture's errors of x and net, each with the number of its layer
        letters = ("x", "h", "a") if place.removeprefix("self.").startswith("e") else ("net", "z", "a", "s")
        yield from (name for letter in letters for name in [f"{letter}{short['number']}"] if name in right)


def _line(name: str, returned: Tensor | None, pairs: Sequence[Seen], seen: Sequence[Seen]) -> int | None:
    """Return the line in which a gradient was computed."""
    if returned is not None:
        same = [one for one in seen if one.function != "forward" and one.value.shape == returned.shape]
        found = next((one.line for one in same if bool((one.value == returned).all())), None)
        if found is not None:
            return found
    return pairs[-1].line if pairs else None


def _shaped(t: Tensor, like: Tensor) -> Tensor:
    return t.to(like.dtype).reshape(like.shape) if t.numel() == like.numel() else t


def _near(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(a.isfinite().all()) and relative_difference(a.to(b.dtype), b) <= NEAR


def _statement(lines: Sequence[str], number: int) -> str:
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def seen_in(messages: Sequence[Message], points: Sequence[WholePoint]) -> dict[int, list[Seen]]:
    """Return what was seen, by the number of the point."""
    found = [received(message) for message in messages if "seen" in message]
    return {point.at: one for point, one in zip((p for p in points if p.is_watched), found, strict=False)}
