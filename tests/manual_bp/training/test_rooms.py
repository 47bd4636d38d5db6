"""The rooms of training: files of a few screens, some of which need no extra. tests/house has the arrows."""

import subprocess
import sys

from places import ROOT

TRAINING = ROOT / "manual_bp" / "training"
NO_EXTRA = (
    "command.networks", "engine.step", "engine.parallel", "images.data", "images.batches", "run.evaluation",
    "run.whole_file",
)  # fmt: skip
EXTRA = ("filelock", "matplotlib", "msgspec", "PIL", "torchvision")
FILES = {path.relative_to(TRAINING).as_posix(): path for path in sorted(TRAINING.rglob("*.py"))}


def test_a_file_can_be_read_on_a_few_screens() -> None:
    lines = {file: len(path.read_text(encoding="utf-8").splitlines()) for file, path in FILES.items()}
    assert {file: count for file, count in lines.items() if count > 250} == {}


def test_what_others_import_needs_no_extra() -> None:
    """The lesson is used where the extra is not installed."""
    modules = ", ".join(f"manual_bp.training.{module}" for module in NO_EXTRA)
    code = f"import sys; sys.modules.update(dict.fromkeys({EXTRA})); import {modules}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
