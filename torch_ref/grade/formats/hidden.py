"""What runs in a notebook: the hidden test of one formula, and ``%%grade``.

Both grade the source of the cells, not the classes in memory, and by the command in a process of its own: what a
notebook does to torch or to this package has no part in its marks. IPython is not imported but where it runs already.
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch_ref
from torch_ref.grade.formats.cells import FILE, Program, defined, program
from torch_ref.grade.subjects import QUESTIONS_OF


class Shell(Protocol):
    """What is used of IPython's shell."""

    history_manager: Any

    def run_cell(self, raw_cell: str) -> Any:
        """Run a cell; the result's ``success`` tells whether it raised nothing."""

    def register_magic_function(self, func: Any, magic_kind: str = "line", magic_name: str | None = None) -> None:
        """Make a function a magic."""


def register(shell: Shell) -> None:
    """Make ``%%grade`` a magic of a shell."""
    shell.register_magic_function(functools.partial(grade_cell, shell), "cell", "grade")


def grade_cell(shell: Shell, line: str, cell: str) -> None:
    """Run a cell, and grade the classes that it defines; the line takes options: ``%%grade --hints 1``."""
    if not shell.run_cell(cell).success:
        print("%%grade: the cell raises, nothing was graded", file=sys.stderr)
        return
    names = defined(cell, QUESTIONS_OF)
    if not names:
        expected = ", ".join(QUESTIONS_OF)
        print(f"%%grade: expected a cell that defines one of the classes {expected}", file=sys.stderr)
        return
    # The cell is in the history already, with %%grade above it.
    written = program(_run_before(shell), names)
    done = _command(written, ["--only", *names, *shlex.split(line)])
    if done.returncode > 1:
        print(_complaint(done), file=sys.stderr)
    else:
        print(written.placed(done.stdout), end="")


def assert_right(formula: str, options: str = "") -> None:
    """Raise AssertionError, with as much of a hint as the options say, where the notebook's formula is wrong.

    ``formula`` is a class and what it makes, "Linear weight"; ``options`` are words of the command ``grade``. All cells
    that were run so far count.
    """
    shell = import_module("IPython").get_ipython()
    name = formula.partition(" ")[0]
    marks = _marks(program(_run_before(shell), QUESTIONS_OF), options)
    mark = next((m for m in marks if f"{m['class']} {m['makes']}" == formula), None)
    if mark is None:
        raise AssertionError(f"{name} is missing: no cell that was run defines it")
    if mark["points"] < mark["worth"]:
        raise AssertionError(mark["hint"] or mark["remark"] or "wrong")


@functools.lru_cache(1)
def _marks(written: Program, options: str) -> list[dict[str, Any]]:
    """Return the marks of a program; the tests of a notebook share them."""
    if not defined(written.text, QUESTIONS_OF):
        return []
    done = _command(written, ["--json", "-", *shlex.split(options)])
    if done.returncode > 1:
        raise RuntimeError(_complaint(done))
    marks: list[dict[str, Any]] = json.loads(written.placed(done.stdout))["marks"]
    return marks


def _run_before(shell: Shell) -> Sequence[str]:
    cells: Sequence[str] = shell.history_manager.input_hist_raw
    return cells[1:]  # the first is none


def _command(written: Program, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run ``grade`` on a program; it must not find a module of the folder that the notebook lies in."""
    root = str(Path(str(torch_ref.__file__)).parent.parent)
    inherited = os.environ.get("PYTHONPATH", "")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([root, inherited] if inherited else [root]),
        "PYTHONIOENCODING": "utf-8",
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE).write_text(written.text, encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-P", "-m", "torch_ref", "grade", FILE, *words],
            cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of what a command complains of, as of ``%%grade``."""
    last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    return f"%%grade: {last.partition('error: ')[2] or last}"
