"""Where inputs are missing, the command that is shown can be typed as it stands, and checks what is right as right."""

import shlex
from pathlib import Path

import pytest
from kinds import KINDS

from torch_ref.__main__ import main


@pytest.mark.long(but=12)
@pytest.mark.parametrize("name", KINDS)
def test_the_command_that_is_shown_can_be_typed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = KINDS[name].code
    Path("mine.py").write_text(code if code.startswith("import numpy") else f"import torch\n{code}")
    assert main(["check", "mine.py"]) == 1
    out = capsys.readouterr().out
    typed = out.split("Give shapes as below, or write make_inputs():\n")[1].split("\n\n")[0]
    assert max(map(len, typed.splitlines())) <= 80
    words = shlex.split(typed.replace("\\\n", " "))
    words = words[words.index("check") :]
    assert main(words) == 0, (words, capsys.readouterr().out)


def test_what_was_typed_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = (
        "def f(x, w, t, eps, mode):\n    return x @ w + eps\ndef f_backward(d_y, x, w, t, eps, mode):\n    return d_y\n"
    )
    Path("mine.py").write_text(code)
    options = shlex.split("--shape x=2,7 --indices t=4:3 --value eps=1e-5 --value")
    assert main(["check", "mine.py", *options, "mode=a b"]) == 1
    typed = capsys.readouterr().out.split("Give shapes as below, or write make_inputs():\n")[1].replace("\\\n", " ")
    assert "f --shape x=2,7 --indices t=4:3 --value eps=1e-05 --value 'mode=a b' --shape w=" in " ".join(typed.split())
    assert main(["check", "mine.py", "--shapes", "2,7"]) == 1
    assert "f --shape x=2,7 --shape w=" in " ".join(capsys.readouterr().out.replace("\\\n", " ").split())


def test_a_slow_forward_is_not_tried_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch_ref.files.guess.SECONDS", 0.0)
    forward = "def f(x, w):\n    open('calls', 'a').write('one ')\n    raise ValueError\n"
    Path("mine.py").write_text(f"{forward}def f_backward(d_y, x, w):\n    return d_y\n")
    assert main(["check", "mine.py"]) == 1
    assert "--shape x=4,5 --shape w=4,5" in capsys.readouterr().out
    assert Path("calls").read_text() == "one "
