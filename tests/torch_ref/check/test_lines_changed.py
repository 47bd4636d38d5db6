"""The change of the accused statement that makes its gradients right, beside the likely cause."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from tests.torch_ref.lines.programs import made
from torch_ref import Report, check_lines

MLP = """
import numpy as np

STEPS = [0]
CALLS = [0]


class Counted:
    runs = 0


def forward(x, t, W, b, V):
    z = x @ W + b
    h = np.tanh(z)
    y = h @ V
    loss = ((y - t) ** 2).sum() / len(x)
    return loss


def slope(h):
    return 1 - h * h


def backward(x, t, W, b, V, z, h, y):
    dy = 2 * (y - t) / len(x)
    dV = h.T @ dy
    dh = dy @ V.T
    dz = dh * (1 - h**2)
    dW = x.T @ dz
    db = dz.sum(0)
    return dW, db, dV
"""


LAYER = """def tanh_forward(z):
    h = np.tanh(z)
    return h


def tanh_backward(dh, h):
    dz = dh * (1 - np.abs(h) * h)
    return dz


def slope(h)"""


def numbers() -> list[Any]:
    random = np.random.default_rng(0)
    return [random.normal(size=size) for size in ((6, 5), (6, 3), (5, 4), 4, (4, 3))]


def checked(*edits: tuple[str, str], text: str = MLP, **asked: Any) -> Report:
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    program = made(text)
    return check_lines(program["forward"], program["backward"], numbers(), **asked)


def change_of(report: Report) -> tuple[str, str]:
    (row,) = report.guilty
    assert row.why is not None
    return row.why.numbers.get("old", ""), row.why.numbers.get("new", "")


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("dh * (1 - h**2)", "dh + (1 - h**2)", ("dh + (1 - h ** 2)", "dh * (1 - h ** 2)")),
        ("dh * (1 - h**2)", "dh * (1 - z**2)", ("z ** 2", "h ** 2")),
        ("dh * (1 - h**2)", "dh * (1 - h**2) * b", ("dh * (1 - h ** 2) * b", "dh * (1 - h ** 2)")),
        ("x.T @ dz", "(x + 1).T @ dz", ("(x + 1).T", "x.T")),
        ("h.T @ dy", "np.abs(h).T @ dy", ("np.abs(h)", "h")),
    ],
    ids=["operator", "name", "factor", "summand", "function"],
)
def test_the_change_is_said_with_its_line(old: str, new: str, change: tuple[str, str]) -> None:
    report = checked((old, new))
    (row,) = report.guilty
    assert change_of(report) == change
    assert row.why is not None
    assert row.source.endswith(f":{row.why.numbers['line']}")
    assert f"it is right with `{change[1]}` in place of `{change[0]}` in line" in report.verdict


def test_a_cause_that_is_known_is_said_alone() -> None:
    assert change_of(checked(("dz.sum(0)", "dz.mean(0)"))) == ("", "")


def test_tensors_have_changes_too() -> None:
    text = MLP.replace("np.tanh", "torch.tanh").replace("import numpy as np", "import torch")
    program = made(text.replace("dh * (1 - h**2)", "dh * (1 - h.abs() * h)"))
    report = check_lines(program["forward"], program["backward"], [torch.as_tensor(one) for one in numbers()])
    assert change_of(report) == ("h.abs()", "h")


CELLS = (
    """
z = x @ W
h = np.tanh(z)
loss = (h * h).sum()
""",
    """
dh = 2 * h
dz = dh * (1 - np.abs(h) * h)
dW = x.T @ dz
""",
)


def test_a_notebooks_cell_is_changed_too() -> None:
    x, _, W, *_ = numbers()
    report = check_lines(*CELLS, {"x": x, "W": W, "np": np})
    assert change_of(report) == ("np.abs(h)", "h")


def test_what_a_method_calls_is_changed_where_it_stands() -> None:
    report = checked(
        ("dz = dh * (1 - h**2)", "dz = tanh_backward(dh, h)"),
        ("h = np.tanh(z)", "h = tanh_forward(z)"),
        ("def slope(h)", LAYER),
    )
    (row,) = report.guilty
    assert row.of.text == "dz = dh * (1 - np.abs(h) * h)"
    assert change_of(report) == ("np.abs(h)", "h")


def test_no_change_is_named_that_holds_at_these_numbers_alone() -> None:
    """What is divided by are the numbers of b, as they are here; times b it is right just here."""
    b = [*map(float, numbers()[3])]
    bent = f"np.einsum('ij,ij,j->ij', dh, 1 - h**2, 1 / np.array({b}))"
    report = checked(("dh * (1 - h**2)", bent))
    assert change_of(report) == ("", "")


CLASSES = """
import numpy as np


