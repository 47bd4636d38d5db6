"""What is said of a change of the code that makes a gradient right, beside the cause that was found without it."""

import pytest

from torch_ref.known import Cause
from torch_ref.numbers.agreement import Comparison
from torch_ref.verdict.change import with_change
from torch_ref.verdict.row import Quantity, Row

CHANGE = "it is right with `a` in place of `b` in line 3"


def said(before: Cause | None, code: str) -> tuple[str, str]:
    row = Row(Quantity("gradient of x"), (3,), Comparison("wrong", 1.0, None, 1.0, 0.0, None, None, None), why=before)
    found = with_change(row, code, "b", "a", 3)
    assert found.why is not None
    assert found.why.numbers["line"] == 3
    return found.code, found.cause


@pytest.mark.parametrize(
    ("before", "code", "expected"),
    [
        (None, "wrong-mask", ("wrong-mask", CHANGE)),
        (Cause("no-pattern", "?"), "wrong-mask", ("wrong-mask", CHANGE)),
        (Cause("factor", "a half", searched=True), "factor", ("factor", f"a half; {CHANGE}")),
        (Cause("part-twice", "twice", searched=True), "factor", ("part-twice", f"{CHANGE}; in other words, twice")),
        (Cause("zero-rows", "row 2", searched=True), "factor", ("zero-rows", f"row 2; {CHANGE}")),
        (Cause("term-missing", "a term", searched=True), "wrong-mask", ("term-missing", CHANGE)),
        (Cause("wrong-power", "a power", searched=True), "factor", ("factor", CHANGE)),
        (
            Cause("term-missing", "a term", searched=True),
            "swapped",
            ("term-missing", f"{CHANGE}; in other words, a term"),
        ),
        (Cause("wrong-sign", "the sign", searched=False), "wrong-mask", ("wrong-mask", CHANGE)),
        (Cause("wrong-sign", "the sign", searched=False), "wrong-sign", ("wrong-sign", f"the sign; {CHANGE}")),
    ],
    ids=[
        "nothing",
        "no pattern",
        "the same",
        "another",
        "a place",
        "vague",
        "vague beside plain",
        "both vague",
        "of one alone",
        "of one, the same",
    ],
)
def test_what_comes_first(before: Cause | None, code: str, expected: tuple[str, str]) -> None:
    assert said(before, code) == expected
