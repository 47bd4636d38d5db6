"""The ways in which people write their classes: in numpy, with everything kept on self, with the other sign."""

from pathlib import Path

import pytest
import students
from students import changed, write

from torch_ref.grade import templates
from torch_ref.grade.grader import grade
from torch_ref.grade.grading import Grading


def graded(folder: Path, source: str, **given: object) -> Grading:
    return grade(write(folder, source), seed=5, **given)


def lost(grading: Grading) -> dict[str, str]:
    return {str(mark.of): mark.code for mark in grading.marks if not mark.earned}


CLASSES = {
    "Linear": students.LINEAR, "Sigmoid": students.SIGMOID, "Tanh": students.TANH, "ReLU": students.RELU,
    "SquaredError": students.SQUARED_ERROR, "SoftmaxCrossEntropy": students.SOFTMAX,
}  # fmt: skip


def alone(formula: str) -> str:
    """Return a file with the class of one formula."""
    return students.HEAD + CLASSES[formula.partition(" ")[0]]


LOG_SUM = "np.log(np.exp(shifted).sum(1, keepdims=True))"


def in_numpy(source: str) -> str:
    """Return a file of torch in numpy."""
    for torch, numpy in (
        ("import torch", "import numpy as np"), ("torch.Tensor", "np.ndarray"), ("keepdim=", "keepdims="),
        (".amax(", ".max("), ("torch.zeros(len(x), len(self.weight), dtype=x.dtype)", "np.zeros((3, 3))"),
        ("torch.sigmoid(x)", "1 / (1 + np.exp(-x))"), ("torch.softmax(x, 1)", "softmax(x)"),
        ("torch.clamp_min(x, 0)", "np.maximum(x, 0)"), ("torch.exp(shifted).sum(1, keepdims=True).log()", LOG_SUM),
        ("torch.", "np."),
    ):  # fmt: skip
        source = source.replace(torch, numpy)
    return source


# ------------------------------------------------------------------------------------------------------------- numpy


def test_a_right_file_of_numpy_gets_full_marks(tmp_path: Path) -> None:
    grading = graded(tmp_path, in_numpy(students.RIGHT))
    assert lost(grading) == {}
    assert grading.possible == 16


def test_the_template_of_numpy_names_no_torch_and_takes_the_same_formulas(tmp_path: Path) -> None:
    template = templates.text("numpy")
    assert "orch" not in template.replace("python -m torch_ref", "")
    assert "Tensor" not in template
    softmax = "def softmax(x):\n    e = np.exp(x - x.max(1, keepdims=True))\n    return e / e.sum(1, keepdims=True)\n"
    filled = in_numpy(students.filled(template)).replace("import numpy as np\n", f"import numpy as np\n\n{softmax}", 1)
    assert lost(graded(tmp_path, filled)) == {}
    exec(compile(filled, "student.py", "exec"), {"__name__": "__main__"})


@pytest.mark.long(but=3)
@pytest.mark.parametrize(
    ("right", "wrong", "formula", "code"),
    [
        ("saved * (1 - saved) * error", "error", "Sigmoid δ", "slope-missing"),
        ("error - error * y * y", "error - y * y", "Tanh δ", ""),
        ("-error.T @ saved", "-error.T @ saved / len(saved)", "Linear ∂L/∂W", "factor"),
        ("(t - y) / n", "(y - t) / n", "SquaredError e", "wrong-sign"),
        ("-error.sum(0)", "-error.sum(0, keepdims=True)", "Linear ∂L/∂b", "wrong-shape"),
        ("-error.sum(0)", "(-error.sum(0)).tolist()", "Linear ∂L/∂b", "wrong-return"),
        ("error @ self.weight, g", "(error @ self.weight).astype('float32'), g", "Linear e", "wrong-dtype"),
        ("return t / n - y / n", "y -= t; return -y / n", "SoftmaxCrossEntropy δ", None),
        ("np.where(saved['on'], error, 0.0)", "np.where(saved['on'], error, 0.1)", "ReLU δ", ""),
    ],
)
def test_a_wrong_formula_of_numpy_loses_its_point(tmp_path, right, wrong, formula, code) -> None:
    source = changed(in_numpy(alone(formula)).replace('saved["on"]', "saved['on']"), (right, wrong))
    found = lost(graded(tmp_path, source))
    assert set(found) == (set() if code is None else {formula})
    assert not code or found[formula] == code


def test_a_sum_of_numpys_is_a_loss_and_so_is_a_number(tmp_path: Path) -> None:
    source = changed(in_numpy(students.HEAD + students.SQUARED_ERROR), ("/ (2 * n), (", ".item() / (2 * n), ("))
    assert lost(graded(tmp_path, source)) == {}


# ------------------------------------------------------------------------------------------------- kept on the object

KEEPING = """
import {library}

class Linear:
    def __init__(self, weight, bias=None):
        self.weight, self.bias = weight, bias

    def forward(self, x):
        self.x = x
        return x @ self.weight.T + (0 if self.bias is None else self.bias)

    def backward(self, delta):
        self.dW = -delta.T @ self.x
        self.db = -delta.sum(0)
        return delta @ self.weight

class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + xp.exp(-x))
        return self.y

    def backward(self, e):
        return e * self.y * (1 - self.y)

class SquaredError:
    def __init__(self, reduction="mean"):
        self.reduction = reduction

    def output(self, x):
        return x

    def forward(self, x, t):
        self.n = len(x) if self.reduction == "mean" else 1
        self.y, self.t = x, t
        return 0.5 * ((t - x) ** 2).sum() / self.n

    def backward(self):
        return (self.t - self.y) / self.n
"""
IN = {"torch": KEEPING.format(library="torch as xp"), "numpy": KEEPING.format(library="numpy as xp")}


