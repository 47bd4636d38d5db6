"""How much a student is told, and what a formula is worth."""

import json
from pathlib import Path

import pytest
import students
from students import changed, write

from torch_ref.__main__ import main

WRONG = students.HEAD + changed(
    students.SIGMOID + students.RELU,
    ("saved * (1 - saved) * error", "error"),
    ("torch.where(x > 0, x, 0.0)", "torch.where(x > 0, x, zero)"),
)


def printed(folder: Path, capsys, *words: str) -> str:
    main(["grade", str(write(folder, WRONG)), "--seed", "3", "--only", "Sigmoid", "ReLU", *words])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("level", "told", "kept"),
    [
        (0, ["1 of 4 points"], ["Sigmoid x", "wrong", "σ′", "NameError", "student.py:"]),
        (1, ["1 of 4 points", "Sigmoid δ  E15  0       wrong"], ["σ′", "NameError", "student.py:"]),
        (2, ["1 of 4 points", "wrong, at student.py:1", "NameError"], ["σ′", "slope"]),
        (3, ["1 of 4 points", "σ′ is missing", "Likely cause", "NameError"], []),
    ],
)
def test_a_level_of_hints_tells_so_much(tmp_path, capsys, level: int, told: list[str], kept: list[str]) -> None:
    text = printed(tmp_path, capsys, "--hints", str(level))
    marks = printed(tmp_path, capsys, "--hints", str(level), "--json", "-")
    assert all(words in text for words in told)
    assert not any(words in text for words in kept)
    assert not any(words in marks for words in [*kept, "by_hand"] if words not in ("Sigmoid x", "wrong") and kept)
    assert json.loads(marks)["points"] == 1


def test_formulas_are_worth_what_the_file_says(tmp_path: Path, capsys) -> None:
    points = tmp_path / "points.json"
    points.write_text('{"Sigmoid x": 2.5, "Sigmoid": 4, "ReLU error": 0}', encoding="utf-8")
    text = printed(tmp_path, capsys, "--points", str(points))
    assert "2.5 of 7.5 points" in text
    marks = json.loads(printed(tmp_path, capsys, "--points", str(points), "--json", "-"))["marks"]
    assert [(m["points"], m["worth"]) for m in marks] == [(2.5, 2.5), (0, 4), (0, 1), (0, 0)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[1]", "got list"),
        ('{"Sigmoids": 1}', "expected a class or one of Linear forward"),
        ('{"Sigmoid": -1}', "expected points of 0 or more for Sigmoid, got -1"),
        ('{"Sigmoid": "two"}', "got 'two'"),
    ],
)
def test_points_that_say_something_else_are_an_error(tmp_path: Path, capsys, text: str, said: str) -> None:
    points = tmp_path / "points.json"
    points.write_text(text, encoding="utf-8")
    assert main(["grade", str(write(tmp_path, WRONG)), "--points", str(points)]) == 2
    assert said in capsys.readouterr().err
