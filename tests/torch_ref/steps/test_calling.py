"""Calls of somebody's code: given the very tensors, which are put back where they were changed."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from manual_bp import Linear, SquaredError, mlp
from torch_ref import check_function, check_layer, crosscheck
from torch_ref.steps.calling import Call, attempt, substituted
from torch_ref.steps.protocol import answer_step, layer_step, loss_step
from torch_ref.steps.step import Step


def test_what_was_changed_is_put_back_and_named() -> None:
    a, b = torch.ones(3), torch.arange(4.0)
    call = Call({"a": a, "b": b})
    assert call(lambda: a.mul_(2)).tolist() == [2, 2, 2], "what came back is kept, although it is the very tensor"
    assert call.failure == ("changes-input", "changes a in place")
    assert a.tolist() == [1, 1, 1]


def test_what_was_changed_before_an_exception_is_put_back_too() -> None:
    a = torch.ones(3)
    call = Call({"a": a})

    def change():
        a.mul_(2)
        raise ValueError("too late")

    assert call(change) is None
    assert call.failure == ("raises", "raises ValueError: too late")
    assert a.tolist() == [1, 1, 1]


def test_an_expanded_tensor_is_put_back() -> None:
    row = torch.arange(3.0)
    call = Call({"a": row.expand(4, 3)})
    call(lambda: row.add_(1))
    assert call.failure.code == "changes-input"
    assert row.tolist() == [0, 1, 2]


def test_numbers_that_are_not_a_number_are_no_change() -> None:
    call = Call({"a": torch.tensor([torch.nan, 1.0])})
    call(lambda: None)
    assert call.failure is None


def test_an_attempt_that_fails_gives_none() -> None:
    assert attempt(lambda: 3) == 3
    assert attempt(lambda: [][0]) is None


def test_what_is_right_already_is_not_replaced() -> None:
    x = torch.randn(4, 5)
    saved = (x, {"y": x})
    assert substituted(saved, x, x.clone()) is saved


def test_what_forward_saved_of_its_own_output_is_replaced_and_nothing_else() -> None:
    own, x, right = torch.randn(4, 5), torch.randn(4, 5), torch.randn(4, 5)
    saved = substituted((x, {"y": own}, [own.clone()], own[:2], own.double(), "k"), own, right)
    assert torch.equal(saved[0], x)
    assert torch.equal(saved[1]["y"], right)
    assert torch.equal(saved[2][0], right), "a copy of it counts"
    assert torch.equal(saved[3], own[:2])
    assert torch.equal(saved[4], own.double())
    assert saved[5] == "k"
    assert substituted(own, own, right[:2]) is own, "an output of another shape is another fault"
    assert substituted(own, own, right.double()) is own


# -------------------------------------------------------------------------------------------- the very same tensors


@dataclass(frozen=True, eq=False)
class Watching:
    """x w, which notes where what it is given lies."""

    w: Tensor
    seen: list[tuple[int, ...]]

    def forward(self, x, out=None):
        self.seen.append((x.data_ptr(), self.w.data_ptr(), x.stride()))
        return x * self.w, x

    def backward(self, error, saved, out=None):
        self.seen.append((error.data_ptr(), saved.data_ptr(), error.stride()))
        return error * self.w, {"w": -(error * saved).sum(0)}


def test_every_formula_gets_the_very_tensors() -> None:
    """No copies: strides and the place in memory can decide the last bit of a product."""
    x, w, error = torch.randn(5, 16).t(), torch.randn(5), torch.randn(5, 16).t()
    layer = Watching(w, [])
    step = layer_step(layer, lambda x, w: x * w, x, error, "y", "e", {"w": "d_w"})
    step.compute(step, True)
    assert layer.seen[0] == (x.data_ptr(), w.data_ptr(), (1, 16))
    assert layer.seen[1] == (error.data_ptr(), x.data_ptr(), (1, 16))


@pytest.mark.long
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_formula_alone_is_identical_for_every_slice_of_a_batch(dtype: torch.dtype) -> None:
    network, rows = mlp([5, 7, 3], dtype=dtype), torch.randn(400, 5, dtype=dtype)
    for i in range(16):
        x, t = rows[i : i + 16], torch.rand(16, 3, dtype=dtype)
        report = crosscheck(network, x, t, power=False)
        assert {row.isolated.status for row in report.rows} == {"identical"}, f"rows from {i} on"
        assert check_layer(network.layers[0], x, torch.nn.functional.linear).identical, f"rows from {i} on"


# -------------------------------------------------------------------------------------------- the kind of a step


def test_a_function_whose_arguments_are_called_x_t_and_y_is_no_loss() -> None:
    """t and y are no floating-point tensors, so only x has a gradient: all that a loss has."""
    x, t, y = torch.randn(4, 5), torch.arange(4), torch.arange(4)

    def scaled(x, t, y):
        return x * (t + y)[:, None]

    right = check_function(scaled, lambda d, x, t, y: (d * (t + y)[:, None], None, None), [x, t, y])
    assert right.ok
    wrong = check_function(scaled, lambda d, x, t, y: (2 * d * (t + y)[:, None], None, None), [x, t, y])
    assert [(row.quantity, row.cause) for row in wrong.guilty] == [("gradient of x", "a factor of 2")]
    other = check_function(
        lambda x, t, y: 2 * scaled(x, t, y), lambda d, *_: (d, None, None), [x, t, y], reference=scaled
    )
    assert other.guilty[0].code == "factor", "also where the forward formula is wrong"


def test_each_step_says_what_it_is_of() -> None:
    x, t = torch.randn(4, 5), torch.rand(4, 5)
    layer, loss = Linear(torch.randn(5, 5)), SquaredError()
    steps: list[Step] = [
        layer_step(layer, torch.nn.functional.linear, x, x, "y", "e", {"weight": "d"}, l=3),
        answer_step(loss, lambda x: x, x, "y"),
        loss_step(loss, lambda x, t: ((t - x) ** 2).sum(), x, t, "L", "e", y=x),
    ]
    assert [(step.kind, step.layer) for step in steps] == [("layer", 3), ("answer", None), ("loss", None)]
    assert [[made.sign for made in step.makes] for step in steps] == [[1, -1, 1], [1], [1, -1]]
