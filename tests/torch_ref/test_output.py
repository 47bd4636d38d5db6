"""Every command and every printed report works where the output has only ASCII or cp1252."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.places import ROOT

TEMPLATE = ("-m", "torch_ref", "grade", "--template")
REPORT = """
import torch, manual_bp, torch_ref
class Wrong(manual_bp.Sigmoid):
    def backward(self, error, saved):
        return error * saved, {}
network = manual_bp.Network((manual_bp.Linear(torch.randn(3, 5)), Wrong()), manual_bp.SquaredError())
print(torch_ref.crosscheck(network, torch.randn(4, 5), torch.rand(4, 3)))
"""
COMMANDS = {
    "compare": (("-m", "torch_ref", "compare"), 0, "delta"),
    "compare --fault": (("-m", "torch_ref", "compare", "--fault", "random"), 1, "delta"),
    "lesson": (("-m", "torch_ref", "lesson", "--out", "{tmp}/∂.html"), 0, "u2202.html"),
    "faults": (("-m", "torch_ref", "faults", "--help"), 0, "faults"),
    "grade": (("-m", "torch_ref", "grade", "{tmp}/student.py", "--seed", "1"), 1, "delta"),
    "train.py": (("train.py", "--dry-run"), 0, "dry run"),
    "train.py --help": (("train.py", "--help"), 0, "usage"),
    "train": (("-m", "torch_ref", "train", "--dry-run"), 0, "dry run"),
    "report": (("-c", REPORT), 0, "delta^1"),
}


def run(words: tuple[str, ...], **environment: str) -> subprocess.CompletedProcess[bytes]:
    here = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | environment
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=here, capture_output=True, check=False)


@pytest.mark.parametrize("what", COMMANDS)
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_command_prints_where_letters_are_missing(what: str, encoding: str, tmp_path) -> None:
    words, code, said = COMMANDS[what]
    if "student" in " ".join(words):
        (tmp_path / "student.py").write_bytes(run(TEMPLATE, PYTHONIOENCODING="utf-8").stdout)
    done = run(tuple(word.replace("{tmp}", str(tmp_path)) for word in words), PYTHONIOENCODING=encoding)
    assert done.returncode == code, done.stderr.decode(encoding)
    out = done.stdout.decode(encoding)
    assert said in out or (what == "compare" and "δ" not in out)
    assert "Traceback" not in done.stderr.decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_json_on_such_an_output_keeps_every_letter(encoding: str, tmp_path) -> None:
    (tmp_path / "student.py").write_bytes(run(TEMPLATE, PYTHONIOENCODING="utf-8").stdout)
    words = ("-m", "torch_ref", "grade", str(tmp_path / "student.py"), "--seed", "1", "--json", "-")
    there, here = (json.loads(run(words, PYTHONIOENCODING=e).stdout.decode(e)) for e in (encoding, "utf-8"))
    assert there == here
