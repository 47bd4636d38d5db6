"""The commands name themselves as they were started: ``manual-bp compare``, or ``python -m torch_ref compare``."""

import sys

import pytest

from torch_ref.__main__ import main

REFUSED = (
    "compare --steps 0",
    "compare --fault formula-that-nobody-knows",
    "compare --example X1 --lr 0.1",
    "lesson --out nowhere/lesson.html",
    "faults --json nowhere/trial.json",
    "grade nowhere.py",
    "check nowhere.py",
    "check",
    "grade",
)


@pytest.mark.parametrize(("started", "name"), [("manual-bp", "manual-bp"), ("__main__.py", "python -m torch_ref")])
@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused_names_the_program_as_it_was_started(
    words: str, started: str, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [started])
    try:
        code = main(words.split())
    except SystemExit as stop:
        code = stop.code
    out, errors = capsys.readouterr()
    assert (code, out) == (2, "")
    assert errors.splitlines()[-1].startswith(f"{name} {words.split()[0]}: ")
