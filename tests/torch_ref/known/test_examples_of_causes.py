"""The examples of ``docs/causes.md``, run: each gives just the code under which it stands."""

import pytest
from examples import SETTINGS

from torch_ref.known import FAULTS
from torch_ref.known.codes import CODES, GROUPS

IN = {
    "linear": """zeros factor constant-added weight-decay shifted broadcast-not-summed slope-not-here
        weights-without-sign input-missing input-too-often dead-unit wrong-sample broadcast-over-batch one-sample
        sample-missing zero-rows one-entry only-some raises wrong-shape wrong-dtype""",
    "square": """transposed another-tensor swapped another-axis another-gradient transposed-weights weights-missing
        stale-weights changes-input""",
    "sigmoid": """slope-missing slope-twice slope-at-output slope-at-input slope-at-upstream slope-added slope-divided
        upstream-missing""",
    "tanh": "slope-miswritten slope-of-another-function upstream-twice",
    "relu": "wrong-mask",
    "squared error": "wrong-sign sign-alone term-missing plus-for-minus",
    "norm": "mean-for-sum projection-missing",
    "two uses": "part-missing part-twice",
    "lookup": "duplicates-overwritten",
}
"""In which setting an example is run."""

ELSEWHERE = {
    "another-expression",
    "reference-differs",
    "half-precision-sum",
    "conjugate-missing",
    "at-kink",
    "upstream-ignored",
    "path-detached",
    "another-loss",
    "no-pattern",
    "keeps-state",
    "stale-buffer",
    "not-the-derivative",
    "differs",
    "wrong-return",
    "nothing-to-read",
    "wrong-device",
    "wrong-for-layout",
    "wrong-for-choice",
}
"""Codes of what no single statement of a backward shows: their tests stand with the checks that give them."""

RUN = [(code, setting) for setting, codes in IN.items() for code in codes.split()]


@pytest.mark.long(but=12)
@pytest.mark.parametrize(("code", "setting"), RUN, ids=[code for code, _ in RUN])
def test_an_example_gives_the_code_under_which_it_stands(code: str, setting: str) -> None:
    report = SETTINGS[setting].report(CODES[code].example)
    assert {row.code for row in report.guilty} == {code}, str(report)


@pytest.mark.parametrize("setting", SETTINGS)
def test_without_an_example_a_setting_is_right(setting: str) -> None:
    assert SETTINGS[setting].report("pass").ok


def test_every_code_is_given_by_an_example_by_a_planted_mistake_or_in_a_test_of_its_check() -> None:
    planted = {fault.code for fault in FAULTS.values()}
    graded = set(GROUPS["In the grader only"])
    assert {*dict(RUN), *planted, *ELSEWHERE, *graded} == set(CODES)
    assert not {*dict(RUN), *planted, *graded} & ELSEWHERE
