"""The rooms of the lesson: which of them uses which, and which packages each needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest
from places import ROOT

LESSON = ROOT / "torch_ref" / "lesson"
ROOMS = {"walk": {"walk"}, "terminal": {"terminal", "walk"}, "page": {"page", "walk"}}
BEYOND_THE_CORE = {"matplotlib", "PIL", "filelock", "torchvision", "tensorboard"}

PROGRAM = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
from torch_ref.__main__ import main
sys.exit(main({arguments!r}))
"""


def imports() -> Iterator[tuple[str, str]]:
    """Yield who imports whom in the lesson, inside of functions too: ('walk.both', 'walk.examples')."""
    for file in LESSON.rglob("*.py"):
        name = ".".join(file.relative_to(LESSON).with_suffix("").parts)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torch_ref.lesson."):
                within = node.module.removeprefix("torch_ref.lesson.")
                is_room = (LESSON / within.replace(".", "/")).is_dir()
                yield from ((name, f"{within}.{one.name}" if is_room else within) for one in node.names)


def test_terminal_and_page_use_the_walk_and_not_each_other() -> None:
    found = set(imports())
    assert len(found) > 40
    for one, other in found:
        room, used = one.partition(".")[0], other.partition(".")[0]
        assert used in ROOMS[room], f"{one} imports {other}"


def test_no_two_files_import_each_other() -> None:
    imported = set(imports())
    while True:  # who is imported by whom, through others too
        further = {(a, d) for a, b in imported for c, d in imported if b == c} - imported
        if not further:
            break
        imported |= further
    assert [one for one, other in imported if one == other] == []


def test_the_files_of_the_lesson_are_of_a_size_to_be_read() -> None:
    lengths = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in LESSON.rglob("*.py")}
    del lengths["notebook.py"]  # a lecture, read from start to end
    assert max(lengths.values()) <= 250, lengths


def without(hidden: set[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command where some packages are not installed."""
    program = PROGRAM.format(hidden=hidden, arguments=list(arguments))
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", ["--json", "--data mnist5k --steps 1", "--fault random", "--on-paper"])
def test_the_terminal_needs_no_more_than_the_core(arguments: str) -> None:
    done = without(BEYOND_THE_CORE | {"latex2mathml"}, "compare", *arguments.split())
    assert done.returncode == (1 if "fault" in arguments else 0), done.stderr
    assert done.stderr == ""


def test_the_page_needs_one_package_more_and_says_so(tmp_path) -> None:
    done = without({"latex2mathml"}, "lesson", "--out", str(tmp_path / "lesson.html"))
    assert done.returncode == 2
    said = "expects latex2mathml, which writes its formulas: pip install 'manual-bp[lesson]'"
    assert done.stderr == f"python -m torch_ref lesson: {said}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_page_needs_nothing_else(tmp_path) -> None:
    done = without(BEYOND_THE_CORE, "lesson", "--out", str(tmp_path / "lesson.html"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "lesson.html").stat().st_size > 100_000
