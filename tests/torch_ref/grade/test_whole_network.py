"""A whole network's forward and backward: a point for L and each gradient, and the line that is wrong by itself."""

import sys
from pathlib import Path

import pytest
from places import ROOT
from students import changed, write

sys.path.append(str(ROOT / "tests"))

from course import networks

from torch_ref.__main__ import main
from torch_ref.grade import templates
from torch_ref.grade.grader import grade
from torch_ref.grade.grading import Grading
from torch_ref.grade.process import Limits
from torch_ref.grade.unusable import UnusableFileError
from torch_ref.grade.whole_marks import received
from torch_ref.grade.whole_network import read

GRADIENTS = ["W1", "b1", "W2", "b2"]


def graded(folder: Path, source: str, **given: object) -> Grading:
    return grade(write(folder, source), seed=5, only=("Network",), **given)


def lost(grading: Grading) -> dict[str, str]:
    return {mark.of.makes: mark.remark for mark in grading.marks if not mark.earned}


@pytest.mark.parametrize(("style", "library"), [(0, "torch"), (1, "numpy"), (2, "numpy")])
def test_right_networks_get_their_points_however_they_are_written(tmp_path: Path, style: int, library: str) -> None:
    grading = graded(tmp_path, networks.source(style, library)[0])
    assert lost(grading) == {}
    assert (grading.earned, grading.possible) == (5, 5)


@pytest.mark.long(but=2)
@pytest.mark.parametrize("number", [1, 10, 18, 21])
def test_the_wrong_line_is_named_and_costs_what_follows_from_it(tmp_path: Path, number: int) -> None:
    name, formula = networks.MISTAKES[number]
    source, line = networks.source(number, "numpy", (name, formula))
    found = lost(graded(tmp_path, source))
    assert set(found) == set(networks.BEHIND.get(name, ["forward"]))
    assert all(f"student.py:{line}" in remark for remark in found.values()), found


LECTURE = """
import numpy as np

class Network:
    def __init__(self, W1, b1, W2, b2):
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2

    def forward(self, x, t):
        self.x, self.t = x, t
        self.z1 = x @ self.W1.T + self.b1
        self.h = 1 / (1 + np.exp(-self.z1))
        z2 = self.h @ self.W2.T + self.b2
        self.y = np.exp(z2) / np.exp(z2).sum(1, keepdims=True)
        return -(t * np.log(self.y)).sum() / len(x)

    def backward(self):
        delta2 = (self.t - self.y) / len(self.x)
        e1 = delta2 @ self.W2
        delta1 = e1 * self.h * (1 - self.h)
        self.dW2 = -delta2.T @ self.h
        self.db2 = -delta2.sum(0)
        self.dW1 = -delta1.T @ self.x
        self.db1 = -delta1.sum(0)
"""


@pytest.mark.long(but=2)
@pytest.mark.parametrize(
    ("right", "wrong", "formulas", "said"),
    [
        ("1 * 1", "", [], ""),
        ("* self.h * (1 - self.h)", "* self.h", ["W1", "b1"], "follows from that of net1"),
        ("delta2 @ self.W2\n", "2 * (delta2 @ self.W2)\n", ["W1", "b1"], "follows from that of x1"),
        ("-delta1.sum(0)", "delta1.sum(0)", ["b1"], "the sign is wrong"),
        ("(self.t - self.y)", "(self.y - self.t)", GRADIENTS, "the sign is wrong"),
        ("x @ self.W1.T + self.b1", "x @ self.W1.T", ["forward"], "self.z1 is wrong first"),
    ],
)
def test_the_lectures_errors_with_everything_on_itself(tmp_path, right, wrong, formulas, said) -> None:
    """Errors, with their minus sign, are as good as gradients; a wrong forward costs no gradient."""
    source = changed(LECTURE, (right, wrong)) if wrong else LECTURE
    found = lost(graded(tmp_path, source))
    assert list(found) == formulas
    assert all(said in remark for remark in found.values()), found


def test_the_hint_shows_the_line_once(tmp_path: Path) -> None:
    printed = str(graded(tmp_path, changed(LECTURE, ("* self.h * (1 - self.h)", "* self.h"))))
    assert printed.count("Wrong: delta1 = e1 * self.h, at student.py:19.") == 1
    assert "The same: Network ∂L/∂b1." in printed


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("self.db1 = -delta1.sum(0)", "pass", "gives no gradient of b1"),
        ("self.db1 = -delta1.sum(0)", "self.db1 = -delta1", "it is of shape"),
        ("delta2 = (", "raise ValueError('boom')\n        delta2 = (", "raises ValueError: boom"),
        ("        self.x, self.t = x, t\n", "        x *= 2\n        self.x, self.t = x, t\n", "changes x in place"),
    ],
)
def test_what_is_no_gradient_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in " ".join(lost(graded(tmp_path, changed(LECTURE, (old, new)))).values())


