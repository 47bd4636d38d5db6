"""A class: a line for each student, whatever becomes of one file, the mistakes counted, and who handed in the same."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
import students
from students import changed

from torch_ref.__main__ import main
from torch_ref.grade import templates
from torch_ref.grade.pool import graded
from torch_ref.grade.submissions import alike, submissions

ONLY = ("--only", "Sigmoid", "ReLU")
TWO = students.HEAD + students.SIGMOID + students.RELU
FILES = {
    "anna.py": TWO,
    "ben.py": changed(TWO, ("saved * (1 - saved) * error", "error")),
    "carl/student.py": changed(TWO, ("saved * (1 - saved) * error", "error * saved * saved / saved")),
    "dora/student.py": TWO.replace("\nclass", "\n# the same as Anna's\nclass"),
    "emil.py": "class Sigmoid:\n    def forward(self, x)\n",
    "fay.py": "x = 1\n",
    "gina.py": TWO.replace("y = 1 /", "import os; os._exit(1)\n        y = 1 /"),
    "hugo.py": templates.text("torch"),
    "ida.py": templates.text("torch"),
    ".hidden.py": TWO,
    "notes.txt": "no Python",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("class")
    for name, source in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(source, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def outcome(folder: Path, tmp_path_factory) -> dict:
    """Return what one run over the folder writes."""
    out = tmp_path_factory.mktemp("out")
    words = ["grade", str(folder), "--seed", "3", *ONLY, "--json", str(out / "o.json"), "--csv", str(out / "o.csv")]
    with pytest.MonkeyPatch.context() as patch:
        printed = io.StringIO()
        patch.setattr("sys.stdout", printed)
        assert main(words) == 0
    return {
        "printed": printed.getvalue(),
        "json": json.loads((out / "o.json").read_text(encoding="utf-8")),
        "csv": list(csv.DictReader(io.StringIO((out / "o.csv").read_text(encoding="utf-8")))),
    }


POINTS = {
    "anna": 4, "ben": 3, "carl/student": 3, "dora/student": 4, "emil": 0, "fay": 0, "gina": 2, "hugo": 0, "ida": 0,
}  # fmt: skip


def test_a_class_gets_a_line_for_each_student(outcome: dict) -> None:
    head, *lines = outcome["printed"].split("\n\n")[0].splitlines()
    assert head.split() == ["student", "points", "lost"]
    assert {line.split()[0]: int(line.split()[1]) for line in lines} == POINTS
    assert all(line.split()[2:4] == ["of", "4"] for line in lines)
    assert "ben           3 of 4  Sigmoid δ: slope-missing" in lines
    assert all(len(line) <= 80 for line in outcome["printed"].splitlines())
    assert outcome["printed"].endswith("9 files; --seed 3 repeats this.\n")


def test_the_table_for_a_spreadsheet_says_the_same(outcome: dict) -> None:
    rows = {row["student"]: row for row in outcome["csv"]}
    assert {name: int(row["points"]) for name, row in rows.items()} == POINTS
    assert {row["possible"] for row in outcome["csv"]} == {"4"}
    assert [rows["ben"][f] for f in ("Sigmoid x", "Sigmoid δ", "ReLU x", "ReLU δ")] == ["1", "0", "1", "1"]
    assert rows["ben"]["causes"] == "Sigmoid δ: slope-missing"
    assert "SyntaxError" in rows["emil"]["note"]
    assert "defines none of the classes" in rows["fay"]["note"]


def test_the_same_numbers_are_in_the_json(outcome: dict) -> None:
    found = outcome["json"]
    assert {s["student"]: s["points"] for s in found["students"]} == POINTS
    assert (found["seed"], found["possible"]) == (3, 4)


def test_mistakes_are_counted_the_most_frequent_first(outcome: dict) -> None:
    mistakes = outcome["json"]["mistakes"]
    counted = {(m["formula"], m["code"]): m["students"] for m in mistakes}
    assert counted["Sigmoid x", "raises"] == ["hugo", "ida"]
    assert counted["Sigmoid δ", "slope-missing"] == ["ben"]
    assert counted["Sigmoid δ", "slope-miswritten"] == ["carl/student"]
    assert counted["", "not-run"] == ["emil"]
    assert [len(m["students"]) for m in mistakes] == sorted((len(m["students"]) for m in mistakes), reverse=True)
    assert "2 of 9  ████████████████████  Sigmoid x: left open" in outcome["printed"]


def test_who_handed_in_the_same_is_named_and_the_empty_template_is_not(outcome: dict) -> None:
    assert outcome["json"]["alike"] == [["anna", "dora/student"]]
    assert "The same code: anna, dora/student." in outcome["printed"]


def test_comments_docstrings_and_layout_make_no_other_file(tmp_path: Path) -> None:
    sources = {
        "a.py": "def f(x):\n    return x + 1\n",
        "b.py": '"""Mine."""\ndef f(x):  # mine\n    """Add."""\n\n    return (x+1)\n',
        "c.py": "def f(x):\n    return x + 2\n",
        "d.py": "def f(x\n",
    }
    for name, source in sources.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    assert alike(submissions([tmp_path])) == [["a", "b"]]


def test_files_of_one_name_are_told_apart(folder: Path) -> None:
    found = submissions([folder / "carl" / "student.py", folder / "dora" / "student.py", folder / "anna.py"])
    assert [one.name for one in found] == ["carl/student", "dora/student", "anna"]


class Ends(type(Path())):
    """A path at which a process that receives it ends."""

    def __reduce__(self) -> tuple:
        return os._exit, (3,)


def test_several_processes_go_on_where_one_of_them_ends(folder: Path) -> None:
    ended, right, unusable = graded(
        [Ends(folder / "ben.py"), folder / "anna.py", folder / "fay.py"], {"seed": 3}, jobs=2
    )
    assert ended == "the grader's process ended with exit code 3"
    assert right.earned == 4
    assert unusable.endswith("SoftmaxCrossEntropy")


def test_a_fault_of_the_grader_costs_one_file_alone(folder: Path, monkeypatch) -> None:
    def grade(path: Path, **_: object) -> None:
        raise ZeroDivisionError(path.name)

    monkeypatch.setattr("torch_ref.grade.pool.grade", grade)
    outcomes = graded([folder / "anna.py", folder / "ben.py"], {"seed": 3}, jobs=1)
    assert outcomes == [f"the grader failed: ZeroDivisionError: {name}.py" for name in ("anna", "ben")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "anna.py"], "nowhere: No such file or directory"),
        (["empty"], "no .py file in"),
        (["anna.py", "--csv", "-"], "--csv is a table of a class"),
        (["anna.py", "--template"], "expected a file or folder to grade, or --template"),
    ],
)
def test_what_cannot_be_graded_is_said_in_one_line(words, said, folder, capsys, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir(exist_ok=True)
    assert _exit_code(["grade", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in " ".join(err.split())


def _exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as error:
        return error.code
