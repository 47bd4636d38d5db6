"""The rooms of training: files of a few screens. The arrows are in tests/house, and what needs no extra too."""

from places import ROOT

TRAINING = ROOT / "manual_bp" / "training"


def test_a_file_can_be_read_on_a_few_screens() -> None:
    files = {path.relative_to(TRAINING).as_posix(): path for path in sorted(TRAINING.rglob("*.py"))}
    lines = {file: len(path.read_text(encoding="utf-8").splitlines()) for file, path in files.items()}
    assert {file: count for file, count in lines.items() if count > 250} == {}
