"""The programs on the page about checking give what the page shows."""

import os
import re
import subprocess
import sys

import pytest
from documents import blocks
from places import ROOT

PAGE = ROOT / "docs" / "checking.md"


def block_with(kind: str, text: str) -> str:
    """Return the one block of a kind that has a text in it."""
    (found,) = [block.text for block in blocks(PAGE, kind) if text in block.text]
    return found


def printed(folder, *command: str) -> tuple[int, str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout or done.stderr


def without_noise(text: str) -> str:
    """Return a text without the sizes of roundings, and whose is the largest: another processor has others."""
    words = re.sub(r"differ by rounding, [a-z ]+ most:", "differ by rounding, # most:", " ".join(text.split()))
    return re.sub(r"\b(\d\.\d+e-\d\d|\d+\.\d+ %|1\.0{4,}\d+|identical)", "#", words)


@pytest.mark.long
def test_the_wrong_line_of_two_functions(tmp_path) -> None:
    (tmp_path / "mlp.py").write_text(block_with("python", "def backward(x, t, W1"), encoding="utf-8")
    (tmp_path / "run.py").write_text(block_with("python", "from mlp import"), encoding="utf-8")
    code, out = printed(tmp_path, "run.py")
    assert code == 0, out
    assert without_noise(out) == without_noise(block_with("text", "at mlp.py:16"))


@pytest.mark.long
def test_a_file_in_a_terminal(tmp_path) -> None:
    (tmp_path / "mine.py").write_text(block_with("python", "def linear_backward"), encoding="utf-8")
    command = block_with("bash", "check mine.py --shape").split()
    assert command[0] == "python"
    code, out = printed(tmp_path, *command[1:])
    assert code == 1
    assert without_noise(out) == without_noise(block_with("text", "wrong: linear."))


def test_the_first_page_shows_the_same_line() -> None:
    shown = block_with("text", "at mlp.py:16").splitlines()[0]
    assert f"`{shown}`" in (ROOT / "README.md").read_text(encoding="utf-8")
