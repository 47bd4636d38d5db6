"""The marks of a whole network: a point for L and for each gradient, and which line is wrong by itself.

The student's process sends the variables of its own two passes, as numbers with their lines. What is wrong by itself is
told here from what only follows from it (``whole_lines``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from torch_ref.grade.grading import Mark
from torch_ref.grade.inside.watch import aligned
from torch_ref.grade.inside.wire import Message
from torch_ref.grade.marking import AnswerSheet, is_right, mark
from torch_ref.grade.subjects import Question
from torch_ref.grade.whole_lines import Seen, near, report_on, statement
from torch_ref.grade.whole_points import WholePoint
from torch_ref.verdict.row import Row

MOST = 1000
"""Variables that are looked at."""


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
    return ok[:MOST]


def marks_of(
    questions: Sequence[Question],
    sheet: AnswerSheet,
    at: Sequence[WholePoint],
    seen: Mapping[int, list[Seen]],
    lines: Sequence[str],
    place: Callable[[Question], str],
) -> list[Mark]:
    """Return the marks of a network; ``seen`` by point, ``lines`` are those of the file."""
    wrong = {of: [i for i in sheet.asked(of.symbol) if not is_right(of, sheet, i)] for of in questions}
    loss, *gradients = questions
    marks = [_of_loss(loss, sheet, at, seen, lines, place) if wrong[loss] else Mark(loss, earned=True)]
    explained = _explained([of for of in gradients if wrong[of]], sheet, at, seen, lines, place)
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
    at: Sequence[WholePoint],
    seen: Mapping[int, list[Seen]],
    lines: Sequence[str],
    place: Callable[[Question], str],
) -> Mark:
    """Return the mark of a wrong L: the line of the first variable that is not the lecturer's of the same name."""
    found = mark(of, sheet, place(of))
    for i, variables in seen.items():
        point = at[i]
        _, right = point.owner.values(point.given_to_it)
        given = point.given_to_it
        own = {
            one.name.removeprefix("self."): one
            for one in variables
            if one.function == "forward" and one.value.ndim and not any(near(one.value, v) for v in given.values())
        }
        asked = {name: tuple(v.shape) for name, v in right.items() if name not in given and v.ndim}
        names = aligned({name: tuple(one.value.shape) for name, one in own.items()}, asked)
        first = next(
            (own[name] for name in own if name in names and not near(own[name].value, right[names[name]])), None
        )
        if first is None:
            first = next(
                (one for one in reversed(variables) if one.function == "forward" and one.value.numel() == 1), None
            )
        if first is not None:
            where = f"{place(of).partition(':')[0]}:{first.line}"
            hint = f"The first wrong value of forward is {first.name}, at {where}: {statement(lines, first.line)}"
            return replace(found, remark=f"{first.name} is wrong first, at {where}", hint=f"{found.hint}\n{hint}")
    return found


# -------------------------------------------------------------------------------------------------------- backward


def _explained(
    wrong: Sequence[Question],
    sheet: AnswerSheet,
    at: Sequence[WholePoint],
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
        report = report_on(at[i], variables, sheet, i, lines, file)
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


def seen_in(messages: Sequence[Message], points: Sequence[WholePoint]) -> dict[int, list[Seen]]:
    """Return what was seen, by the number of the point."""
    found = [received(message) for message in messages if "seen" in message]
    return {point.at: one for point, one in zip((p for p in points if p.is_watched), found, strict=False)}
