"""Every command and every printed report works where the output has only ASCII or cp1252."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

import manual_bp
import torch_ref
from tests.places import ROOT
from torch_ref.__main__ import main

Printed = Callable[..., tuple[int, str, str]]

COMMANDS = {
    "compare": (("compare",), 0, "delta"),
    "compare --fault": (("compare", "--fault", "random"), 1, "delta"),
    "lesson": (("lesson", "--out", "{tmp}/∂.html"), 0, "u2202.html"),
    "faults": (("faults", "--help"), 0, "faults"),
    "check": (("check", "{tmp}/student.py", "--shape", "x=4,5"), 1, "being the error -dL/dy"),
    "grade": (("grade", "{tmp}/student.py", "--seed", "1"), 1, "delta"),
}
TRAINING = {
    "train.py": (("train.py", "--dry-run"), "dry run"),
    "train.py --help": (("train.py", "--help"), "usage"),
    "train": (("-m", "torch_ref", "train", "--dry-run"), "dry run"),
}
STUDENT = """
class Tanh:
    def forward(self, x):
        return x.tanh(), x.tanh()

    def backward(self, error, y):
        return error * y, {}
"""


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    """Return what a command prints on an output of an encoding: the exit code, output and errors."""

    def run(encoding: str, code: Callable[[], int]) -> tuple[int, str, str]:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            try:
                exit_code = code()
            except SystemExit as stop:
                exit_code = stop.code
        for stream in streams:
            stream.flush()
        out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams)
        return exit_code, out, err

    return run


@pytest.mark.long(but=("compare", "-check", "-grade", "-faults"))
@pytest.mark.parametrize("what", COMMANDS)
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_command_prints_where_letters_are_missing(what: str, encoding: str, printed: Printed, tmp_path) -> None:
    words, code, said = COMMANDS[what]
    (tmp_path / "student.py").write_text(STUDENT, encoding="utf-8")
    found, out, err = printed(encoding, lambda: main([word.replace("{tmp}", str(tmp_path)) for word in words]))
    assert (found, err) == (code, "")
    assert said in out or (what == "compare" and "δ" not in out)


class Wrong(manual_bp.Sigmoid):
    def backward(self, error, saved):
        return error * saved, {}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_report_prints_where_letters_are_missing(encoding: str, printed: Printed) -> None:
    network = manual_bp.Network((manual_bp.Linear(torch.randn(3, 5)), Wrong()), manual_bp.SquaredError())
    report = torch_ref.crosscheck(network, torch.randn(4, 5), torch.rand(4, 3))

    def show() -> int:
        print(report)
        return 0

    assert "delta^1" in printed(encoding, show)[1]


@pytest.mark.long(but=("--help",))
@pytest.mark.parametrize("what", TRAINING)
def test_a_command_of_training_prints_where_letters_are_missing(what: str) -> None:
    words, said = TRAINING[what]
    here = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=here, capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode("ascii")) == (0, "")
    assert said in done.stdout.decode("ascii")


def test_json_on_such_an_output_keeps_every_letter(printed: Printed, tmp_path) -> None:
    (tmp_path / "student.py").write_text(STUDENT, encoding="utf-8")
    words = ["grade", str(tmp_path / "student.py"), "--seed", "1", "--json", "-"]
    ascii_, cp1252, utf8 = (json.loads(printed(e, lambda: main(words))[1]) for e in ("ascii", "cp1252", "utf-8"))
    assert ascii_ == cp1252 == utf8
    assert "δ" in json.dumps(utf8, ensure_ascii=False)
