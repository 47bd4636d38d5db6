"""The grader: five student files, every way in which a file can go wrong, and what cannot be had for nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import students
import torch
from students import changed, write

from torch_ref.__main__ import main
from torch_ref.grade import template as template_module
from torch_ref.grade.drawn import points
from torch_ref.grade.grader import grade
from torch_ref.grade.grading import Grading
from torch_ref.grade.process import Limits
from torch_ref.grade.unusable import UnusableFileError

TEMPLATE = Path(template_module.__file__).read_text(encoding="utf-8")
UNIMPORTED = "student.py cannot be imported"
ONLY = ("--only", "Sigmoid", "Tanh")
LINEAR = ["Linear net", "Linear e", "Linear ∂L/∂W", "Linear ∂L/∂b"]


def graded(folder: Path, source: str, **given) -> Grading:
    return grade(write(folder, source), seed=7, **given)


def marked(grading: Grading) -> dict[str, str]:
    """Return the code of every formula that lost its point."""
    return {str(mark.of): mark.code for mark in grading.marks if not mark.earned}


def remarks(grading: Grading) -> dict[str, str]:
    """Return the remark on every formula that lost its point."""
    return {str(mark.of): mark.remark for mark in grading.marks if not mark.earned}


def hint(grading: Grading, formula: str) -> str:
    return next(mark.hint for mark in grading.marks if str(mark.of) == formula)


# -------------------------------------------------------------------------------------------- the five student files


def test_a_right_file_gets_full_marks(tmp_path, capsys) -> None:
    code = main(["grade", str(write(tmp_path, students.RIGHT)), "--seed", "7"])
    printed = capsys.readouterr().out
    assert code == 0
    assert printed.endswith("16 of 16 points; 6 of 6 classes found; --seed 7 repeats this.\n")
    assert "Wrong" not in printed


def test_a_missing_slope_costs_that_formula_only(tmp_path, capsys) -> None:
    file, out = write(tmp_path, students.MISSING_SLOPE), tmp_path / "out.json"
    assert main(["grade", str(file), "--seed", "7", "--json", str(out)]) == 1
    printed, written = capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))
    line = 1 + next(i for i, text in enumerate(file.read_text().splitlines()) if text.endswith("return error, {}"))
    assert "15 of 16 points" in printed
    lines = " ".join(printed.split())
    assert f"(E15, with E16), Sigmoid.backward at student.py:{line - 1}. Likely cause: σ′ is missing. δ at [" in lines
    assert max(map(len, printed.splitlines())) <= 80
    assert (written["points"], written["possible"], written["full"]) == (15, 16, False)
    lost = [mark for mark in written["marks"] if not mark["points"]]
    assert [(m["class"], m["formula"], m["remark"]) for m in lost] == [("Sigmoid", "E15", "σ′ is missing")]
    assert (lost[0]["code"], lost[0]["comparison"]["code"]) == ("slope-missing", "slope-missing")
    assert {mark["code"] for mark in written["marks"] if mark["points"]} == {""}
    assert lost[0]["comparison"]["isolated"]["by_hand"] != lost[0]["comparison"]["isolated"]["reference"]


def test_transposed_weights_are_named_where_the_shapes_let_them_pass(tmp_path) -> None:
    grading = graded(tmp_path, students.TRANSPOSED)
    lost = remarks(grading)
    assert lost["Linear e"] == "transposed weights"
    assert lost["Linear ∂L/∂W"] == "x and δ are swapped (transposed)"
    assert "Linear net" not in lost
    assert "\nElsewhere: raises RuntimeError: mat1 and mat2 shapes cannot be multiplied" in hint(grading, "Linear e")


def test_zeros_get_nothing_and_are_named(tmp_path) -> None:
    grading = graded(tmp_path, students.ZEROS)
    assert remarks(grading) == dict.fromkeys([*LINEAR, "Sigmoid x", "Sigmoid δ"], "zeros")
    assert (grading.earned, grading.classes) == (0, ("Linear", "Sigmoid"))


def test_a_hanging_formula_is_ended_and_costs_its_point_only(tmp_path, capsys) -> None:
    assert main(["grade", str(write(tmp_path, students.HANGING)), "--time-limit", "1", "--json", "-", *ONLY]) == 1
    marks = json.loads(capsys.readouterr().out)["marks"]
    assert {f"{m['class']} {m['quantity']}": m["remark"] for m in marks} == {
        "Sigmoid x": "", "Sigmoid δ": "", "Tanh x": "", "Tanh δ": "no answer within 1 s",
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------------- accidents


@pytest.fixture(scope="module")
def grading_of_accidents(tmp_path_factory) -> Grading:
    return graded(tmp_path_factory.mktemp("accidents"), students.ACCIDENTS, limits=Limits(10, 256))


@pytest.fixture
def accidents(grading_of_accidents: Grading) -> dict[str, str]:
    return remarks(grading_of_accidents)


@pytest.mark.parametrize(
    ("formula", "remark"),
    [
        ("Linear net", "raises ValueError: boom (student.py:"),
        ("Linear e", "forward raises ValueError: boom (student.py:"),
        ("Sigmoid δ", "the process ended with exit code 3"),
        ("Tanh δ", "takes more than 256 MiB of memory"),
        ("ReLU x", "it is of shape ("),
        ("ReLU δ", "it is of dtype torch.float32, expected torch.float64"),
        ("SquaredError y", "gives a list of 6 where output(x) -> y is expected"),
        ("SquaredError L", "changes x in place"),
        ("SquaredError e", "the process ended with signal 11 (SIGSEGV)"),
        ("SoftmaxCrossEntropy y", "constant: it does not depend on its inputs"),
        ("SoftmaxCrossEntropy L", "memorised: right on the example, the same everywhere else"),
        ("SoftmaxCrossEntropy δ", "raises SystemExit (student.py:"),
    ],
)
def test_every_accident_is_named(accidents: dict[str, str], formula: str, remark: str) -> None:
    assert accidents[formula].startswith(remark)


def test_every_accident_has_a_code(grading_of_accidents: Grading) -> None:
    assert marked(grading_of_accidents) == {
        "Linear net": "raises", "Linear e": "nothing-to-read", "Linear ∂L/∂W": "nothing-to-read",
        "Linear ∂L/∂b": "nothing-to-read", "Sigmoid δ": "process-ended", "Tanh δ": "out-of-memory",
        "ReLU x": "wrong-shape", "ReLU δ": "wrong-dtype", "SquaredError y": "wrong-return",
        "SquaredError L": "changes-input", "SquaredError e": "process-ended", "SoftmaxCrossEntropy y": "constant",
        "SoftmaxCrossEntropy L": "memorised", "SoftmaxCrossEntropy δ": "raises",
    }  # fmt: skip


def test_accidents_cost_nothing_elsewhere(accidents: dict[str, str]) -> None:
    """Not even a formula that prints a million letters at each point."""
    assert "Sigmoid x" not in accidents
    assert "Tanh x" not in accidents
    assert len(accidents) == 14


def test_a_wrong_forward_costs_no_point_of_backward(tmp_path) -> None:
    wrong = changed(students.SIGMOID, ("1 / (1 + torch.exp(-x))", "torch.tanh(x)"))
    assert remarks(graded(tmp_path, students.HEAD + wrong)) == {"Sigmoid x": "another activation: tanh"}


def test_a_forward_that_hangs_leaves_backward_nothing_to_read(tmp_path) -> None:
    stuck = changed(
        students.RELU, ("        return torch.where(x", "        while True: pass\n        return torch.where(x")
    )
    lost = remarks(graded(tmp_path, students.HEAD + stuck, limits=Limits(0.5)))
    assert lost["ReLU x"] == "no answer within 0.5 s"
    assert lost["ReLU δ"] == "forward: no answer within 0.5 s; there is nothing for backward to read"


def test_the_command_shows_nothing_of_what_the_file_prints(tmp_path, capfd) -> None:
    loud = changed(
        students.SIGMOID, ("        y =", '        print("loud"); print("loud", file=sys.stderr)\n        y =')
    )
    file = write(tmp_path, students.HEAD + "import sys\nprint('loud')\n" + loud)
    assert main(["grade", str(file), "--seed", "3", "--only", "Sigmoid"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.endswith("2 of 2 points; 1 of 6 classes found; --seed 3 repeats this.\n")
    assert "loud" not in out


def test_a_method_that_is_missing_is_named(tmp_path) -> None:
    lost = remarks(graded(tmp_path, students.HEAD + students.SIGMOID.split("    def backward")[0]))
    assert lost == {"Sigmoid δ": "Sigmoid has no method backward"}
    assert set(marked(graded(tmp_path, students.HEAD + students.SIGMOID.split("    def backward")[0])).values()) == {
        "missing"
    }


def test_a_fault_at_some_points_only_costs_the_point(tmp_path) -> None:
    """Right for the mean and for one row: only a sum over several rows shows it."""
    fault = changed(
        students.SQUARED_ERROR,
        ('len(x) if self.reduction == "mean" else 1\n        return ((t', "len(x)\n        return ((t"),
    )
    lost = remarks(graded(tmp_path, students.HEAD + fault))
    assert set(lost) == {"SquaredError L", "SquaredError e"}
    assert lost["SquaredError L"].startswith("a factor of 1/")


# ---------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("line", "use", "named"),
    [
        ("from torch.autograd import grad", "grad(y, x)", "torch.autograd.grad (line 2)"),
        (
            "import torch.nn.functional as F",
            "F.silu(x)",
            "torch.nn.functional.silu (line 7); torch.nn.functional (line 2)",
        ),
        ("from manual_bp import Sigmoid as Given", "Given()", "manual_bp.Sigmoid (line 2)"),
        ("import torch_ref", "torch_ref", "torch_ref (line 2)"),
        ("kernel = torch.ops.aten.sigmoid_backward", "kernel", "torch.ops.aten.sigmoid_backward (line 2)"),
        ("kernel = getattr(torch, 'autograd')", "kernel", "torch.autograd (line 2)"),
        ("run = exec", "run('import torch')", "exec (line 2)"),
        ("import scipy.special as special", "special.expit(x)", "scipy.special (line 2)"),
        ("def f(x): return torch.nn.functional.silu(x)", "f(x)", "torch.nn.functional.silu (line 2)"),
    ],
)
def test_what_is_not_by_hand_is_refused_by_name_before_it_runs(tmp_path, line: str, use: str, named: str) -> None:
    used = changed(students.SIGMOID, ("        return y, y\n", f"        {use}\n        return y, y\n"))
    grading = graded(tmp_path, "import torch\n" + line + "\n" + used + students.RELU)
    assert (grading.earned, grading.possible, grading.full) == (2, 4, False)
    text = f"Sigmoid is refused: it uses {named}. The formulas are to be by hand."
    assert remarks(grading) == {"Sigmoid x": text, "Sigmoid δ": text}
    assert set(marked(grading).values()) == {"not-by-hand"}
    assert str(grading).count("is refused") == 1


@pytest.mark.parametrize(
    ("backward", "named"),
    [
        (
            "getattr(getattr(torch, 'op' + 's').aten, 'sigmoid_' + 'backward')(error, saved), {}",
            "torch.ops.aten.sigmoid_backward",
        ),
        ("getattr(getattr(torch, 'auto' + 'grad'), 'gr' + 'ad')(saved.sum(), saved), {}", "autograd"),
        ("(saved.sum()).backward(), {}", "autograd"),
    ],
)
def test_a_derivative_under_another_name_is_refused_as_it_runs(tmp_path, backward: str, named: str) -> None:
    """Even where the student's code catches the exception."""
    tried = f"try:\n            return {backward}\n        except Exception:\n            return error, {{}}"
    source = students.HEAD + changed(students.SIGMOID, ("return saved * (1 - saved) * error, {}", tried))
    line = 1 + next(i for i, text in enumerate(source.splitlines()) if backward in text)
    grading = graded(tmp_path, source)
    text = f"Sigmoid is refused: it uses {named}, line {line}. The formulas are to be by hand."
    assert remarks(grading) == {"Sigmoid x": text, "Sigmoid δ": text}


