"""The notebook runs as a script, its exercises are marked, and the .ipynb beside it is made from the script."""

import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
from places import ROOT

from manual_bp import mlp
from torch_ref import crosscheck
from torch_ref.lesson.marking import EXERCISES, OPEN, RIGHT

SCRIPT = Path("torch_ref/lesson/notebook.py")
NOTEBOOK = SCRIPT.with_suffix(".ipynb")
TEXT = (ROOT / SCRIPT).read_text(encoding="utf-8")

LINES = (  # regular expressions
    r"net\^1_1 = .* = 4    x\^1_1 = σ\(4\) = 0\.98",
    r"f\(1\.0, -1\.0\) = \(0\.617705, 0\.829124\)   on the slides \(0\.62, 0\.83\)",
    r"∂L/∂W\^1_11 +0\.000929 +0\.000945  0\.0027·0\.35",
    r"∂L/∂W\^2_11 +0\.027674 +0\.0276  0\.0406·0\.68",
    r"W\^2_12 after +0\.872998 +0\.8731  0\.9 − 0\.0269",
    r"∂L/∂W\^1 +(0\.000929\d+) +\1 +0 ulp",
    r"Right: all 15 quantities are identical to the last bit, and finite differences\nconfirm 9 gradients\.",
    r"L = 0\.018104 at first, 0\.016565 after one update",
    r"epoch 4: 9\d\.\d% of the test digits are right",
    r"Wrong: δ\^2, layer 2, Softplus\.backward at .*notebook\.py:\d+\.",
    r"Likely cause: the derivative is missing: the error came through unchanged\.",
    r"Right: all 15 quantities agree; \d+ differ by rounding, .* finite differences confirm 9 gradients\.",
)

ANSWERS = (
    "0.12",
    "23820",
    "1.61",
    "2 * sigmoid(s)",
    "0.022",
    "sum(w * d for w, d in zip(weights, deltas))",
    "-delta.T @ x",
    "torch.autograd.grad(loss, net)[0]",
    "w - eta * gradient",
    "net.softmax(1) - t",
    "torch.where(saved > 0, error, 0.1 * error)",
)


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Run a command in a folder, with this Python's own commands first; return what it printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = os.environ | {"PATH": path} | environment
    done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def printed() -> str:
    """What the script prints, run in this process; with answers filled in it runs in one of its own."""
    torch.set_num_threads(1)  # threads that wait for each other are slow on a busy machine
    with redirect_stdout(io.StringIO()) as out:
        runpy.run_path(str(ROOT / SCRIPT), run_name="__main__")
    return out.getvalue()


def test_the_script_prints_the_lecture_and_the_verdicts(printed: str) -> None:
    assert not [line for line in LINES if not re.search(line, printed)]


def test_the_verdict_points_at_the_line_with_the_mistake(printed: str) -> None:
    (line,) = set(re.findall(r"Softplus\.backward at .*notebook\.py:(\d+)", printed))
    assert "def backward" in TEXT.splitlines()[int(line) - 1]


def test_every_equation_of_the_lecture_comes_up() -> None:
    assert {int(n) for n in re.findall(r"\(E(\d+)\)", TEXT)} == set(range(1, 18))


def test_every_part_has_its_exercise_and_nothing_filled_in_is_no_error(printed: str) -> None:
    parts = re.findall(r"^# ## (\d+)\. |^# \*\*Exercise (\d+)\.\*\* ", TEXT, flags=re.MULTILINE)
    assert parts == [pair for n in range(1, 12) for pair in ((str(n), ""), ("", str(n)))]
    assert re.findall(r"^Exercise (\d+)\. (.*)$", printed, flags=re.MULTILINE) == [(str(n), OPEN) for n in range(1, 12)]
    assert re.findall(r"marking\.(\w+)\.mark\(", TEXT) == list(EXERCISES)


@pytest.mark.long
def test_answers_that_are_filled_in_are_marked(tmp_path: Path) -> None:
    """The odd exercises with a right answer, the even ones with a wrong one: ten blanks, and one None in a tuple."""
    blanks = re.compile(r"(?<== )None$|(?<=    return )None(?=$|, \{\})", flags=re.MULTILINE)
    answers = iter(ANSWERS)
    filled = tmp_path / "filled.py"
    filled.write_text(blanks.sub(lambda _: next(answers), TEXT), encoding="utf-8")
    assert next(answers, "all used") == "all used"
    printed = run([sys.executable, str(filled)], ROOT, OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    marks = re.findall(r"^Exercise \d+\. (.*)$", printed, flags=re.MULTILINE)
    assert marks[::2] == [RIGHT] * 6
    assert all(mark.startswith("Wrong: ") for mark in marks[1::2])
    assert marks[5] == "Wrong: σ′ is missing: this is the error, the sum of E14."
    assert marks[9] == "Wrong: the sign: δ is t − y."


def test_the_first_cell_welcomes_a_reader() -> None:
    first = "".join(json.loads((ROOT / NOTEBOOK).read_text(encoding="utf-8"))["cells"][0]["source"])
    assert first.startswith("# Backpropagation, in code\n\nWelcome.")
    assert not re.search(r"jupytext|pip install|script|kernel", first)


@pytest.mark.skipif(shutil.which("sed") is None, reason="the notebook's command needs sed")
def test_the_notebook_is_what_its_command_makes_of_the_script(tmp_path: Path) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^```sh\n(jupytext .+?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / SCRIPT).parent.mkdir(parents=True)
    (tmp_path / SCRIPT).write_text(TEXT, encoding="utf-8")
    run(["sh", "-c", command], tmp_path)
    assert (tmp_path / NOTEBOOK).read_bytes() == (ROOT / NOTEBOOK).read_bytes(), f"run again: {command}"


def test_the_notebook_has_no_outputs_and_no_random_ids() -> None:
    notebook = json.loads((ROOT / NOTEBOOK).read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 4)
    assert not any("id" in cell or cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])


def test_a_report_is_text_inside_a_notebook_too(monkeypatch: pytest.MonkeyPatch) -> None:
    x, t = torch.rand(3, 4), torch.rand(3, 2)
    report = crosscheck(mlp([4, 2]), x, t)
    outside = str(report)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)  # rich would display the table and return nothing
    assert str(report) == outside
    assert "net^1" in outside