OWN = """
import torch

SHAPES = {"x": ("N", "n"), "t": ("N", 1), "A": ("n", "k"), "c": (1,), "B": ("k", 1)}

def forward(x, t, A, c, B):
    s = x @ A
    h = torch.tanh(s)
    y = h @ B + c
    return 0.5 * ((y - t) ** 2).sum()
"""
FOR_OWN = """
import torch

def forward(x, t, A, c, B):
    h = torch.tanh(x @ A)
    y = h @ B + c
    return 0.5 * ((y - t) ** 2).sum(), (x, h, y - t, B)

def backward(saved):
    x, h, dy, B = saved
    dh = dy @ B.T
    ds = dh * (1 - h ** 2)
    return {"A": x.T @ ds, "c": dy.sum(0), "B": h.T @ dy}
"""


def test_a_lecturers_own_network_is_asked_for(tmp_path: Path, capsys) -> None:
    network, student = tmp_path / "network.py", tmp_path / "student.py"
    network.write_text(OWN, encoding="utf-8")
    student.write_text(FOR_OWN, encoding="utf-8")
    words = ["grade", str(student), "--seed", "3", "--network", str(network)]
    assert main(words) == 0
    assert "4 of 4 points" in capsys.readouterr().out
    student.write_text(changed(FOR_OWN, ("(1 - h ** 2)", "(1 - h)")), encoding="utf-8")
    assert main(words) == 1
    assert "follows" not in (out := capsys.readouterr().out) or "student.py:12" in out
    assert "3 of 4 points" in out
    assert main(["grade", "--template", "numpy", "--network", str(network)]) == 0
    template = capsys.readouterr().out
    assert "h = torch.tanh(s)" in template
    assert "def forward(x: np.ndarray, t: np.ndarray, A: np.ndarray" in template
    grade(student, 1, only=("Network",))  # ours again, for whoever comes next


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def forward", "def forwards", "expected a function forward"),
        ('"c": (1,), ', "", "expected SHAPES of x, t and the parameters"),
        ('("n", "k")', "3", "expected shapes as"),
        ("import torch", "import torch\nraise ValueError('no')", "cannot be run: ValueError: no"),
    ],
)
def test_a_network_that_is_none_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "network.py"
    path.write_text(changed(OWN, (old, new)), encoding="utf-8")
    with pytest.raises(UnusableFileError, match=said):
        read(path)


def test_the_template_gets_no_point_and_says_what_the_network_is(tmp_path: Path) -> None:
    template = templates.text("numpy", "network")
    assert "net1 = x @ W1.T + b1" in template
    assert "import torch" not in template
    found = lost(graded(tmp_path, template))
    assert len(found) == 5
    assert all("TODO: L" in remark for remark in found.values())


def test_what_a_process_says_of_its_variables_is_read_with_distrust() -> None:
    assert received({"seen": [["backward", 3, "dW", [1.0]], 5, None, ["a"]]}) == []
    assert received({"seen": "all"}) == []


ATTACKS = {
    "autograd": ("refused: it uses find(torch, 'auto' + 'grad').grad", "find(torch, 'auto' + 'grad').grad(y.sum(), y)"),
    "our own": ("KeyError: 'torch_ref.grade'", "find(sys, 'mod' + 'ules')['torch_ref.grade']"),
    "the watch": ("gives no gradient", "find(sys, 'get' + 'trace')().seen.clear()"),
    "frames": ("AttributeError: 'NoneType'", "look(find(sys, '_get' + 'frame')())"),
    "exit": ("exit code 0", "os._exit(0)"),
}
CHEAT = """
import os, sys
import torch
find = getattr

def look(frame):
    while 'right' not in find(frame, 'f_' + 'locals'):
        frame = find(frame, 'f_' + 'back')

def forward(x, t, p):
    return x.sum(), x

def backward(y):
    {}
    return {{}}
"""


@pytest.mark.parametrize("name", ATTACKS)
def test_a_short_cut_gets_no_point_of_a_network(tmp_path: Path, name: str) -> None:
    said, line = ATTACKS[name]
    grading = graded(tmp_path, CHEAT.format(line), limits=Limits(4.0, 512))
    assert grading.earned == 0
    assert any(said in mark.remark for mark in grading.marks), lost(grading)
