"""From a formula's answers at all points to its mark: right everywhere, or the reason why not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from torch_ref.grade.grading import Mark
from torch_ref.grade.subjects import TWINS, Point, Question
from torch_ref.known import Cause
from torch_ref.numbers.agreement import relative_difference
from torch_ref.steps.evidence import Evidence
from torch_ref.steps.step import Step, Value
from torch_ref.verdict.explain import of_failure
from torch_ref.verdict.judge import rows_of
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Row

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Of the norm: what a right formula may be off, in whatever order it computes. A wrong one shows in float64."""

FACTOR = 10.0
"""Or so many times the checker's bound, which is the reference's own rounding, where that is more."""

AS_PRINTED = 0.01
"""Of the norm: how near a memorised example comes, even if its numbers were rounded to two digits."""


@dataclass(frozen=True)
class AnswerSheet:
    """The points of one class, and what the file's formulas gave there, by symbol; None where nothing was asked."""

    points: Sequence[Point]
    answers: dict[str, list[Value | None]]

    def rows(self, symbol: str) -> dict[int, Row]:
        """Return the judged rows of one formula, by the number of the point."""
        found = {}
        for i, point in enumerate(self.points):
            if self.answers[symbol][i] is not None:
                found[i] = self._judged(i, point)[symbol]
        return found

    def _judged(self, i: int, point: Point) -> dict[str, Row]:
        given = {symbol: values[i] for symbol, values in self.answers.items()}
        rows: dict[str, Row] = {}
        for step in point.steps:
            values = {symbol: value for symbol, value in given.items() if value and symbol in step.witnesses}
            rows |= _rows(step, values)
        return rows


def mark(of: Question, sheet: AnswerSheet, source: str) -> Mark:
    """Return the mark of one formula; ``source`` is file and line of its method."""
    rows = sheet.rows(of.symbol)
    values = sheet.answers[of.symbol]
    lost = {i: _blamed(row, values[i]) for i, row in rows.items() if not _right(row, values[i])}
    if not lost:
        return Mark(of, earned=True)
    i = _telling(lost)
    row = replace(lost[i], source=source, method=of.method, why=_pretence(of, sheet, lost[i].code) or lost[i].why)
    hint = _hint(row, sheet.points[i], lost, len(rows))
    return Mark(of, earned=False, code=row.code, remark=row.cause, hint=hint, row=row)


def _rows(step: Step, values: dict[str, Value]) -> dict[str, Row]:
    """Return the rows of a step whose formulas were run elsewhere and gave these values."""
    return rows_of(Evidence(replace(step, compute=lambda _step, _isolated: values)))


def _right(row: Row, value: Value | None) -> bool:
    """Tell whether an answer is right: as the checker says, or within the grader's wider tolerance."""
    found = row.isolated
    if found.ok or value is None or value.tensor is None or value.failure or not math.isfinite(found.relative):
        return found.ok
    return found.relative <= max(TOLERANCE[value.tensor.dtype], FACTOR * found.bound)


def _blamed(row: Row, value: Value | None) -> Row:
    """Return the row with the student to blame: a formula is asked for, not the derivative of a wrong one."""
    if value and value.failure:
        return replace(row, blame="by hand", why=of_failure(value.failure))
    return row if row.blame == "by hand" else replace(row, blame="by hand", why=Cause("differs", row.remark))


def _telling(lost: dict[int, Row]) -> int:
    """Return the point whose row says most: an explanation of wrong numbers, if possible the one given most often."""
    explained = {i: row for i, row in lost.items() if row.isolated.worst and row.code != "no-pattern"}
    among = explained or lost
    (common, _), *_ = Counter(row.cause for row in among.values()).most_common(1)
    return next(i for i, row in among.items() if row.cause == common)


def _pretence(of: Question, sheet: AnswerSheet, code: str) -> Cause | None:
    """Say what kind of answer it is that does not depend on its inputs; None if it does."""
    answers = [value.tensor if value else None for value in sheet.answers[of.symbol]]
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


def _hint(row: Row, at: Point, lost: dict[int, Row], of: int) -> str:
    """Return the checker's verdict on one row, and where else the formula fails."""
    verdict = Report((row,), batch=len(at.x), dtype=at.x.dtype, device=at.x.device).verdict
    more = next((r.cause for r in lost.values() if r.isolated.worst is None and row.isolated.worst is not None), "")
    also = f"\nElsewhere: {more}." if more else ""
    return f"{verdict}\nThis is at {at}; wrong at {len(lost)} of {of} points.{also}"
