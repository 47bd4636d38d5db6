"""`%%check` and `%check`, in a shell that has of IPython's what they use."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from places import ROOT

import torch_ref
from torch_ref.files.outcome import Outcomes

CELL = """
def linear_forward(x, w):
    return x @ w
def linear_backward(d_y, x, w):
    return d_y @ w.T, x.T @ d_y * 2
"""


class Shell:
    """Runs a cell as a notebook does, in the names of ``__main__``."""

    def __init__(self) -> None:
        self.user_ns = {"__name__": "__main__"}
        self.magics = {}
        self.cells = 0
        torch_ref.load_ipython_extension(self)
        self.run_cell("import torch")

    def register_magic_function(self, func, magic_kind="line", magic_name=None) -> None:
        self.magics[magic_kind, magic_name] = func

    def run_cell(self, raw_cell: str) -> SimpleNamespace:
        self.cells += 1
        try:
            exec(compile(raw_cell, f"<cell {self.cells}>", "exec"), self.user_ns)
        except Exception:  # of a cell
            return SimpleNamespace(success=False)
        return SimpleNamespace(success=True)

    def line(self, line: str) -> Outcomes | None:
        return self.magics["line", "check"](line)

    def cell(self, line: str, cell: str) -> Outcomes | None:
        return self.magics["cell", "check"](line, cell)


@pytest.fixture
def shell() -> Shell:
    return Shell()


def test_a_cell_is_run_and_checked_with_the_variables_of_the_notebook(shell: Shell) -> None:
    shell.run_cell("x, w = torch.randn(4, 5), torch.randn(5, 3)")
    found = shell.cell("--no-power", CELL)
    assert not found.ok
    assert found.summary == "0 of 1 right; wrong: linear."
    html = found._repr_html_()
    assert "<h4>linear</h4><p>linear_forward and linear_backward (&lt;cell 3&gt;:4), at x 4 x 5, w 5 x 3." in html
    assert "Likely cause: a factor of 2." in html
    assert "<table" in html
    assert "Likely cause: a factor of 2." in repr(found)
    assert shell.user_ns["linear_forward"].__name__ == "linear_forward"


def test_a_cell_is_checked_for_what_it_defines_alone(shell: Shell) -> None:
    shell.run_cell(CELL)
    other = "def half(x):\n    return x / 2\ndef half_backward(d_y, x):\n    return d_y / 2\n"
    assert [one.name for one in shell.cell("--shape x=4,5", other).of] == ["half"]
    backward = "def linear_backward(d_y, x, w):\n    return d_y @ w.T, x.T @ d_y\n"
    assert shell.cell("--shape x=4,5 --shape w=5,3", backward).ok
    assert [one.name for one in shell.line("--shape x=4,5 --shape w=5,3").of] == ["linear", "half"]
    assert [one.name for one in shell.line("half --shape x=4,5").of] == ["half"]


def test_missing_inputs_are_given_to_the_line_magic(shell: Shell) -> None:
    html = shell.cell("", CELL)._repr_html_()
    assert "<p>Not checked: nothing gives its inputs x, w. Give shapes as below, or write make_inputs():</p>" in html
    assert "<pre>    %check linear --shape x=4,5 --shape w=5,3</pre>" in html


def test_a_line_of_a_cell_that_raises_is_named(shell: Shell) -> None:
    found = shell.cell("--shape x=4,5", "def half(x):\n    return x @ x\ndef half_backward(d_y, x):\n    return d_y\n")
    assert found.of[0].reason.startswith("<cell 2>:2 raises RuntimeError: mat1 and mat2")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nothing_of_this_name", "%check: nothing to check that is called nothing_of_this_name: there is linear"),
        ("--shape x", "%check: argument --shape: expected NAME=SIZES, as in x=4,5, got 'x'"),
        ("--shape gain=3", "%check: nothing that is checked takes an input gain: the inputs are x, w"),
        ("linear '", "%check: No closing quotation"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    line: str, said: str, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell(CELL)
    assert shell.line(line) is None
    assert capsys.readouterr() == ("", f"{said}\n")


def test_a_cell_that_raises_is_not_checked(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.cell("", f"{CELL}\n1 / 0") is None
    assert capsys.readouterr().err == "%%check: the cell raises, nothing was checked\n"
    assert shell.cell("", "y = 1") is None
    assert capsys.readouterr().err.startswith("%%check: nothing to check: expected functions")


def test_help_is_printed(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.line("--help") is None
    assert "--shape NAME=SIZES" in capsys.readouterr().out


def test_the_package_imports_nothing_for_the_magics_before_they_are_loaded() -> None:
    code = "import sys, torch_ref; torch_ref.load_ipython_extension; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
