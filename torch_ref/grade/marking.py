"""From a formula's answers at all points to its mark: right everywhere, or the reason why not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from torch_ref.grade.answer import Answer
from torch_ref.grade.drawn import TWINS
from torch_ref.grade.grading import Mark
from torch_ref.grade.subjects import Point, Question
from torch_ref.known import Cause
from torch_ref.numbers.agreement import Comparison, relative_difference
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.step import Step, Value
from torch_ref.verdict.explain import of_failure
from torch_ref.verdict.judge import row_of
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Of the norm: what a right formula may be off, in whatever order it computes. A wrong one shows in float64."""

FACTOR = 10.0
"""Or so many times the checker's bound, which is the reference's own rounding, where that is more."""

MOST = 4
"""At how many points the cause of wrong numbers is looked for."""

AS_PRINTED = 0.01
"""Of the norm: how near a memorised example comes, even if its numbers were rounded to two digits."""


@dataclass(frozen=True)
class AnswerSheet:
    """The points of one class, and what the file's formulas gave there, by symbol; None where nothing was asked."""

    points: Sequence[Point]
    answers: dict[str, list[Answer | None]]

    def asked(self, symbol: str) -> dict[int, Answer]:
        """Return the answers to one question by the number of the point."""
        return {i: answer for i, answer in enumerate(self.answers[symbol]) if answer is not None}

    def comparison(self, symbol: str, i: int) -> Comparison:
        """Return how the answer at one point compares with the right one."""
        return self._seen(symbol, i).comparisons[symbol]

    def row(self, symbol: str, i: int) -> Row:
        """Return the judged row of one answer, with its likely cause; this takes a while where it is wrong."""
        seen = self._seen(symbol, i)
        return row_of(seen, next(made for made in seen.step.makes if made.name == symbol))

    def _seen(self, symbol: str, i: int) -> Evidence:
        return next(seen for seen in self._evidence[i] if symbol in seen.step.witnesses)

    @cached_property
    def _evidence(self) -> list[list[Evidence]]:
        found = list[list[Evidence]]()
        for i, point in enumerate(self.points):
            given = {symbol: answers[i] for symbol, answers in self.answers.items()}
            values = {symbol: answer.value for symbol, answer in given.items() if answer}
            found.append(
                [_Received(step, {n: v for n, v in values.items() if n in step.witnesses}) for step in point.steps]
            )
        return found


class _Received(Evidence):
    """The evidence of a step whose formulas were run elsewhere and gave these values."""

    def __init__(self, step: Step, values: dict[str, Value]) -> None:
        """Take the step and the values."""
        super().__init__(step)
        self.values = self.own_values = values


def mark(of: Question, sheet: AnswerSheet, source: str) -> Mark:
    """Return the mark of one formula; ``source`` is file and line of its method."""
    asked = sheet.asked(of.symbol)
    wrong = [i for i in asked if not is_right(of, sheet, i)]
    if not wrong:
        return Mark(of, earned=True)
    lost = _explained(of, sheet, wrong)
    i = _telling(lost)
    row = replace(lost[i], source=source, method=of.method, why=_pretence(of, sheet, lost[i].code) or lost[i].why)
    hint = _hint(row, sheet.points[i], lost, f"{len(wrong)} of {len(asked)} points")
    opposite = all(is_opposite(answer.value.tensor, sheet.points[i].right(of)) for i, answer in asked.items())
    return Mark(of, earned=False, code=row.code, remark=row.cause, hint=hint, row=row, opposite=opposite)


def _explained(of: Question, sheet: AnswerSheet, wrong: list[int]) -> dict[int, Row]:
    """Return the rows of what is wrong, by the number of the point; of wrong numbers only as many as it takes.

    A cause is believed where it explains the numbers at two points.
    """
    rows, causes, looked_at = dict[int, Row](), Counter[str](), 0
    for i in wrong:
        answer = sheet.asked(of.symbol)[i]
        tensor = answer.value.tensor
        are_numbers = tensor is not None and not answer.value.failure and bool(tensor.isfinite().all())
        if are_numbers and (looked_at == MOST or (causes and max(causes.values()) > 1)):
            continue
        rows[i] = row = _blamed(sheet.row(of.symbol, i), answer.value)
        if are_numbers:
            looked_at += 1
            causes.update([row.cause] if row.code != "no-pattern" else [])
    return rows


