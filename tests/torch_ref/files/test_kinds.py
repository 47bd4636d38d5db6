"""Every kind of code that is found in a file: right and wrong, and what it was compared with."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kinds import KINDS, Kind

from torch_ref.__main__ import main

Said = Callable[[str, Kind], tuple[int, str]]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    monkeypatch.chdir(tmp_path)

    def check(code: str, kind: Kind) -> tuple[int, str]:
        Path("mine.py").write_text(code if code.startswith("import numpy") else f"import torch\n{code}")
        words = kind.shapes.split()
        named = [word for shape in words for word in ("--shape", shape)]
        options = named if "=" in kind.shapes else ["--shapes", *words]
        return main(["check", "mine.py", *options, "--no-power"]), " ".join(capsys.readouterr().out.split())

    return check


@pytest.mark.parametrize("name", KINDS)
def test_what_is_right_is_accepted(name: str, said: Said) -> None:
    kind = KINDS[name]
    code, out = said(kind.code, kind)
    assert code == 0, out
    assert f"Compared with {kind.reference}." in out
    assert kind.said in out


@pytest.mark.parametrize("name", KINDS)
def test_what_is_wrong_is_not(name: str, said: Said) -> None:
    kind = KINDS[name]
    assert kind.right in kind.code
    code, out = said(kind.code.replace(kind.right, kind.wrong), kind)
    assert code == 1
    assert "Wrong: " in out, out
    assert "0 of 1 right; wrong: " in out
