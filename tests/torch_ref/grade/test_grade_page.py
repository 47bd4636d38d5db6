"""What docs/lecture.md shows of the grader is what it prints."""

import re
import shlex
from pathlib import Path

import pytest
import students
from places import ROOT

from torch_ref.__main__ import main
from torch_ref.grade.grading import Grading, Mark
from torch_ref.grade.subjects import QUESTIONS_OF


def test_the_grader_prints_what_the_page_shows(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("missing_slope.py").write_text(students.MISSING_SLOPE, encoding="utf-8")
    assert main(["grade", "missing_slope.py", "--seed", "1"]) == 1
    page = (ROOT / "docs" / "lecture.md").read_text(encoding="utf-8")
    (shown,) = [block for block in page.split("```text\n")[1:] if "15 of 16 points" in block]
    assert capsys.readouterr().out.endswith("\n\n" + shown.partition("```")[0])


def test_a_class_is_printed_as_the_page_shows(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("submissions")
    folder.mkdir()
    two = students.changed(students.MISSING_SLOPE, ("(t - y) / n", "(y - t) / n"))
    files = {"anna": students.RIGHT, "ben": students.MISSING_SLOPE, "carl": two, "dora": "# mine\n" + students.RIGHT}
    for name, source in files.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    page = (ROOT / "docs" / "lecture.md").read_text(encoding="utf-8")
    command, *_ = [line for line in page.splitlines() if line.startswith("python -m torch_ref grade submissions")]
    assert main(command.replace("--jobs 2", "--jobs 1").split()[3:]) == 0
    (shown,) = [block for block in page.split("```text\n")[1:] if "Mistakes" in block]
    assert capsys.readouterr().out == shown.partition("```")[0]
    assert {"marks.csv", "marks.json"} <= {path.name for path in tmp_path.iterdir()}


def test_the_way_from_the_slides_to_marks_can_be_followed_as_written(tmp_path: Path, capsys, monkeypatch) -> None:
    """With marks given at once in the place of a grading; the other tests of this room grade."""

    def graded(path: Path, seed: int, **_: object) -> Grading:
        return Grading(str(path), seed, ("ReLU",), tuple(Mark(of, earned=True) for of in QUESTIONS_OF["ReLU"]))

    for place in ("grader", "pool"):
        monkeypatch.setattr(f"torch_ref.grade.{place}.grade", graded)
    page = (ROOT / "docs" / "lecture.md").read_text(encoding="utf-8")
    section = page.partition("## From the slides to marks")[2].partition("\n## ")[0]
    commands = [line for block in re.findall(r"```bash\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]
    (points,) = re.findall(r'`(\{"Linear": 1.*?\})`', page)
    monkeypatch.chdir(tmp_path)
    Path("points.json").write_text(points, encoding="utf-8")
    Path("submissions").mkdir()
    for file in ("student.py", "submissions/anna.py", "submissions/ben.py"):
        Path(file).write_text(students.RELU, encoding="utf-8")
    for command in commands:
        assert main(shlex.split(command.replace("--jobs 2", "--jobs 1"))[3:]) == 0, command
        assert capsys.readouterr().err == ""
    made = "marks.csv", "marks/index.html", "marks/students/ben.html", "autograder.zip", "results.json", "marks.xml"
    assert all(Path(name).is_file() for name in (*made, "formulas.ipynb", "otter/tests/1_Linear.py"))
    assert len(commands) == 6
