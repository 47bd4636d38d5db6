"""The rooms of training: arrows run one way, no two files import each other, some files need no extra."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

TRAINING = ROOT / "manual_bp" / "training"
KNOWS = {
    "engine": set(),
    "images": set(),
    "run": {"engine", "images"},
    "command": {"engine", "images", "run"},
}
NO_EXTRA = (
    "command.networks", "engine.step", "engine.parallel", "images.data", "images.batches", "run.evaluation",
    "run.whole_file",
)  # fmt: skip
EXTRA = ("filelock", "matplotlib", "msgspec", "PIL", "torchvision")
FILES = {path.relative_to(TRAINING).as_posix(): path for path in sorted(TRAINING.rglob("*.py"))}


def imported(path: Path) -> set[str]:
    """Return the modules of training that a file imports, below its room too: 'run/checkpoint', ..."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("manual_bp.training."):
            module = node.module.removeprefix("manual_bp.training.").replace(".", "/")
            for name in [f"{module}/{alias.name}" for alias in node.names] + [module]:
                found |= {name} & {file.removesuffix(".py") for file in FILES}
    return found


@pytest.mark.parametrize("file", [file for file in FILES if "/" in file])
def test_a_file_knows_its_own_room_and_those_below(file: str) -> None:
    room = file.partition("/")[0]
    assert {module.partition("/")[0] for module in imported(FILES[file])} <= KNOWS[room] | {room}


def test_no_two_files_import_each_other() -> None:
    arrows = {file.removesuffix(".py"): imported(path) for file, path in FILES.items()}
    while leaves := [file for file, others in arrows.items() if not others & arrows.keys()]:
        for file in leaves:
            del arrows[file]
    assert arrows == {}


def test_a_file_can_be_read_on_a_few_screens() -> None:
    lines = {file: len(path.read_text(encoding="utf-8").splitlines()) for file, path in FILES.items()}
    assert {file: count for file, count in lines.items() if count > 250} == {}


@pytest.mark.parametrize("module", NO_EXTRA)
def test_what_others_import_needs_no_extra(module: str) -> None:
    """The lesson is used where the extra is not installed."""
    code = f"import sys; sys.modules.update(dict.fromkeys({EXTRA})); import manual_bp.training.{module}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
