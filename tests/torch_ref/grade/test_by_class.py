"""What is forbidden costs the classes that reach it, and nobody else; self-tests cost nothing."""

import ast
import sys
from pathlib import Path

import pytest
import students
from students import changed, write

from torch_ref.grade.by_class import checked
from torch_ref.grade.grader import grade
from torch_ref.grade.students_file import read

RIGHT = students.HEAD + students.SIGMOID + students.RELU

COSTS_NOTHING = {
    "a self-test with autograd": """
if __name__ == "__main__":
    from torch.autograd import gradcheck
    x = torch.randn(3, requires_grad=True)
    torch.sigmoid(x).sum().backward()
    print(x.grad, Sigmoid().forward(x))
""",
    "a self-test at the top level": """
x = torch.randn(3, requires_grad=True)
y, saved = Sigmoid().forward(x)
y.sum().backward()
assert torch.allclose(x.grad, -Sigmoid().backward(-torch.ones(3), saved)[0])
""",
    "a function of tests": """
import torch.nn.functional as F
def test_sigmoid(x):
    with torch.enable_grad():
        return F.logsigmoid(x), torch.autograd.grad(x.sum(), x)
""",
    "a class of tests": """
class Checker(torch.nn.Module):
    def check(self, layer):
        return torch.func.vjp(layer.forward, self.x)
checker = Checker()
""",
    "an import that is not used": "import torch.nn as nn, torch.optim\nfrom torch.autograd import grad\n",
    "a plot": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n",
    "an import that cannot be": "import nothing_of_the_kind\nnothing_of_the_kind.start()\n",
    "a name that stands for something else": "from torch.autograd import grad\ndef f(grad): return grad + 1\n",
    "everything of torch": "from torch import *\ny = exp(zeros(3))\n",
}


@pytest.mark.parametrize("name", COSTS_NOTHING)
@pytest.mark.parametrize("first", [True, False])
def test_what_no_graded_class_reaches_costs_nothing(name: str, first: bool) -> None:
    more = COSTS_NOTHING[name]
    if first and "Sigmoid" in more:
        more = "pass\n"
    source = "import torch\n" + more + RIGHT if first else RIGHT + more
    found = checked(source, ast.parse(source), ["Sigmoid", "ReLU"])
    assert found.refused == {}
    assert found.source.count("\n") == source.count("\n")
    ran: dict = {"__name__": "student"}
    exec(compile(found.source, "student.py", "exec"), ran)
    assert ran["ReLU"]
    assert not {"gradcheck", "Checker", "plt", "nothing_of_the_kind", "nn"} & ran.keys()


def test_such_a_file_gets_its_points(tmp_path: Path) -> None:
    path = write(tmp_path, RIGHT + "".join(COSTS_NOTHING.values()))
    assert grade(path, seed=3).full


OWN_NAMES = """
class Sigmoid:
    def __init__(self):
        self.grad, self.func = None, self.activation

    def activation(self, x):
        return 1 / (1 + torch.exp(-x))

    def sigmoid_backward(self, y):
        return y * (1 - y)

    def forward(self, x):
        y = self.func(x)
        return y, y

    def backward(self, error, saved):
        self.grad = self.sigmoid_backward(saved)
        return error * self.grad, {}
"""


def test_names_of_ones_own_are_ones_own(tmp_path: Path) -> None:
    assert grade(write(tmp_path, students.HEAD + OWN_NAMES), seed=3).full


@pytest.mark.parametrize(
    ("more", "use", "line"),
    [
        ("def helper(x):\n    return torch.nn.functional.silu(x)\n", "helper(x)", 3),
        ("def inner(x):\n    return torch.nn.functional.silu(x)\ndef helper(x): return inner(x)\n", "helper(x)", 3),
        ("class Other:\n    def run(self):\n        import torch.optim\n", "Other()", 4),
        ("import torch as th\nengine = th.autograd\n", "engine", 3),
        ("import torch as th\n", "th.autograd", 7),
        ("import torch._refs as r\n", "r.nn", 2),
        ("from torch import nn, exp\n", "nn.ReLU()(x)", 2),
        ("from torch import *\n", "enable_grad()", 2),
        ("import scipy\n", "scipy", 2),
        ("pass\n", "import pickle", 7),
    ],
)
def test_a_class_that_reaches_it_loses_its_points(more: str, use: str, line: int) -> None:
    used = changed(students.SIGMOID, ("        return y, y\n", f"        {use}\n        return y, y\n"))
    source = "import torch\n" + more + used + students.RELU
    found = checked(source, ast.parse(source), ["Sigmoid", "ReLU"]).refused
    assert list(found) == ["Sigmoid"]
    assert line in [v.line for v in found["Sigmoid"]]


def test_what_is_set_on_a_class_from_outside_belongs_to_it() -> None:
    source = RIGHT + "import torch.nn.functional as F\nSigmoid.forward = lambda self, x: (F.sigmoid(x), x)\n"
    assert list(checked(source, ast.parse(source), ["Sigmoid", "ReLU"]).refused) == ["Sigmoid"]


def test_an_import_beside_a_forbidden_one_stays() -> None:
    source = "from torch import nn, exp; import torch.nn, math\ny = exp\n" + RIGHT
    kept = checked(source, ast.parse(source), ["ReLU"]).source.splitlines()
    assert kept[0].count("import") == 3
    assert "nn" not in kept[0]


def test_a_file_is_of_numpy_class_by_class(tmp_path: Path) -> None:
    source = (
        "import numpy as np\nimport torch\n"
        "class Sigmoid:\n    def forward(self, x): return np.exp(x), None\n"
        "class ReLU:\n    def forward(self, x): return torch.exp(x), None\n"
    )
    file = read(write(tmp_path, source))
    assert [file.is_of_numpy(name) for name in ("Sigmoid", "ReLU")] == [True, False]
    assert not read(write(tmp_path, "class ReLU:\n    pass\n")).is_of_numpy("ReLU")
    assert read(write(tmp_path, "import numpy\nclass ReLU:\n    pass\n")).is_of_numpy("ReLU")


def test_the_standard_library_is_no_short_cut() -> None:
    from torch_ref.grade.students_rules import REFUSED

    assert sys.stdlib_module_names | {"concurrent"} >= REFUSED
