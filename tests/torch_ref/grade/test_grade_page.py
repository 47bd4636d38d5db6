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
