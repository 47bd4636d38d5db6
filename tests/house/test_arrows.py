"""Imports run one way, from room to room as `pyproject.toml` has it, and no two files import each other."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from places import ROOT

PACKAGES = ("manual_bp", "torch_ref", "benchmarks")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


def kept(house: Path, *contracts: str) -> dict[str, bool]:
    """Return which contracts the imports of a checkout keep, by their names; all contracts unless some are named."""
    chosen = [word for contract in contracts for word in ("--contract", contract)]
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    outcome = subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--no-logo", *chosen],
        cwd=house, env=os.environ | {"PYTHONPATH": str(house), "COLUMNS": "200"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    words = {"KEPT": True, "BROKEN": False}
    lines = [line.rpartition(" ") for line in outcome.stdout.splitlines()]
    found = {name: words[word] for name, _, word in lines if word in words}
    assert outcome.returncode == (0 if found and all(found.values()) else 1), outcome.stdout + outcome.stderr
    return found


def test_every_arrow_runs_one_way() -> None:
    assert kept(ROOT) == {contract["name"]: True for contract in CONTRACTS}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources, to plant wrong imports in."""
    house = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, house / package, ignore=lambda _, names: [n for n in names if is_data(n)])
    shutil.copy(ROOT / "pyproject.toml", house)
    return house


def is_data(name: str) -> bool:
    """Tell whether a file or folder is none of Python's sources."""
    return name == "__pycache__" or ("." in name and not name.endswith(".py"))


@pytest.mark.long(but=("core-manual_bp/layer.py", "checker-torch_ref/steps", "circles-manual_bp", "script"))
@pytest.mark.parametrize(
    ("contract", "file", "wrong"),
    [
        ("house", "manual_bp/layer.py", "import torch_ref"),
        ("house", "torch_ref/numbers/differences.py", "import benchmarks.cases"),
        ("script", "torch_ref/__main__.py", "import train"),
        ("core", "manual_bp/layer.py", "import manual_bp.linear"),
        ("core", "manual_bp/loss.py", "import manual_bp.training.images.data"),
        ("training", "manual_bp/training/engine/step.py", "import manual_bp.training.run.run"),
        ("training", "manual_bp/training/images/idx.py", "import manual_bp.training.engine.step"),
        ("checker", "torch_ref/steps/step.py", "import torch_ref.verdict.judge"),
        ("checker", "torch_ref/verdict/judge.py", "import torch_ref.check.network"),
        ("checker", "torch_ref/trial/trial.py", "import torch_ref.grade.grader"),
        ("known", "torch_ref/check/network.py", "import torch_ref.known"),
        ("known", "torch_ref/autograd/mirrored.py", "import torch_ref.known"),
        ("lesson", "torch_ref/lesson/walk/steps.py", "import torch_ref.lesson.page.data"),
        ("circles", "manual_bp/layer.py", "def f():\n    import manual_bp.network"),
        ("circles", "benchmarks/cases.py", "import benchmarks.contenders.floor"),
    ],
)
@pytest.mark.long(but=("core-manual_bp/layer.py", "checker-torch_ref/steps"))
def test_a_wrong_import_is_seen(copy: Path, contract: str, file: str, wrong: str) -> None:
    source = (copy / file).read_text(encoding="utf-8")
    (copy / file).write_text(f"{source}\n{wrong}\n", encoding="utf-8")
    try:
        assert list(kept(copy, contract).values()) == [False]
    finally:
        (copy / file).write_text(source, encoding="utf-8")


@pytest.mark.parametrize(("contract", "room"), [("checker", "torch_ref"), ("training", "manual_bp/training")])
def test_a_new_room_has_to_be_given_its_place(copy: Path, contract: str, room: str) -> None:
    (new := copy / room / "attic").mkdir()
    (new / "__init__.py").touch()
    try:
        assert list(kept(copy, contract).values()) == [False]
    finally:
        shutil.rmtree(new)
