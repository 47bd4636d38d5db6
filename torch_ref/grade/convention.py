"""Two conventions of the sign: the lecture's errors are −∂L/∂q, and many books and libraries have +∂L/∂q.

In the formulas of layers one cannot tell them apart: what is linear in the error has the same form. They differ where
an error begins, in a loss, and where it becomes the gradient of a parameter. Who has the other sign in all of these
has another convention, and not a mistake in each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from manual_bp import Loss
from torch_ref.grade.grading import Mark
from torch_ref.grade.subjects import Question
from torch_ref.known import Cause

Sign = Literal["lecture", "either"]

OTHER = Cause("other-convention", "right with the other sign: +∂L/∂q")


def settled(marks: list[Mark], sign: Sign) -> tuple[tuple[Mark, ...], str]:
    """Return the marks with the convention recognised, and a sentence that explains it once; '' where it is none."""
    telling = [mark for mark in marks if _is_telling(mark.of)]
    opposite = [mark for mark in telling if mark.opposite]
    if not opposite or any(mark.earned for mark in telling) or (len(opposite) < 2 and sign == "lecture"):
        return tuple(marks), ""
    told = [_told(mark, sign) if mark.opposite else mark for mark in marks]
    names = ", ".join(str(mark.of) for mark in opposite)
    cost = "This costs nothing here." if sign == "either" else "Here it costs these points."
    return tuple(told), (
        f"One convention, not {len(opposite)} mistakes: {names} {'is' if len(opposite) == 1 else 'are'} right with the "
        f"other sign. The file has gradients, +∂L/∂q, where the lecture has errors, −∂L/∂q: e = t − y at the loss, "
        f"and ∂L/∂W = −δᵀ x, ∂L/∂b = −Σ δ from an error δ. {cost}"
    )


def _is_telling(of: Question) -> bool:
    """Tell whether the conventions differ in a formula: a gradient, or the error that begins at a loss."""
    return of.makes not in ("output", "forward", "error") or (of.makes == "error" and issubclass(of.kind, Loss))


def _told(mark: Mark, sign: Sign) -> Mark:
    return replace(
        mark, earned=sign == "either", code="" if sign == "either" else OTHER.code, remark=OTHER.text, hint=""
    )
