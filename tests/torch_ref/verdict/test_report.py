"""How a report reads: its first line, its remarks, what was allowed, its table, and its HTML."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace

import pytest
import torch

import torch_ref
from torch_ref.known import Cause
from torch_ref.numbers.agreement import Comparison
from torch_ref.numbers.power import Power
from torch_ref.verdict.report import Report
from torch_ref.verdict.row import Quantity, Row

SAME = Comparison("identical", 0.0, 0, 0.0, 0.0, None, None, None)
ROUNDED = Comparison("rounding", 1e-8, 1, 1e-8, 1e-7, (0, 1), 1.0, 1.00000001, reason="rounding")
OFF = Comparison(
    "wrong", 1e-7, 9, 6.5e-7, 2e-7, (0, 1), 1.2345678, 1.2345679, "off by 6.5e-07 of its norm", off=3, count=20
)
POWER = Power(2e-6, 4e-6, 1e-4, 2e-4, dropped_sample=True)


def row(name: str, seen: Comparison, **more: object) -> Row:
    return replace(Row(Quantity(name, text=name, owner="Mine"), (4, 5), seen), **more)  # type: ignore[arg-type]


def report(*rows: Row, **more: object) -> Report:
    return replace(Report(rows, 4, torch.float32, torch.device("cpu")), **more)  # type: ignore[arg-type]


def guilty(seen: Comparison, **more: object) -> Row:
    return row("gradient of x", seen, **({"blame": "by hand", "why": Cause("unknown", "no known pattern fits")} | more))


@pytest.mark.parametrize(
    ("made", "outcome", "first"),
    [
        (report(row("y", SAME), row("g", SAME)), "right", "Right: both quantities are identical to the last bit."),
        (report(row("y", SAME)), "right", "Right: y, the only quantity, is identical to the last bit."),
        (report(row("y", SAME), row("g", ROUNDED)), "right", "Right: both quantities agree; 1 differs by rounding, g"),
        (report(row("y", SAME), remarks=("it is slow",)), "right, with remarks", "Right, with remarks: y, the only"),
        (report(guilty(OFF)), "wrong", "Wrong: gradient of x, Mine."),
        (report(guilty(OFF, blame="reference")), "wrong", "Wrong in the reference: gradient of x, Mine."),
        (report(guilty(OFF, blame="both")), "wrong", "Wrong on both sides: gradient of x, Mine."),
        (report(row("y", SAME), note="The whole pass broke off"), "wrong", "Wrong: The whole pass broke off."),
        (report(row("y", OFF)), "wrong", "Wrong: y (off by 6.5e-07 of its norm), and there is nothing to"),
        (report(), "not compared", "Not compared: there was no quantity to compare."),
    ],
)
def test_the_first_line_begins_with_the_outcome(made: Report, outcome: str, first: str) -> None:
    assert made.outcome == outcome
    assert made.verdict.splitlines()[0].startswith(first)
    assert made.ok is outcome.startswith("right")
    assert made.to_dict()["outcome"] == outcome


@pytest.mark.parametrize("reason", ["zero", "kink", "algorithm", "accuracy", "half", "not-finite"])
def test_a_reason_beyond_rounding_is_a_remark(reason: str) -> None:
    said = report(row("y", SAME), row("gradient of c", replace(ROUNDED, reason=reason, remark="as expected")))
    assert said.outcome == "right, with remarks"
    assert said.verdict.splitlines()[0] == "Right, with remarks: both quantities agree."
    assert said.verdict.splitlines()[1:] == ["gradient of c: as expected."]
    unsaid = report(row("gradient of c", replace(ROUNDED, reason=reason)))
    assert unsaid.verdict.splitlines()[1].startswith("gradient of c: ")
    whole = report(row("gradient of c", SAME, end_to_end=replace(ROUNDED, reason=reason, remark="as expected")))
    assert "gradient of c: as expected." in whole.verdict


def test_remarks_what_was_not_compared_and_the_power_follow_the_first_line() -> None:
    made = report(row("y", SAME), remarks=("it is slow",), not_compared=(("mask", "needs no gradient"),), power=POWER)
    assert made.verdict.splitlines()[1:] == [
        "it is slow.",
        "Not compared: mask (needs no gradient).",
        "Power: a factor of 1.000002, 0.0004 % of one row, 0.01 % of one sample's part, 0.02 % of one entry and one "
        "sample left out would have been rejected.",
    ]
    found = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert found["remarks"] == ["it is slow"]
    assert found["not_compared"] == [{"name": "mask", "reason": "needs no gradient"}]
    assert found["power"]["factor"] == 2e-6
    assert report(row("y", SAME)).to_dict()["power"] is None


def test_power_names_what_would_have_passed() -> None:
    some = report(row("y", SAME), power=Power(1e-12, 3.0, None, None, dropped_sample=False))
    assert some.outcome == "right"
    assert some.verdict.splitlines()[1] == (
        "Power: a factor of 1 + 1e-12 and 300 % of one row would have been rejected; a change of one sample's part, a "
        "change of one entry and one sample left out would not."
    )
    none = report(row("y", SAME), power=Power(None, None, None, None, dropped_sample=None))
    assert none.verdict.splitlines()[1].endswith("a change of one entry would not have been rejected.")


def test_a_check_that_could_not_have_failed_says_so_first() -> None:
    made = report(row("y", SAME), power=replace(POWER, weakness="δ is 0 everywhere"))
    assert made.verdict.splitlines() == [
        "Right, with remarks: this check could not have failed: δ is 0 everywhere.",
        "Y, the only quantity, is identical to the last bit.",
    ]


def test_what_is_wrong_stands_beside_what_was_allowed_and_how_many_entries_are_off() -> None:
    assert report(guilty(OFF), power=POWER).verdict.splitlines()[2] == (
        "gradient of x at [0, 1]: by hand 1.2345678, reference 1.2345679; off by 6.5e-07 of its norm; allowed 2.0e-07; "
        "3 of 20 entries are off."
    )
    assert "Power" not in report(guilty(OFF), power=POWER).verdict
    changed = replace(OFF, relative=1e-8, remark="changes x in place", off=0)
    assert report(guilty(changed)).verdict.splitlines()[2].endswith("reference 1.2345679; changes x in place.")
    assert "1 of 20 entries is off" in report(guilty(replace(OFF, off=1))).verdict


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (0.5, 0.25, "by hand 0.5, reference 0.25"),
        (0.1 + 0.2, 0.3, "by hand 0.30000000000000004, reference 0.29999999999999999"),
        (1.0, 1.0, "by hand and by the reference 1"),
        (float("inf"), float("inf"), "by hand and by the reference inf"),
    ],
)
def test_the_two_values_never_look_equal_unless_they_are(ours: float, theirs: float, said: str) -> None:
    assert f": {said};" in report(guilty(replace(OFF, by_hand=ours, reference=theirs))).verdict


def test_a_wrong_gradient_shows_no_small_number_among_the_differences() -> None:
    said = str(
        report(guilty(OFF, differences=0.02), row("g", SAME, differences=3e-4), row("h", SAME, differences=1e-4))
    )
    lines = {line.split("  ")[0]: line.split() for line in said.splitlines() if "4 x 5" in line}
    assert lines["gradient of x"][-2:] == ["differ", "GUILTY"]
    assert lines["g"][-1] == "3e-04"
    assert lines["h"][-1] == "agree"


def test_the_columns_are_explained_once_within_80_columns() -> None:
    plain = str(report(row("[x]", SAME)))
    assert plain.count("formula alone: given") == 1
    assert "whole pass" not in plain
    assert "[x]" in plain, "a name in brackets is no markup"
    whole = str(report(row("y", SAME, end_to_end=SAME)))
    assert "whole pass: everything by hand" in whole
    assert max(map(len, whole.splitlines())) <= 80


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_report_can_be_printed_where_letters_are_missing(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = report(row("δ^1", SAME, end_to_end=SAME), remarks=("σ′ → ∂",))
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    print(made, flush=True)
    written = out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert "delta^1" in written
    assert "sigma' -> d." in written
    assert max(map(len, written.splitlines())) <= 80


def test_html_escapes_every_text_and_marks_what_is_wrong() -> None:
    bad = "<script>alert('&')</script>"
    wrong = guilty(replace(OFF, remark=bad), of=Quantity(bad, bad, bad, 1, bad), source=bad, method=bad)
    shown = report(wrong, row("y", SAME), note=bad, remarks=(bad,), not_compared=((bad, bad),))._repr_html_()
    assert "<script" not in shown
    assert "alert('" not in shown
    assert shown.count("<tr style=") == 1
    assert "GUILTY" in shown
    assert "formula alone" in shown
    assert "http" not in shown
    fine = report(row("y", SAME))._repr_html_()
    assert "<tr style=" not in fine


def test_a_real_report_is_html_too() -> None:
    made = torch_ref.check_function(torch.sin, lambda d, x: d * x.cos(), [torch.randn(3, 4).double()])
    assert made._repr_html_().count("<tr") == 1 + len(made.rows)