# ------------------------------------------------------------------------------------------- files that do not grade


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("class Sigmoid:\n    def forward(self, x)\n", "student.py:2: SyntaxError: expected ':'"),
        ("class Sigmoid:\n    pass\n\nint('x')\n", f"{UNIMPORTED}: raises ValueError: invalid literal"),
        ("import os\nclass Sigmoid:\n    pass\nos._exit(0)\n", f"{UNIMPORTED}: the process ended with exit code 0"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_imported_gets_one_line_and_no_points(tmp_path, capsys, source: str, note: str) -> None:
    assert main(["grade", str(write(tmp_path, source)), "--seed", "1"]) == 1
    first, total, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith(note)
    assert total.startswith("0 of ")
    assert rest == []


def test_nothing_to_grade_is_said_in_one_line(tmp_path, capsys) -> None:
    (tmp_path / "latin.py").write_bytes("# Übung".encode("latin-1"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.py").write_text("class Layer:\n    pass\n", encoding="utf-8")
    for name, said in [
        ("missing.py", "No such file or directory"),
        ("empty", "no .py file in"),
        ("latin.py", "is not text in UTF-8"),
        ("other.py", "defines none of the classes Linear, Sigmoid, Tanh, ReLU, SquaredError, SoftmaxCrossEntropy"),
    ]:
        assert main(["grade", str(tmp_path / name)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert said in err
    with pytest.raises(UnusableFileError, match=r"missing\.py"):
        grade(tmp_path / "missing.py", seed=1)


def test_a_required_class_that_is_missing_costs_its_points(tmp_path, capsys) -> None:
    file = str(write(tmp_path, students.HEAD + students.SIGMOID))
    assert main(["grade", file, "--seed", "1"]) == 1
    assert "2 of 16 points; 1 of 6 classes found" in capsys.readouterr().out
    assert main(["grade", file, "--seed", "1", "--only", "Sigmoid"]) == 0
    assert "2 of 2 points; 1 of 6 classes found" in capsys.readouterr().out
    assert main(["grade", file, "--seed", "1", "--require", "Sigmoid", "Tanh"]) == 1
    printed = capsys.readouterr().out
    assert "2 of 4 points; 1 of 6 classes found" in printed
    assert printed.count("the class is missing") == 2


@pytest.mark.parametrize("wrong", ["--time-limit 0", "--memory-limit -1", "--require Softmax", "--template"])
def test_wrong_arguments_exit_with_2(wrong: str, capsys) -> None:
    with pytest.raises(SystemExit) as outcome:
        main(["grade", "student.py", *wrong.split()])
    assert outcome.value.code == 2
    assert "error:" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------ the template


def test_the_template_as_printed_gets_no_points_and_clear_lines(tmp_path, capsys) -> None:
    assert main(["grade", "--template"]) == 0
    printed = capsys.readouterr().out
    assert printed == TEMPLATE
    grading = graded(tmp_path, printed)
    assert (grading.earned, grading.possible) == (0, 16)
    lost = remarks(grading)
    assert all("raises NotImplementedError: TODO: E" in remark for remark in lost.values())
    assert lost["Linear net"].startswith("raises NotImplementedError: TODO: E1 (student.py:")


def test_the_template_filled_in_gets_full_marks_and_its_example_is_the_lectures(tmp_path, capsys) -> None:
    source = students.filled(TEMPLATE)
    assert graded(tmp_path, source).full
    exec(compile(source, "student.py", "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert "[[0.6803, 0.6637]]) expected 0.680267, 0.663739" in printed
    assert "[[-0.0407]]) expected -0.040681" in printed
    assert "[0.0029, 0.0074]]) expected" in printed


def test_a_seed_repeats_a_grading_and_another_seed_draws_other_numbers(tmp_path) -> None:
    file = write(tmp_path, students.HEAD + changed(students.RELU, ("x > 0, x, 0.0", "x > 0, 2 * x, 0.0")))
    one, same, other = (grade(file, seed).to_dict()["marks"][0]["comparison"] for seed in (1, 1, 2))
    assert one == same
    assert one["isolated"]["reference"] == other["isolated"]["reference"]  # the public point comes first
    hidden = [p.x for p in points("ReLU", 1)[1:]], [p.x for p in points("ReLU", 2)[1:]]
    assert not any(torch.equal(a, b) for a, b in zip(*hidden, strict=True))


def test_an_exponential_that_overflows_always_costs_the_point(tmp_path) -> None:
    naive = changed(students.SOFTMAX, ("shifted = x - x.amax(1, keepdim=True)", "shifted = x"))
    lost = remarks(graded(tmp_path, students.HEAD + naive))
    assert list(lost) == ["SoftmaxCrossEntropy y", "SoftmaxCrossEntropy L"]
    assert lost["SoftmaxCrossEntropy L"] == "inf appears here first"


def test_numbers_too_large_to_square_are_only_wrong(tmp_path) -> None:
    huge = changed(students.SIGMOID, ("saved * (1 - saved) * error", "torch.sign(saved - 0.9) * error.sign() * 1e308"))
    lost = remarks(graded(tmp_path, students.HEAD + huge))
    assert set(lost) == {"Sigmoid δ"}


def test_a_class_that_is_not_graded_is_named_and_only_then_is_anything_imported(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["grade", "student.py", "--require", "Softmax"])
    said = (
        "expected one of Linear, Sigmoid, Tanh, ReLU, SquaredError, SoftmaxCrossEntropy, Conv2d, MaxPool2d, AvgPool2d"
    )
    assert said in " ".join(capsys.readouterr().err.split())
    code = (
        "import sys\nfrom torch_ref.__main__ import main\n"
        "try:\n    main(['grade', '--help'])\nexcept SystemExit:\n    sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