def is_right(of: Question, sheet: AnswerSheet, i: int) -> bool:
    """Tell whether an answer is right: as the checker says, or within the grader's wider tolerance."""
    answer, right = sheet.asked(of.symbol)[i], sheet.points[i].right(of)
    value = answer.value
    if value.tensor is not None and not value.failure and is_near(value.tensor, right):
        return True  # what the checker would say takes far longer to find
    found = sheet.comparison(of.symbol, i)
    if found.ok or value.tensor is None or value.failure or not math.isfinite(found.relative):
        return found.ok
    dtype = torch.float32 if answer.narrow else value.tensor.dtype
    return found.relative <= max(TOLERANCE[dtype], FACTOR * found.bound)


def is_near(answer: Tensor | None, right: Tensor) -> bool:
    """Tell whether numbers are within the tolerance for their dtype, which is the right one."""
    if (
        answer is None
        or answer.shape != right.shape
        or answer.dtype != right.dtype
        or not bool(answer.isfinite().all())
    ):
        return False
    return relative_difference(answer, right) <= TOLERANCE[right.dtype]


def is_opposite(answer: Tensor | None, right: Tensor) -> bool:
    """Tell whether an answer is right but for its sign."""
    if answer is None or (answer.shape == right.shape and not bool(right.any())):
        return answer is not None and not bool(answer.any())
    return is_near(-answer, right)


def _blamed(row: Row, value: Value) -> Row:
    """Return the row with the student to blame: a formula is asked for, not the derivative of a wrong one."""
    if value.failure:
        return replace(row, blame="by hand", why=of_failure(value.failure))
    return row if row.blame == "by hand" else replace(row, blame="by hand", why=Cause("differs", row.remark))


def _telling(lost: dict[int, Row]) -> int:
    """Return the point whose row says most: an explanation of wrong numbers, if possible the one given most often."""
    explained = {i: row for i, row in lost.items() if row.isolated.worst and row.code != "no-pattern"}
    among = explained or lost
    (common, count), *_ = Counter(row.cause for row in among.values()).most_common(1)
    overflow = next((i for i, row in among.items() if row.code == "not-finite"), None)
    if count == 1 and overflow is not None:  # an overflow has more than one symptom
        return overflow
    return next(i for i, row in among.items() if row.cause == common)


def _pretence(of: Question, sheet: AnswerSheet, code: str) -> Cause | None:
    """Say what kind of answer it is that does not depend on its inputs; None if it does."""
    answers = [answer.value.tensor if answer else None for answer in sheet.answers[of.symbol]]
    one, other = (answers[i] for i in TWINS)
    if one is None or other is None or one.shape != other.shape or not bool((one == other).all()):
        return None
    if _near(answers[0], sheet.points[0].right(of)):
        return Cause("memorised", "memorised: right on the example, the same everywhere else")
    return None if code == "zeros" else Cause("constant", "constant: it does not depend on its inputs")


def _near(answer: Tensor | None, right: Tensor) -> bool:
    return (
        answer is not None
        and answer.shape == right.shape
        and bool(answer.isfinite().all())
        and relative_difference(answer, right) < AS_PRINTED
    )


def _hint(row: Row, at: Point, lost: dict[int, Row], where: str) -> str:
    """Return the checker's verdict on one row, and where else the formula fails."""
    verdict = Report((row,), batch=len(at.x), dtype=at.x.dtype, device=at.x.device).verdict
    more = next((r.cause for r in lost.values() if r.isolated.worst is None and row.isolated.worst is not None), "")
    also = f"\nElsewhere: {more}." if more else ""
    return f"{verdict}\nThis is at {at}; wrong at {where}.{also}"