def forward(x, t, W):
    scores = x @ W
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    loss = -(t * np.log(p)).sum() / len(x)
    return loss


def backward(x, t, W, p):
    dscores = (p - t) / len(x)
    dW = np.abs(x).T @ dscores
    return dW
"""


def test_a_row_of_classes_is_one_at_other_numbers_too() -> None:
    """For else the gradient of the scores, which takes their sum for 1, would be wrong there."""
    program, (x, _, W, *_) = made(CLASSES), numbers()
    report = check_lines(program["forward"], program["backward"], [x, np.eye(4)[[0, 2, 1, 3, 3, 0]], W])
    assert change_of(report) == ("np.abs(x)", "x")


ALONE = """
import numpy as np


def bend(w):
    z = np.tanh(w) * w
    return z


def bend_backward(dz, w):
    dw = dz * (np.tanh(w) + abs(w) * w * (1 - np.tanh(w) ** 2))
    return dw


def forward(w, b):
    z = bend(w)
    y = z * b
    return y


def backward(dy, w, b, z):
    dz = dy * b
    db = dy * z
    dw = bend_backward(dz, w)
    return dw, db
"""


@pytest.mark.parametrize(("size", "is_said"), [(2, False), (5, True)])
def test_inside_of_a_function_two_numbers_are_right_by_chance(size: int, is_said: bool) -> None:
    """What a function was given cannot be moved alone, so there is no second place to look at."""
    random = np.random.default_rng(1)
    program = made(ALONE)
    report = check_lines(program["forward"], program["backward"], [random.normal(size=size), random.normal(size=size)])
    (row,) = report.guilty
    assert row.of.text.startswith("dw = dz * (np.tanh(w)")
    assert bool(change_of(report)[0]) is is_said


def test_what_runs_meanwhile_is_neither_seen_nor_kept(capsys: pytest.CaptureFixture[str]) -> None:
    counting = '    print("here")\n    warnings.warn("here")\n    STEPS[0] += 1\n    Counted.runs += 1\n    dy = 2'
    text = MLP.replace("dh * (1 - h**2)", "dh * (1 - z**2)").replace("    dy = 2", counting)
    program = made(text.replace("import numpy as np", "import warnings\n\nimport numpy as np"))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        report = check_lines(program["forward"], program["backward"], numbers())
    assert change_of(report) == ("z ** 2", "h ** 2")
    assert program["STEPS"] == [0]
    assert program["Counted"].runs < 20
    assert capsys.readouterr().out.count("here") < 20
    assert len(warned) < 20


def test_a_change_with_which_a_loop_never_ends_is_stopped() -> None:
    loop = "left = 3\n    while left > 0:\n        left -= int(abs(dz).max() < 6)\n    dW = x.T @ dz"
    report = checked(("dh * (1 - h**2)", "dh * (1 - np.abs(h) * h)"), ("dW = x.T @ dz", loop))
    assert change_of(report) == ("np.abs(h)", "h")


def test_a_loop_of_another_function_is_stopped_too() -> None:
    loop = "def wait(dz):\n    left = 3\n    while left > 0:\n        left -= int(abs(dz).max() < 6)\n\n\ndef slope(h)"
    edits = ("def slope(h)", loop), ("dW = x.T @ dz", "wait(dz)\n    dW = x.T @ dz")
    assert change_of(checked(("dh * (1 - h**2)", "dh * (1 - np.abs(h) * h)"), *edits)) == ("np.abs(h)", "h")


def test_code_that_opens_files_is_left_alone(tmp_path: Any) -> None:
    file = tmp_path / "seen.txt"
    opened = f"with open({str(file)!r}, 'a') as f:\n        f.write('x')\n    dV = h.T @ dy"
    report = checked(("dh * (1 - h**2)", "dh * (1 - np.abs(h) * h)"), ("dV = h.T @ dy", opened))
    assert change_of(report) == ("", "")
    assert len(file.read_text()) < 20
