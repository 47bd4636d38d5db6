"""What docs/lecture.md shows of the grader is what it prints."""

from pathlib import Path

import pytest
import students
from places import ROOT

from torch_ref.__main__ import main


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
    (command,) = [line for line in page.splitlines() if line.startswith("python -m torch_ref grade submissions")]
    assert main(command.replace("--jobs 2", "--jobs 1").split()[3:]) == 0
    (shown,) = [block for block in page.split("```text\n")[1:] if "Mistakes" in block]
    assert capsys.readouterr().out == shown.partition("```")[0]
    assert {"marks.csv", "marks.json"} <= {path.name for path in tmp_path.iterdir()}
