"""``python -m torch_ref lesson --sheet``: a file of exercises to print; test_exercises.py opens it in a browser."""

import json
import re
from pathlib import Path

import pytest

from torch_ref.__main__ import main
from torch_ref.lesson.page import build, data


def embedded(html: str) -> dict:
    """Return what the scripts find as DATA."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html)[1])


def test_a_sheet_is_one_small_file_without_the_digit(tmp_path: Path, capsys) -> None:
    file = tmp_path / "out.html"
    assert main(["lesson", "--sheet", "--seed", "7", "--count", "12", "--out", str(file)]) == 0
    html = file.read_text(encoding="utf-8")
    assert capsys.readouterr().out == f"{file}  {len(html.encode()) / 1000:.0f} kB\n"
    assert len(html.encode()) < 150_000
    assert embedded(html)["sheet"] == {"seed": 7, "count": 12}
    assert "digit" not in embedded(html)
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)|@import|url\((?!#)""", html)


def test_the_same_seed_gives_the_same_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lesson", "--sheet"]) == 0
    usual = Path("sheet.html").read_bytes()
    assert main(["lesson", "--sheet", "--seed", "1", "--count", "10", "--out", "same.html"]) == 0
    assert main(["lesson", "--sheet", "--seed", "2", "--out", "other.html"]) == 0
    assert Path("same.html").read_bytes() == usual
    assert Path("other.html").read_bytes() != usual


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sheet", "--count", "0"], "--count: expected a whole number from 1 to 30, got '0'"),
        (["--sheet", "--count", "31"], "--count: expected a whole number from 1 to 30, got '31'"),
        (["--sheet", "--count", "ten"], "--count: expected a whole number from 1 to 30, got 'ten'"),
        (["--sheet", "--seed", "4294967296"], "from 0 to 4294967295 with --sheet, got 4294967296"),
        (
            ["--sheet", "--network", "2-2-1"],
            "--sheet draws networks of its own, it goes without --network, --activation",
        ),
        (["--seed", "7"], "--seed goes with --network or --sheet"),
        (["--count", "7"], "--count goes with --sheet"),
    ],
)
def test_what_makes_no_sheet_is_refused(tmp_path: Path, monkeypatch, capsys, words: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["lesson", *words])
    except SystemExit as exit_:  # argparse's own
        code = exit_.code
    assert code == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_ends_of_the_ranges_are_taken(tmp_path: Path) -> None:
    for seed, count in ((0, 1), (2**32 - 1, 30)):
        assert main(["lesson", "--sheet", f"--seed={seed}", f"--count={count}", "--out", str(tmp_path / "s.html")]) == 0


def test_page_and_sheet_draw_with_the_same_generator() -> None:
    for module in ("numbers/random.js", "practise/exercises.js", "practise/posed.js"):
        functions = re.findall(
            r"^(?:export )?(function \w+\(.*?^\})", build.source(module), flags=re.MULTILINE | re.DOTALL
        )
        assert len(functions) >= 2
        for function in functions:
            code = re.sub(r"^ *//.*\n", "", function, flags=re.MULTILINE)
            assert code in build.script()
            assert code in build.script("sheet.js")


def test_a_sheet_without_a_place_for_its_data_is_missed(monkeypatch) -> None:
    monkeypatch.setattr(build, "source", lambda file: "" if file.endswith(".html") else "p {}")
    with pytest.raises(ValueError, match=r"sheet.html expects <!-- style --> once, got it 0 times"):
        build.sheet(data.sheet_data(1, 1))
