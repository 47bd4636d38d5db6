"""Which packages the lesson's commands need: the terminal the core alone, the page one more."""

from __future__ import annotations

import subprocess
import sys

import pytest
from places import ROOT

EXTRAS = ("matplotlib", "PIL", "filelock", "torchvision", "tensorboard", "latex2mathml")
COMMAND = "from torch_ref.__main__ import main; sys.exit(main({!r}.split()))"
WHOLE_PAGE = """
from torch_ref.lesson.page.build import page
from torch_ref.lesson.page.data import page_data
print(len(page(page_data())))
"""


def without(hidden: tuple[str, ...], program: str) -> subprocess.CompletedProcess[str]:
    """Run a program where some packages are not installed."""
    program = f"import sys; sys.modules.update(dict.fromkeys({hidden}))\n{program}"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("arguments", "code"), [("--json", 0), ("--data mnist5k --steps 1", 0), ("--fault random", 1)])
def test_the_terminal_needs_no_more_than_the_core(arguments: str, code: int) -> None:
    done = without(EXTRAS, COMMAND.format(f"compare {arguments}"))
    assert (done.returncode, done.stderr) == (code, "")


def test_the_page_needs_one_package_more_and_no_other() -> None:
    done = without(tuple(name for name in EXTRAS if name != "latex2mathml"), WHOLE_PAGE)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 100_000


def test_where_that_package_is_missing_one_line_says_so(tmp_path) -> None:
    done = without(("latex2mathml",), COMMAND.format(f"lesson --out {tmp_path}/lesson.html"))
    line = "python -m torch_ref lesson: latex2mathml is not installed: pip install 'manual-bp[lesson]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
    assert list(tmp_path.iterdir()) == []


def test_another_package_that_is_missing_is_not_taken_for_it() -> None:
    done = without(("torch",), COMMAND.format("lesson"))
    assert done.returncode == 1
    assert "import of torch halted" in done.stderr.splitlines()[-1]
