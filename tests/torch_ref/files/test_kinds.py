"""Every kind of code that is found in a file: right and wrong, and what it was compared with."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kinds import KINDS, Kind

from torch_ref.__main__ import main

Said = Callable[[str, Kind], tuple[int, str]]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    monkeypatch.chdir(tmp_path)

    def check(code: str, kind: Kind) -> tuple[int, str]:
        Path("mine.py").write_text(code if code.startswith("import numpy") else f"import torch\n{code}")
        words = kind.shapes.split()
        shapes = [word for shape in words if "=" in shape for word in ("--shape", shape)]
        options = shapes + [word for word in words if word.startswith("--")]
        if words and not options:
            options = ["--shapes", *words]
        return main(["check", "mine.py", *options, "--no-power"]), " ".join(capsys.readouterr().out.split())

    return check


@pytest.mark.long(but=12)
@pytest.mark.parametrize("name", KINDS)
def test_what_is_right_is_accepted(name: str, said: Said) -> None:
    kind = KINDS[name]
    code, out = said(kind.code, kind)
    assert code == 0, out
    assert f"Compared with {kind.reference}." in out
    assert kind.said in out


@pytest.mark.long(but=12)
@pytest.mark.parametrize("name", KINDS)
def test_what_is_wrong_is_not(name: str, said: Said) -> None:
    kind = KINDS[name]
    assert kind.right in kind.code
    code, out = said(kind.code.replace(kind.right, kind.wrong), kind)
    assert code == 1
    assert "Wrong: " in out, out
    assert "0 of 1 right; wrong: " in out


DROPOUT = """
def dropout(x, mask):
    return x * mask
def dropout_backward(d_y, mask):
    return d_y * mask
"""
NOT_CHECKED = {
    "a gradient too few": (DROPOUT, "x=4,5 mask=4,5", "dropout_backward gives nothing for mask: let it return"),
    "a name too few": (
        "def net(x, w):\n    return x @ w\ndef net_backward(d_y, x, w):\n    return {'x': d_y @ w.T}\n",
        "x=4,5 w=5,3", "net_backward gives nothing for w: let it return",
    ),
    "a Jacobian": (
        "def softmax(x):\n    return x.softmax(1)\ndef d_softmax(x):\n    return x[:, :, None] * x[:, None]\n",
        "x=4,5", "a Jacobian is not compared, give backward(d_y, ...)",
    ),
    "arguments of another kind": (
        "def f(x, w):\n    return x @ w\ndef f_backward(x, w, y, d, lr):\n    return d\n",
        "x=4,5 w=5,3", "f_backward takes x, w, y, d, lr: expected the gradient of its output, then x, w, or the same",
    ),
    "a cache and more": (
        "def f(x):\n    return x, {}\ndef f_backward(d, cache, lr):\n    return d\n",
        "x=4,5", "f gives (out, cache), and f_backward takes d, cache, lr: expected d_out, cache",
    ),
    "no forward": ("def f_backward(d, x):\n    return d\n", "", "there is no function f_forward or f."),
    "a forward that autograd cannot follow": (
        "def f(x):\n    return torch.from_numpy(x.detach().numpy() ** 2)\n"
        "def f_backward(d, x):\n    return 2 * d * x\n",
        "x=4,5", "autograd cannot follow f: define f_reference, a function of the same inputs made of torch operations",
    ),
    "a forward that detaches": (
        "def f(x):\n    return x * x.detach()\ndef f_backward(d, x):\n    return 2 * d * x\n",
        "x=4,5", "what autograd makes of f is not its derivative, as where a tensor is detached: define f_reference",
    ),
    "a Function that autograd cannot follow": (
        "class F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n"
        "        return torch.from_numpy(x.detach().numpy() * 2)\n"
        "    @staticmethod\n    def backward(ctx, d):\n        return 2 * d\n",
        "x=4,5", "autograd cannot follow its forward: define F_reference",
    ),
    "a Function that detaches": (
        "class F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n"
        "        ctx.save_for_backward(x)\n        return x * x.detach()\n"
        "    @staticmethod\n    def backward(ctx, d):\n        return 2 * d * ctx.saved_tensors[0]\n",
        "x=4,5", "what autograd makes of its forward is not its derivative",
    ),
    "a Function without backward": (
        "class F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n        return x\n",
        "", "it has no backward",
    ),
    "a parameter without a gradient": (
        "class Scale:\n    def __init__(self, w):\n        self.w = w\n"
        "    def forward(self, x):\n        return x * self.w\n    def backward(self, d):\n        return d * self.w\n",
        "w=5 x=4,5", "the gradient of w is not seen: no attribute, by its name, holds it, and backward does not return",
    ),
    "a backward that takes more": (
        "class Scale:\n    def forward(self, x):\n        return 2 * x\n    def backward(self, d, cache, mode):\n"
        "        return 2 * d\n",
        "x=4,5", "its backward takes d, cache, mode: expected the gradient of the output, then a learning rate or",
    ),
    "an error in numpy": (
        "import numpy as np\nclass Twice:\n    def forward(self, x):\n        return 2 * x, None\n"
        "    def backward(self, error, saved):\n        return 2 * error, {}\n",
        "x=4,5", "check_layer expects x as a floating-point torch.Tensor, got ndarray.",
    ),
    "a class that takes one name twice": (
        "class Scale:\n    def __init__(self, x):\n        self.w = x\n"
        "    def forward(self, x):\n        return x * self.w\n    def backward(self, d):\n        return d * self.w\n",
        "", "Scale is made from x, and its forward takes it: rename one",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_CHECKED)
def test_what_cannot_be_checked_says_why(name: str, said: Said) -> None:
    source, shapes, why = NOT_CHECKED[name]
    code, out = said(source, Kind(source, "", "", shapes, ""))
    assert code == 1
    assert "Not checked: " in out
    assert why in out
    assert "0 of 1 right; not checked: " in out


def test_second_derivatives_are_compared_or_named(said: Said) -> None:
    (cube, layer) = KINDS["a Function"], KINDS["a layer's class"]
    assert "all 4 quantities" in said(cube.code, cube._replace(shapes="x=4,5 --second-order"))[1]
    asked = said(layer.code, layer._replace(shapes="gain=5 x=4,5 --second-order"))[1]
    assert "Not compared: second derivatives (those of a layer are not looked at)." in asked


def test_strict_refuses_a_loss_that_ignores_its_upstream_gradient(said: Said) -> None:
    loss = KINDS["a loss"]
    code, out = said(loss.code, loss._replace(shapes=f"{loss.shapes} --strict"))
    assert code == 1
    assert "the upstream gradient is ignored" in out
