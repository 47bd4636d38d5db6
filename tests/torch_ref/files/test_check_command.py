"""`python -m torch_ref check FILE`: what it prints, and the exit code that a script reads."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from places import ROOT

from torch_ref.__main__ import main

Checked = Callable[..., tuple[int, str, str]]

LINEAR = """
import torch


def linear_forward(x, w, b):
    return x @ w.T + b


def linear_backward(d_y, x, w, b):
    return d_y @ w, d_y.T @ x, d_y.{}(0)
"""
SHAPES = ("--shape", "x=4,5", "--shape", "w=3,5", "--shape", "b=3")
CUBE = """
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, d_y):
        return d_y * 3 * ctx.saved_tensors[0] ** 2
"""


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Checked:
    """Write a file, check it with some options, and return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def check(code: str | bytes, *options: str, power: bool = False) -> tuple[int, str, str]:
        Path("mine.py").write_bytes(code if isinstance(code, bytes) else code.encode())
        capsys.readouterr()
        try:
            found = main(["check", "mine.py", *options, *([] if power else ["--no-power"])])
        except SystemExit as stop:
            found = int(str(stop.code))
        return found, *capsys.readouterr()

    return check


def test_all_right_exits_with_0_and_says_at_what(checked: Checked) -> None:
    code, out, err = checked(LINEAR.format("sum"), *SHAPES, power=True)
    assert (code, err) == (0, "")
    assert out.splitlines()[:4] == [
        "linear",
        "------",
        "linear_forward and linear_backward (mine.py:9), at x 4 x 5, w 3 x 5, b 3.",
        "Compared with autograd through linear_forward itself.",
    ]
    assert "\nRight: all 4 quantities" in out
    assert "Power: " in out
    assert out.endswith("\n\n1 of 1 right.\n")


def test_a_wrong_formula_exits_with_1_and_is_named(checked: Checked) -> None:
    code, out, _ = checked(LINEAR.format("mean"), *SHAPES)
    assert code == 1
    assert "Wrong: gradient of b, linear_backward at mine.py:9.\nLikely cause: a factor of 1/N (N = 4?)." in out
    assert "Power" not in out
    assert out.endswith("0 of 1 right; wrong: linear.\n")


def test_each_has_its_verdict_and_the_table_is_asked_for(checked: Checked) -> None:
    source = LINEAR.format("mean") + CUBE
    code, out, _ = checked(source, *SHAPES, "--table")
    assert code == 1
    assert "\ngradient of b  -   3" in out
    assert out.index("linear\n------\n") < out.index("Cube\n----\n") < out.index("1 of 2 right; wrong: linear.")
    assert "GUILTY" not in checked(source, *SHAPES)[1]


def test_names_choose_what_is_checked(checked: Checked) -> None:
    source = LINEAR.format("mean") + CUBE
    assert checked(source, "Cube", "--shape", "x=4,5")[0] == 0
    assert checked(source, "linear_backward", *SHAPES)[1].endswith("0 of 1 right; wrong: linear.\n")
    code, out, err = checked(source, "cube")
    assert (code, out) == (2, "")
    assert err.endswith(" check: mine.py: nothing to check that is called cube: there is linear, Cube\n"), err


def test_what_is_imported_is_checked_where_it_is_named(checked: Checked, tmp_path: Path) -> None:
    (tmp_path / "cubes_of_a_test.py").write_text(f"import torch\n{CUBE}")
    source = f"from cubes_of_a_test import Cube\n{LINEAR.format('sum')}"
    assert checked(source, *SHAPES)[1].endswith("\n1 of 1 right.\n")
    assert checked(source, "Cube", "--shape", "x=3")[1].startswith("Cube\n")


def test_missing_inputs_are_named_with_a_command_that_can_be_typed(checked: Checked) -> None:
    code, out, _ = checked(LINEAR.format("sum"), "--shape", "b=3")
    assert code == 1
    assert "Not checked: nothing gives its inputs x, w.\nGive shapes as below, or write make_inputs():\n" in out
    typed = (
        out.split("Give shapes as below, or write make_inputs():\n")[1].split("\n\n")[0].replace("\\\n", " ").split()
    )
    start = typed.index("check")
    assert typed[start:] == ["check", "mine.py", "linear", "--shape", "b=3", "--shape", "x=4,5", "--shape", "w=3,5"]
    assert main(typed[start:]) == 0


def test_an_input_that_nothing_takes_is_an_error(checked: Checked) -> None:
    code, out, err = checked(LINEAR.format("sum"), *SHAPES, "--shape", "gain=3")
    assert (code, out) == (2, "")
    assert "nothing that is checked takes an input gain: the inputs are x, w, b" in err


def test_json_is_alone_on_standard_output(checked: Checked) -> None:
    code, out, err = checked(f"print('seen')\n{LINEAR.format('mean')}", *SHAPES, "--json", "-")
    assert (code, err) == (1, "seen\n")
    found = json.loads(out)
    assert found["ok"] is False
    (one,) = found["checked"]
    assert (one["name"], one["outcome"], one["inputs"]["w"]) == ("linear", "wrong", "3 x 5")
    assert one["source"] == "mine.py:10"
    assert one["report"]["rows"][-1]["code"] == "factor"


def test_json_goes_to_a_file_beside_the_text(checked: Checked) -> None:
    code, out, _ = checked(LINEAR.format("sum"), "--json", "outcome.json")
    assert code == 1
    assert "Not checked" in out
    (one,) = json.loads(Path("outcome.json").read_text(encoding="utf-8"))["checked"]
    assert (one["ok"], one["outcome"], one["report"]) == (False, "not checked", None)
    assert one["reason"] == "nothing gives its inputs x, w, b"
    code, _, err = checked(LINEAR.format("sum"), *SHAPES, "--json", "nowhere/outcome.json")
    assert code == 2
    assert err.endswith(" check: nowhere/outcome.json: No such file or directory\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--shape x", "expected NAME=SIZES, as in x=4,5, got 'x'"),
        ("--shape x=4,", "expected whole numbers from 1, with commas, as in 4,5, got '4,'"),
        ("--shape x=0,5", "expected whole numbers from 1, with commas, as in 4,5, got '0,5'"),
        ("--shapes 4 99999999999", "expected whole numbers from 1, with commas, as in 4,5, got '99999999999'"),
        ("--indices t=4", "expected NAME=SIZES:CLASSES, as in t=4:10, got 't=4'"),
        ("--indices t=4:0", "expected NAME=SIZES:CLASSES, as in t=4:10, got 't=4:0'"),
        ("--seed -1", "expected a whole number from 0 to 4294967295, got '-1'"),
        ("--seed 4294967296", "expected a whole number from 0 to 4294967295, got '4294967296'"),
        ("--value eps", "expected NAME=VALUE, as in eps=1e-5, got 'eps'"),
    ],
)
def test_an_option_says_what_it_expects(options: str, said: str, checked: Checked) -> None:
    code, _, err = checked(LINEAR.format("sum"), *options.split())
    assert code == 2
    assert said in err


@pytest.mark.long
def test_a_pipe_gets_80_columns_of_plain_ascii(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(LINEAR.format("mean").replace("linear", "größe"), encoding="utf-8")
    words = [sys.executable, "-m", "torch_ref", "check", "mine.py", *SHAPES, "--table"]
    here = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, cwd=tmp_path, env=here, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert max(map(len, done.stdout.decode("ascii").splitlines())) <= 80
    assert done.stdout.startswith(b"gr\\xf6\\xdfe\n")
