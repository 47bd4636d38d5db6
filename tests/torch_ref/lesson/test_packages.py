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


@pytest.mark.long
def test_the_terminal_needs_the_core_alone_and_the_page_one_package_more() -> None:
    """A network number by number with a fault, the digit in tensors, JSON, then the page: in one process."""
    runs = ["--fault random", "--data mnist5k --steps 1", "--json"]
    terminal = "from torch_ref.__main__ import main\nprint([main(['compare', *run.split()]) for run in RUNS])"
    done = without(EXTRAS, f"{terminal.replace('RUNS', repr(runs))}\ndel sys.modules['latex2mathml']\n{WHOLE_PAGE}")
    assert (done.returncode, done.stderr) == (0, "")
    *_, codes, size = done.stdout.splitlines()
    assert codes == "[1, 0, 0]"
    assert int(size) > 100_000


def test_another_package_that_is_missing_is_not_taken_for_it() -> None:
    done = without(("torch",), COMMAND.format("lesson"))
    assert done.returncode == 1
    assert "import of torch halted" in done.stderr.splitlines()[-1]
