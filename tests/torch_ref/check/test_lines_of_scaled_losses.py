"""A loss whose backward is given the gradient of the loss: of a loss that is scaled it has to be right, too."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.torch_ref.lines.programs import made, pair_of
from torch_ref import check_function, check_lines

LOSS = """
def forward(x, W, t):
    y = x @ W
    L = 0.5 * ((y - t) ** 2).sum()
    return L


def backward({parameters}):
    y = x @ W
    dy = {factor}(y - t)
    dW = x.T @ dy
    dx = dy @ W.T
    return dx, dW, -dy
"""

IGNORES = "backward ignores its upstream gradient"


def inputs() -> list[Any]:
    return [*np.random.default_rng(0).normal(size=(3, 3, 3))]


def pair(factor: str = "", parameters: str = "dout, x, W, t") -> Any:
    return pair_of(LOSS.format(factor=factor, parameters=parameters))


@pytest.mark.long(but=2)
@pytest.mark.parametrize("name", ["dout", "dL", "grad_output", "upstream", "d"])
def test_a_loss_that_does_not_read_its_gradient_is_a_remark(name: str) -> None:
    given = f"{name}, x, W, t"
    report = check_lines(*pair("", given), inputs())
    assert report.ok
    (remark,) = report.remarks
    assert remark.startswith(f"{IGNORES} (gradient of ")
    assert all(one in remark for one in ("gradient of x", "gradient of W", "gradient of t"))
    right = check_lines(*pair(f"{name} * ", given), inputs(), strict=True)
    assert right.ok
    assert right.remarks == ()


@pytest.mark.long
def test_with_strict_it_is_wrong_where_it_is_left_out() -> None:
    report = check_lines(*pair(), inputs(), strict=True)
    assert report.guilty[0].of.text == "dy = (y - t)"
    assert [row.code for row in report.guilty] == ["upstream-ignored"] * 2, "of y, and of t, which is no part of it"
    assert not check_function(*pair(), inputs(), strict=True).ok, "as check_function says"


def test_without_such_a_parameter_there_is_nothing_to_read() -> None:
    report = check_lines(*pair("", "x, W, t"), inputs(), strict=True)
    assert report.ok
    assert report.remarks == ()


def test_what_is_scaled_in_part_only_is_wrong() -> None:
    text = LOSS.format(factor="dout * ", parameters="dout, x, W, t")
    text = text.replace("sum()\n    return", "sum() + 0.1 * (W**2).sum()\n    return")
    right = text.replace("x.T @ dy", "x.T @ dy + dout * 0.2 * W")
    assert check_lines(*pair_of(right), inputs(), strict=True).ok
    report = check_lines(*pair_of(text.replace("x.T @ dy", "x.T @ dy + 0.2 * W")), inputs())
    assert [row.of.text for row in report.guilty] == ["dW = x.T @ dy + 0.2 * W"]
    assert report.guilty[0].code != "upstream-ignored"


def test_a_factor_that_comes_in_the_end_is_right() -> None:
    text = LOSS.format(factor="", parameters="dout, x, W, t").replace(
        "return dx, dW, -dy", "return [dout * d for d in (dx, dW, -dy)]"
    )
    report = check_lines(*pair_of(text), inputs(), strict=True)
    assert report.ok, str(report)
    assert not any(IGNORES in remark for remark in report.remarks)


def test_tensors_objects_and_gradients_that_are_given() -> None:
    layer = made("""
class MSE:
    def forward(self, y, t):
        self.y, self.t = y, t
        return ((y - t) ** 2).mean()

    def backward(self, dout):
        self.dy = 2 * (self.y - self.t) / self.y.numel()
        return self.dy, -self.dy
""")["MSE"]()
    torch.manual_seed(0)
    y, t = torch.randn(4, 3), torch.randn(4, 3)
    report = check_lines(layer.forward, layer.backward, [y, t])
    assert report.ok
    assert any(IGNORES in remark for remark in report.remarks)
    assert not check_lines(layer.forward, layer.backward, [y, t], strict=True).ok
    assert not check_lines(layer.forward, layer.backward, [y, t], upstream=torch.tensor(2.0)).ok, "wrong at once"


def test_where_forward_is_measured_the_same_holds() -> None:
    def text(factor: str) -> str:
        found = LOSS.format(factor=factor, parameters="dout, x, W, t")
        return found.replace("    y = x @ W\n    L", "    y = np.zeros(t.shape)\n    y[:] = x @ W\n    L")

    report = check_lines(*pair_of(text("")), inputs())
    assert report.ok
    assert any("central differences" in remark for remark in report.remarks)
    assert any(IGNORES in remark for remark in report.remarks)
    strict = check_lines(*pair_of(text("")), inputs(), strict=True)
    assert [row.code for row in strict.guilty] == ["upstream-ignored"]
    assert not any(IGNORES in remark for remark in check_lines(*pair_of(text("dout * ")), inputs()).remarks)


def test_outputs_that_are_no_loss_are_as_they_were() -> None:
    text = LOSS.replace("0.5 * ((y - t) ** 2).sum()", "0.5 * (y - t) ** 2")
    text = text.format(factor="dout * ", parameters="dout, x, W, t")
    report = check_lines(*pair_of(text), inputs(), strict=True)
    assert report.ok
    assert report.remarks == ()
