"""Where the inputs of what is checked come from, and what is said where there are none that fit."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from torch_ref.__main__ import main
from torch_ref.files.inputs import MissingInputsError, Offered, Wanted
from torch_ref.files.shapes import Shape

Said = Callable[..., tuple[int, str]]

CODE = """
import torch


def linear(x, w, eps=0.0):
    return x @ w + eps


def linear_backward(d_y, x, w):
    return d_y @ w.T, x.T @ d_y


def scale(x, gain):
    return x * gain


def scale_backward(d_y, x, gain):
    return d_y * gain, (d_y * x).sum(0)
"""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    monkeypatch.chdir(tmp_path)

    def check(more: str, *options: str) -> tuple[int, str]:
        Path("mine.py").write_text(f"{CODE}\n{more}")
        return main(["check", "mine.py", *options, "--no-power"]), " ".join(capsys.readouterr().out.split())

    return check


@pytest.mark.parametrize(
    "more",
    [
        "def make_inputs():\n    return {'x': torch.randn(4, 5), 'w': torch.randn(5, 3), 'gain': torch.randn(5)}",
        "def make_inputs():\n    return {'linear': [torch.randn(4, 5), torch.randn(5, 3)],\n"
        "            'scale_backward': {'x': torch.randn(4, 5), 'gain': torch.randn(5)}}",
        "def make_inputs_linear():\n    return torch.randn(4, 5), torch.randn(5, 3)\n"
        "def make_inputs_scale():\n    return {'x': torch.randn(4, 5), 'gain': torch.randn(5)}",
        "x, w, gain = torch.randn(4, 5), torch.randn(5, 3), torch.randn(5)",
    ],
)
def test_inputs_come_from_the_file(more: str, said: Said) -> None:
    code, out = said(more)
    assert code == 0, out
    assert "at x 4 x 5, w 5 x 3." in out
    assert "at x 4 x 5, gain 5." in out


def test_what_is_typed_comes_before_the_file(said: Said) -> None:
    more = "x, w, gain = torch.randn(4, 5), torch.randn(5, 3), torch.randn(5)"
    code, out = said(more, "--shape", "x=2,5", "--shape", "scale.x=7,5", "--value", "eps=0.5")
    assert code == 0, out
    assert "at x 2 x 5, w 5 x 3, eps = 0.5." in out
    assert "at x 7 x 5, gain 5." in out


def test_make_inputs_may_not_fit(said: Said) -> None:
    code, out = said("def make_inputs():\n    return [torch.randn(4, 5)]", "linear")
    assert code == 1
    assert "Not checked: make_inputs() gives 1 input, and linear takes x, w: give those by make_inputs_linear()." in out
    assert "make_inputs() gives a Tensor: expected a tuple" in said("def make_inputs():\n    return torch.ones(3)")[1]
    assert "mine.py:21 raises ZeroDivisionError" in said("def make_inputs():\n    return 1 / 0")[1]


def test_make_inputs_may_give_some_and_the_shapes_the_rest(said: Said) -> None:
    code, out = said("def make_inputs():\n    return {'w': torch.randn(5, 3)}", "linear", "--shape", "x=2,5")
    assert code == 0, out


def test_too_many_shapes_are_an_error(said: Said) -> None:
    code, out = said("", "scale", "--shapes", "4,5", "5", "3")
    assert code == 1
    assert "--shapes has 3 shapes, and scale takes 2 inputs, x, gain." in out


def test_random_numbers_depend_on_the_seed_alone(said: Said) -> None:
    more = "first = torch.rand(())\ndef noisy(x):\n    return x * first\ndef noisy_backward(d_y, x):\n    return d_y"
    once, again, other = (said(more, "noisy", "--shape", "x=3", "--seed", seed)[1] for seed in ("1", "1", "2"))
    assert once == again != other


OFFERED = Offered({}, {"x": Shape((2, 3)), "t": Shape((50,), 4), "s": Shape(())})
WANTED = Wanted(("x", "t", "s"), {})


def test_numbers_are_normal_or_whole_and_the_same_in_each_dtype() -> None:
    found = OFFERED.inputs("f", (), WANTED)
    assert [(name, t.shape, t.dtype) for name, t in found.items()] == [
        ("x", (2, 3), torch.float32),
        ("t", (50,), torch.int64),
        ("s", (), torch.float32),
    ]
    assert sorted(set(found["t"].tolist())) == [0, 1, 2, 3]
    wide = Offered({}, OFFERED.shapes, dtype=torch.float64).inputs("f", (), WANTED)
    assert torch.equal(wide["x"].float(), found["x"])
    assert torch.equal(wide["t"], found["t"])


def test_defaults_stand_for_what_is_left_out_before_the_last_that_is_given() -> None:
    wanted = Wanted(("x", "eps", "gain", "mode"), {"eps": 1e-5, "gain": None, "mode": "mean"})
    assert [*Offered({}, {"x": Shape((2,))}).inputs("f", (), wanted)] == ["x"]
    found = Offered({}, {"x": Shape((2,)), "gain": Shape((2,))}).inputs("f", (), wanted)
    assert [*found] == ["x", "eps", "gain"]
    assert found["eps"] == 1e-5


def test_a_number_of_the_file_is_an_input_where_it_is_needed() -> None:
    names = {"x": torch.ones(2), "n": 3, "eps": 1.0, "mode": "mean"}
    wanted = Wanted(("x", "n", "eps"), {"eps": 0.0})
    assert [*Offered(names).inputs("f", (), wanted)] == ["x", "n"]
    with pytest.raises(MissingInputsError, match=r"nothing gives its input mode$"):
        Offered(names).inputs("f", (), Wanted(("x", "mode"), {}))


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MissingInputsError, match=r"nothing gives its inputs x, w$") as caught:
        Offered({"w": "no tensor"}).inputs("f", (), Wanted(("x", "w", "eps"), {"eps": 0}))
    assert caught.value.names == ("x", "w")
    with pytest.raises(MissingInputsError, match=r"nothing gives its inputs$"):
        Offered({}).inputs("f", (), Wanted((), {}, takes_any=True))
