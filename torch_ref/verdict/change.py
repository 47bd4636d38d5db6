"""A cause with the small change of somebody's code that makes the numbers right."""

from __future__ import annotations

from dataclasses import replace

from torch_ref.causes.search import DOUBTFUL
from torch_ref.known import Cause
from torch_ref.verdict.row import Row

VAGUE = DOUBTFUL | {"swapped", "another-expression"}
"""Changes that can be made in many places of a code, as that of one name for another."""

PLAIN = frozenset({"factor", "wrong-sign"})
"""What is wrong where a change says so: no other word for it is as plain."""

PLACES = frozenset({"one-entry", "only-some", "zero-rows", "dead-unit"})
"""Causes that say where the numbers are wrong: that is no guess."""


def with_change(row: Row, code: str, old: str, new: str, line: int) -> Row:
    """Return a row that says what makes it right; ``code`` is what is wrong without that.

    Where the two call it the same, or the cause says where it is wrong, the sentence that is known comes first.
    Elsewhere what is seen in the code does, and beside a plain change the sentence of a cause that gives way to a
    plainer one is not said. What is known of this gradient alone gives way as a whole: the change explains others, too.
    """
    text, numbers = (
        f"it is right with `{new}` in place of `{old}` in line {line}",
        {"old": old, "new": new, "line": line},
    )
    before = row.why
    if before is None or before.code == "no-pattern" or not (before.searched or before.code == code):
        return replace(row, why=Cause(code, text, numbers))
    if before.code == code or before.code in PLACES:
        text = f"{before.text}; {text}"
    elif before.code not in DOUBTFUL or code in VAGUE:
        text = f"{text}; in other words, {before.text}"
    elif code in PLAIN:
        return replace(row, why=Cause(code, text, numbers))
    return replace(row, why=replace(before, text=text, numbers={**before.numbers, **numbers}))
