"""The pytest plugin, in test sessions of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

TESTS = """
import pytest
import torch
from manual_bp import mlp
from torch_ref import assert_gradients_match, crosscheck
from torch_ref.known.faults import FAULTS

X, T = torch.randn(4, 5), torch.rand(4, 3)

def test_right():
    assert_gradients_match(crosscheck(mlp([5, 4, 3]), X, T))

def test_wrong():
    assert_gradients_match(crosscheck(FAULTS["sigmoid-error-no-slope"].plant(mlp([5, 4, 3]), 1), X, T))

@pytest.mark.parametrize("name", ["a/b", "a b"])
def test_named(name):
    assert_gradients_match(crosscheck(mlp([5, 4, 3]), X, T))

@pytest.fixture
def checked():
    assert_gradients_match(crosscheck(mlp([5, 4, 3]), X, T))

def test_fixture(checked):
    pass

def test_raised_again():
    try:
        test_wrong()
    except AssertionError as error:
        raise RuntimeError("the network is wrong") from error

def test_another_failure():
    assert False, "not about gradients"
"""


def session(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_mine.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    if not plugin_is_installed():
        command += ["-p", "torch_ref.pytest_plugin"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120, check=False
    )


def plugin_is_installed() -> bool:
    from importlib.metadata import entry_points

    return any(entry.value == "torch_ref.pytest_plugin" for entry in entry_points(group="pytest11"))


def test_it_is_an_entry_point() -> None:
    assert plugin_is_installed(), "pip install -e . registers it"


def test_a_failure_shows_verdict_and_table_and_each_report_is_written(tmp_path: Path) -> None:
    outcome = session(tmp_path, "--gradient-report", "reports")
    assert outcome.returncode == 1, outcome.stderr
    section = re.split(r"-+ gradients -+\n", outcome.stdout)[1]
    assert section.startswith("Wrong: δ^1 = σ′(net^1) e^1, σ′ = x^1 (1 − x^1) (E15, with E16), layer 1")
    assert "Likely cause: σ′ is missing." in section
    assert "GUILTY" in section
    assert len(re.findall(r"-+ gradients -+\n", outcome.stdout)) == 2, "of the failure, and of the one raised again"
    assert "test_mine.py:14: gradients differ" in outcome.stdout
    assert "not about gradients" in outcome.stdout
    assert "3 failed, 4 passed" in outcome.stdout
    written = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "reports").iterdir()}
    assert {name: report["ok"] for name, report in written.items()} == {
        "test_mine.py_test_right-1.json": True,
        "test_mine.py_test_wrong-1.json": False,
        "test_mine.py_test_named_a_b-1.json": True,
        "test_mine.py_test_named_a_b-2.json": True,
        "test_mine.py_test_fixture-1.json": True,
        "test_mine.py_test_raised_again-1.json": False,
    }
    assert written["test_mine.py_test_wrong-1.json"]["test"] == "test_mine.py::test_wrong"


@pytest.mark.long
def test_nothing_is_written_unless_asked_for(tmp_path: Path) -> None:
    session(tmp_path, "-k", "right")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["test_mine.py"]


def test_a_folder_that_cannot_be_made_is_named_before_any_test_runs(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    outcome = session(tmp_path, "--gradient-report", "taken")
    assert outcome.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--gradient-report expects a folder that can be written, got taken" in outcome.stderr


@pytest.mark.parametrize("module", ["torch_ref.pytest_plugin", "torch_ref.__main__"])
def test_importing_it_does_not_import_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
