"""A file is run as Python would run it; what cannot be run is said in one line, with the line of the file."""

import io
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from torch_ref.__main__ import main

TWICE = """
def twice_forward(x):
    return 2 * x


def twice_backward(d_y, x):
    return 2 * d_y
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1\ndef f(:\n    pass\n", "work/mine.py:2 is not Python: invalid syntax, in: def f(:"),
        ('x = "\udce9"\n', "work/mine.py:1 is not Python: (unicode error)"),
        ("x = 1\0\n", "work/mine.py is not Python: source code string cannot contain null bytes"),
        ("x = 1\nfrom nowhere_to_be_found import f\n", "work/mine.py:2 raises ModuleNotFoundError: No module named"),
        ("def f():\n    return {}['k']\nf()\n", "work/mine.py:2 raises KeyError: 'k', in: return {}['k']"),
        ("import sys\nsys.exit(3)\n", "work/mine.py:2 ends the program (SystemExit: 3) where it is read"),
        ("x = 1\n", "work/mine.py: nothing to check: expected functions NAME_forward and NAME_backward"),
        ("def forward(x):\n    return x\n", "work/mine.py: nothing to check"),
        ("from torch.nn.functional import relu\n", "work/mine.py: nothing to check"),
    ],
)
def test_what_cannot_be_run_is_one_line(code: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_bytes(code.encode("utf-8", "surrogateescape"))
    assert main(["check", "work/mine.py"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert f" check: {said}" in err


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere.py", "nowhere.py: No such file or directory"),
        ("work", "work is a folder: give a file"),
        ("work/mine.ipynb", "work/mine.ipynb is a notebook: write %load_ext torch_ref in a cell"),
    ],
)
def test_what_is_no_file_says_what_it_is(
    path: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", path]) == 2
    assert f" check: {said}" in capsys.readouterr().err


def test_a_file_sees_what_it_would_see_on_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "beside_the_file.py").write_text("SIZE = 3\n")
    (folder / "numbers.txt").write_text("1 2 3")
    code = """
import os, sys
from pathlib import Path
import torch
from beside_the_file import SIZE
print(sys.argv, sys.path[0], os.getcwd())
x = torch.tensor([float(n) for n in Path(__file__).with_name("numbers.txt").read_text().split()][:SIZE])
os.chdir("work")
if __name__ == "__main__":
    raise AssertionError
"""
    (folder / "mine.py").write_text(code + TWICE)
    before = sys.argv, sys.path, Path.cwd()
    assert main(["check", "work/mine.py", "--json", "outcome.json"]) == 0
    out, err = capsys.readouterr()
    assert err == f"{['work/mine.py']} {folder} {folder.parent}\n"
    assert "1 of 1 right." in out
    assert (sys.argv, sys.path, Path.cwd()) == before
    assert (folder.parent / "outcome.json").is_file()


def test_a_file_may_have_the_name_of_a_module_and_dataclasses(folder: Path) -> None:
    code = """from __future__ import annotations
from dataclasses import dataclass
import torch
@dataclass(frozen=True)
class Shift:
    by: torch.Tensor
    def forward(self, x):
        return x + self.by, None
    def backward(self, error, saved):
        return error, {"by": -error.sum(0)}
"""
    (folder / "random.py").write_text(code)
    assert main(["check", "work/random.py", "--shape", "x=4,5", "--shape", "by=5"]) == 0
    import random

    assert hasattr(random, "getstate")


def test_a_source_in_another_encoding_is_read_as_it_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "# -*- coding: latin-1 -*-\n" + TWICE.replace("twice", "zw\xf6lf")
    (folder / "mine.py").write_bytes(code.encode("latin-1"))
    assert main(["check", "work/mine.py", "--shapes", "3"]) == 0
    assert capsys.readouterr().out.startswith("zwölf\n")


def test_a_dash_reads_standard_input(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = TWICE.replace("2 * d_y", "3 * d_y")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(code.encode())))
    assert main(["check", "-", "--shapes", "3"]) == 1
    assert "Wrong: gradient of x, twice_backward at <stdin>:6." in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x = 1\nx.y\n")))
    assert main(["check", "-"]) == 2
    assert "<stdin>:2 raises AttributeError: 'int' object has no attribute 'y', in: x.y" in capsys.readouterr().err


def test_what_a_file_changes_for_all_code_is_put_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)\ntorch.manual_seed(3)\n"
    code += "import numpy as np, warnings\nnp.seterr(all='raise')\nwarnings.simplefilter('ignore')\n"
    (folder / "mine.py").write_text(code + TWICE)
    state, filters, errors = torch.get_rng_state(), warnings.filters[:], np.geterr()
    assert main(["check", "work/mine.py", "--shape", "x=3"]) == 0
    assert "at x 3 of float64." in capsys.readouterr().out
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)
    assert (warnings.filters, np.geterr()) == (filters, errors)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError(x.sum())", "raises KeyError"),
        ("return x @ x", "work/mine.py:3 raises RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
        ("return [3]", "expects the reference to return tensors, got list of int"),
        ("raise SystemExit(2)", "work/mine.py:3 raises SystemExit: 2, in: raise SystemExit(2)"),
    ],
)
def test_a_forward_that_fails_is_not_checked(
    body: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.py").write_text(TWICE.replace("return 2 * x", body))
    assert main(["check", "work/mine.py", "--shape", "x=4,5"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert f"Not checked: {said}" in out or said in out
    assert out.endswith("0 of 1 right; not checked: twice.")


def test_a_backward_that_fails_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_text(TWICE.replace("return 2 * d_y", "raise SystemExit(0)"))
    assert main(["check", "work/mine.py", "--shape", "x=4,5"]) == 1
    assert "raises SystemExit" in capsys.readouterr().out


def test_what_a_formula_prints_goes_to_standard_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_text(TWICE.replace("return 2 * x", "print('forward', end=os.linesep); return 2 * x"))
    (folder / "mine.py").write_text(f"import os{(folder / 'mine.py').read_text()}")
    assert main(["check", "work/mine.py", "--shape", "x=4,5", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("{")
    assert set(err.split(os.linesep)) == {"forward", ""}
