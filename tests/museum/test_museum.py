"""The checker and mistakes that were made: the wrong one is rejected and placed, the right one accepted."""

import pytest

from museum.exhibit import Shown, exhibits
from torch_ref import Report
from torch_ref.known.codes import CODES

SHOWN = exhibits()


def named(report: Report) -> set[str]:
    return {row.quantity for row in report.guilty}


def tells(shown: Shown, *, defaults: bool = False) -> bool:
    """Tell whether the right one is accepted, and the wrong one rejected at its formula."""
    right, wrong = (shown.report(which, defaults=defaults) for which in ("right", "wrong"))
    return right.ok and not wrong.ok and named(wrong) == set(shown.card.guilty)


QUICK = (
    "convolution", "swiglu", "huber", "cross_entropy_ignored_rows", "batch_norm_scale_forgotten", "dropout_mask",
    "embedding_rows", "second_derivative", "max_given_to_every_tie", "sum_of_uses",
)  # fmt: skip
"""A handful, of every kind of function: a tenth of a second each."""


@pytest.mark.long(but=QUICK)
@pytest.mark.parametrize("shown", [s for s in SHOWN if not s.card.not_yet], ids=lambda s: s.name)
def test_right_and_wrong_are_told_apart(shown: Shown) -> None:
    right, wrong = shown.report("right"), shown.report("wrong")
    assert right.ok, right.verdict
    assert not wrong.ok, wrong.verdict
    assert named(wrong) == set(shown.card.guilty), wrong.verdict
    assert shown.card.line in wrong.verdict


@pytest.mark.parametrize("shown", [s for s in SHOWN if s.card.not_yet], ids=lambda s: s.name)
def test_what_is_not_told_apart_yet(shown: Shown) -> None:
    assert not tells(shown), f"{shown.name} is told apart now: its not_yet is to go"


@pytest.mark.parametrize("shown", [s for s in SHOWN if s.card.needs], ids=lambda s: s.name)
def test_arguments_other_than_default_are_needed(shown: Shown) -> None:
    assert shown.card.why
    assert not tells(shown, defaults=True), f"{shown.name} is told apart with default arguments: its needs are to go"


def test_nine_of_ten_are_told_apart_by_one_call_with_default_arguments() -> None:
    left = [s.name for s in SHOWN if s.card.needs or s.card.not_yet]
    assert len(left) <= 0.1 * len(SHOWN), left


def test_there_are_enough_and_each_has_its_source_and_its_story() -> None:
    assert len(SHOWN) >= 34
    assert len({s.card.title for s in SHOWN}) == len(SHOWN)
    for shown in SHOWN:
        story = shown.module.__doc__
        assert f"Source: {shown.card.source}" in story, shown.name
        assert "What it did: " in story, shown.name
        assert story.splitlines()[0].endswith("."), shown.name


def test_causes_are_codes_that_exist() -> None:
    used = frozenset().union(*(s.card.causes for s in SHOWN))
    assert used <= CODES.keys(), used - CODES.keys()
    assert all(s.card.causes for s in SHOWN)