@pytest.mark.parametrize("library", IN)
def test_layers_that_keep_things_on_themselves_are_graded_as_they_are(tmp_path: Path, library: str) -> None:
    assert lost(graded(tmp_path, IN[library])) == {}


@pytest.mark.parametrize(
    ("right", "wrong", "codes"),
    [
        ("self.dW = -delta.T @ self.x", "self.dW = -delta.T @ self.x / len(delta)", {"Linear ∂L/∂W": "factor"}),
        ("self.db = -delta.sum(0)", "db = -delta.sum(0)", {"Linear ∂L/∂b": "wrong-return"}),
        ("* self.y * (1 - self.y)", "* self.y", {"Sigmoid δ": "slope-miswritten"}),
        ("1 / (1 + xp.exp(-x))", "1 / (1 + xp.exp(x))", {"Sigmoid x": "wrong-argument"}),
        ("self.grads = {}", "self.grads = {}", {}),
    ],
)
@pytest.mark.long(but=2)
def test_a_wrong_one_loses_its_point(tmp_path: Path, right: str, wrong: str, codes: dict[str, str]) -> None:
    source = IN["torch"].replace(right, wrong)
    assert lost(graded(tmp_path, source)) == codes


@pytest.mark.parametrize("name", ["grads['W']", "grads['weight']", "grad_W", "weight_grad", "gradients['dW']"])
def test_gradients_are_found_under_the_usual_names(tmp_path: Path, name: str) -> None:
    holder = name.partition("[")[0]
    source = IN["torch"].replace("self.dW = ", f"self.{name} = ")
    if "[" in name:
        source = source.replace("        self.x = x\n", f"        self.x = x\n        self.{holder} = {{}}\n")
    assert lost(graded(tmp_path, source)) == {}


# ----------------------------------------------------------------------------------------- another convention of sign

LECTURES = students.HEAD + students.LINEAR + students.SQUARED_ERROR
PLUS = changed(
    LECTURES,
    ("-error.T @ saved", "error.T @ saved"),
    ("-error.sum(0)", "error.sum(0)"),
    ("(t - y) / n", "(y - t) / n"),
)
TURNED = {"Linear ∂L/∂W", "Linear ∂L/∂b", "SquaredError e"}


def test_the_other_sign_throughout_is_explained_once(tmp_path: Path) -> None:
    grading = graded(tmp_path, PLUS)
    assert lost(grading) == dict.fromkeys(TURNED, "other-convention")
    assert "One convention, not 3 mistakes" in grading.convention
    assert str(grading).count("Wrong") == 0
    assert str(grading).count("One convention") == 1


def test_the_lecturer_says_what_the_other_sign_costs(tmp_path: Path) -> None:
    grading = graded(tmp_path, PLUS, sign="either")
    assert grading.full
    assert "This costs nothing here." in grading.convention


def test_one_sign_alone_is_a_mistake(tmp_path: Path) -> None:
    for sign in ("lecture", "either"):
        source = changed(LECTURES, ("(t - y) / n", "(y - t) / n"))
        grading = graded(tmp_path, source, sign=sign)
        assert lost(grading) == {"SquaredError e": "wrong-sign"}
        assert grading.convention == ""


def test_another_mistake_beside_the_other_sign_is_still_one(tmp_path: Path) -> None:
    source = changed(PLUS, ("error.T @ saved", "error.T @ saved / len(saved)"))
    grading = graded(tmp_path, source, sign="either")
    assert set(lost(grading)) == {"Linear ∂L/∂W"}


# ------------------------------------------------------------------------------------------------------ fewer digits


@pytest.mark.parametrize(
    ("right", "wrong", "formula"),
    [
        ("y = 1 / (1 + torch.exp(-x))\n", "y = 1 / (1 + torch.exp(-x.float()))\n", "Sigmoid x"),
        ("net = x @ self.weight.T\n", "x = x.float(); net = x @ self.weight.T.float()\n", "Linear net"),
        ("return error @ self.weight, g", "return (error @ self.weight).float(), g", "Linear e"),
        ("saved * (1 - saved) * error", "(saved * (1 - saved) * error).float()", "Sigmoid δ"),
    ],
)
def test_fewer_digits_are_named_where_they_are_lost_and_nowhere_else(tmp_path, right, wrong, formula) -> None:
    source = changed(alone(formula), (right, wrong))
    if formula == "Linear net":
        source = changed(source, ("net + self.bias)", "net + self.bias.float())"))
    assert lost(graded(tmp_path, source)) == {formula: "wrong-dtype"}


def test_a_wrong_backward_stays_wrong_behind_a_forward_that_drops_digits(tmp_path: Path) -> None:
    source = changed(
        students.RIGHT,
        ("torch.exp(-x))\n", "torch.exp(-x.float()))\n"),
        ("saved * (1 - saved) * error", "saved * error"),
    )
    assert lost(graded(tmp_path, source)) == {"Sigmoid x": "wrong-dtype", "Sigmoid δ": "slope-miswritten"}


# --------------------------------------------------------------------------------- one cause, one message; how much


def test_one_cause_is_told_once(tmp_path: Path) -> None:
    source = changed(students.LINEAR, ("net = x @ self.weight.T\n", "net = x @ self.weights.T\n"))
    printed = str(graded(tmp_path, students.HEAD + source))
    assert printed.count("Wrong") == 1
    assert "AttributeError: 'Linear' object has no attribute 'weights'" in " ".join(printed.split())
